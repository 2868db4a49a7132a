//! Readers of untrusted files, fed with mutations of a few good and bad ones.
//!
//! There is no coverage to steer by: libtorch and the stable compiler leave no room for it. So the corpus does the work. It should have a
//! small file of every kind that a reader takes another way for.

use std::env;
use std::fs::File;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The variable that says how many seconds each call of [`fuzz`] runs. Without it there are [`EXECUTIONS`], enough to notice a reader that
/// has become careless.
const SECONDS: &str = "I2AM_FUZZ_SECONDS";

/// Executions where nothing else is asked for.
const EXECUTIONS: u64 = 400;

/// Mutations of one input, at most.
const MUTATIONS: usize = 6;

/// Bytes that an input may grow to.
const MAX_LENGTH: usize = 1 << 20;

/// Longer than this no reader may take for one input.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls `check` with every input of `corpus` and with mutations of them; `name` tells the runs of a program apart.
///
/// `check` should read the bytes and whatever the reader makes of them. It may panic on no input: not in the reader, and not by an
/// assertion of its own. Inputs follow from `name` and the number of the execution, so that a longer run begins like a shorter one.
/// `I2AM_FUZZ_SECONDS` says how long it runs; one line on standard error says how many executions there were.
///
/// # Panics
/// At the first input on which `check` panics or takes longer than 20 seconds. The message names the file with the input, in the
/// folder for temporary files.
pub fn fuzz(name: &str, corpus: &[&[u8]], check: impl Fn(&[u8])) {
    let seconds = env::var(SECONDS).ok().map(|text| {
        let seconds = text.parse().ok();
        Duration::from_secs(
            seconds.unwrap_or_else(|| panic!("{SECONDS}: expected seconds, found `{text}`")),
        )
    });
    let start = Instant::now();
    let mut executions = 0;
    let mut slowest = Duration::ZERO;
    let is_over = |executions: u64| match seconds {
        Some(seconds) => start.elapsed() >= seconds,
        None => executions >= EXECUTIONS.max(corpus.len() as u64),
    };
    while !is_over(executions) {
        let input = input(name, corpus, executions);
        let began = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| check(&input)));
        let took = began.elapsed();
        slowest = slowest.max(took);
        if done.is_err() || took > PATIENCE {
            let kept = keep(name, executions, &input);
            let what = if done.is_err() { "panicked" } else { "hung" };
            panic!(
                "{name}: execution {executions} {what} after {took:?} on {}",
                kept.display()
            );
        }
        executions += 1;
    }
    let line = format!(
        "FUZZ: {name}: {executions} executions in {:.1} s, the slowest {:.3} s, no findings\n",
        start.elapsed().as_secs_f64(),
        slowest.as_secs_f64()
    );
    // Not `eprint!`: libtest keeps back what a passing test prints by macro.
    io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error is open");
}

/// Writes an input that must not be lost.
fn keep(name: &str, execution: u64, input: &[u8]) -> PathBuf {
    let path = env::temp_dir().join(format!("fuzz-{name}-{execution}"));
    File::create(&path)
        .and_then(|mut file| file.write_all(input))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// The input of one execution: the corpus as it is, then mutations.
fn input(name: &str, corpus: &[&[u8]], execution: u64) -> Vec<u8> {
    if let Some(seed) = corpus.get(execution as usize) {
        return seed.to_vec();
    }
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(hash));
    dice.0.set_stream(execution);
    let mut bytes = dice.one_of(corpus).map_or(Vec::new(), |seed| seed.to_vec());
    for _ in 0..=dice.below(MUTATIONS) {
        dice.mutate(&mut bytes, corpus);
    }
    bytes.truncate(MAX_LENGTH);
    bytes
}

/// Numbers that sizes and counts go wrong at.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1_000_000_000_000_000_000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// What a text may have where it had a number.
const WORDS: [&str; 12] = [
    "-1", "0.5", "1e999", "-0", "NaN", "null", "true", "\"\"", "[]", "{}", "[[[[", "1e18",
];

struct Dice(ChaCha8Rng);

impl Dice {
    /// A number below `limit`, which is small against the generator's range; 0 for an empty range.
    fn below(&mut self, limit: usize) -> usize {
        self.0
            .next_u64()
            .checked_rem(limit as u64)
            .map_or(0, |n| n as usize)
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }

    /// A place in `length` bytes: often near the start, where headers are.
    fn place(&mut self, length: usize) -> usize {
        let near = if self.below(2) == 0 {
            length
        } else {
            length.min(256)
        };
        self.below(near)
    }

    /// A range within `length` bytes, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.place(length);
        let longest = if self.below(4) == 0 { length } else { 16 };
        let end = start + 1 + self.below(longest);
        start.min(length)..end.min(length)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, corpus: &[&[u8]]) {
        let length = bytes.len();
        let at = self.place(length);
        match self.below(9) {
            // Flip a bit.
            0 if length > 0 => bytes[at] ^= 1 << self.below(8),
            // Another byte.
            1 if length > 0 => bytes[at] = self.below(256) as u8,
            2 => {
                let range = self.range(length);
                bytes.drain(range);
            }
            // Say something twice, here or elsewhere.
            3 => {
                let copied = bytes[self.range(length)].to_vec();
                bytes.splice(at..at, copied);
            }
            // Go on as another input does.
            4 => {
                let other = self.one_of(corpus).copied().unwrap_or_default();
                let range = self.range(other.len());
                bytes.splice(at..at, other[range].iter().copied());
            }
            5 => bytes.truncate(self.below(length + 1)),
            6 => self.write_number(bytes, at),
            _ => self.write_word(bytes, at),
        }
    }

    /// Overwrites bytes by a number of one, two, four or eight, in either order.
    fn write_number(&mut self, bytes: &mut [u8], at: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())];
        let width = 1 << self.below(4);
        let mut digits = number.to_le_bytes()[..width].to_vec();
        if self.below(2) == 0 {
            digits.reverse();
        }
        for (byte, digit) in bytes[at..].iter_mut().zip(digits) {
            *byte = digit;
        }
    }

    /// Replaces the decimal number that comes next, if there is one, else inserts one.
    fn write_word(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let start = bytes[at..].iter().position(is_digit).map(|n| at + n);
        let (start, end) = start.map_or((at, at), |start| {
            let digits = bytes[start..].iter().take_while(|byte| is_digit(byte));
            (start, start + digits.count())
        });
        let word = match self.below(3) {
            0 => WORDS[self.below(WORDS.len())].to_owned(),
            _ => NUMBERS[self.below(NUMBERS.len())].to_string(),
        };
        bytes.splice(start..end, word.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{fuzz, input};

    const CORPUS: [&[u8]; 2] = [b"{\"width\": 12, \"height\": 7}", b""];

    #[test]
    fn inputs_are_the_corpus_and_then_seeded_mutations_of_it() {
        assert_eq!(input("a", &CORPUS, 0), CORPUS[0]);
        assert_eq!(input("a", &CORPUS, 1), CORPUS[1]);
        let inputs =
            |name: &str| -> Vec<Vec<u8>> { (2..200).map(|n| input(name, &CORPUS, n)).collect() };
        let once = inputs("a");
        assert_eq!(once, inputs("a"));
        assert_ne!(once, inputs("b"));
        let changed = once.iter().filter(|input| !CORPUS.contains(&&input[..]));
        assert!(changed.count() > 150);
        // Numbers in texts become others.
        let many = (2..2000).map(|n| input("a", &CORPUS, n));
        let largest = u64::MAX.to_string();
        let changed = many.filter(|input| String::from_utf8_lossy(input).contains(&largest));
        assert!(changed.count() > 10);
    }

    #[test]
    fn a_corpus_of_nothing_is_run_too() {
        let runs = Cell::new(0);
        fuzz("nothing", &[], |_| runs.set(runs.get() + 1));
        assert!(runs.get() > 1);
    }

    #[test]
    #[should_panic(expected = "careless: execution ")]
    fn a_panic_is_a_finding() {
        fuzz("careless", &CORPUS, |bytes| {
            assert!(bytes.len() != 3, "a fault of three bytes");
            assert!(!bytes.contains(&0xff), "a fault of one byte");
        });
    }
}
