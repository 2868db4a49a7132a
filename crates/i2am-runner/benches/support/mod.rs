//! What the benches of recording share: a stopwatch, peak memory, and the alternation of steps with and without a probe.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what these programs are for"
)]

mod clock;

use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use i2am_attribution::AttentionRecord;
use i2am_nets::{AttentionProbe, NoProbe, Observation};
use i2am_runner::capture::Recorder;
use i2am_runner::samplers::Call;
use tch::Tensor;

use clock::{Clock, Taken};

const REPETITIONS: usize = 5;
/// Argument of the processes whose memory is measured.
const MEMORY_OF: &str = "--memory-of";
const STEPS_FOR_MEMORY: usize = 2;

/// A network at its published size, and one sampling step of it.
pub(crate) trait Subject {
    /// What a step is, for the first line.
    const STEP: &'static str;

    /// What is computed in.
    const PRECISION: &'static str = "f32";

    /// Builds the network with made-up weights.
    fn new() -> Self;

    /// One step: the predicted noise.
    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor;

    /// A recorder of one step in one group.
    fn recorder(&self) -> Recorder;

    /// Height and width of the latent.
    fn latent(&self) -> (i64, i64);

    /// Recorded layers with one token, and with spatial ones.
    fn layers(&self) -> [usize; 2];

    /// Anything more to be told at the end.
    fn more(&self) {}
}

fn off(subject: &impl Subject) -> Taken {
    let start = Clock::now();
    let eps = subject.step(&mut NoProbe);
    let taken = start.elapsed();
    assert_finite("the predicted noise", &eps);
    taken
}

/// The step with everything that recording it takes: masks, sums, and the move to the record at the end of the sample.
fn on(subject: &impl Subject) -> Recorded {
    let start = Clock::now();
    let mut recorder = subject.recorder();
    recorder
        .begin(Call {
            step: 0,
            timestep: 501,
            primary: true,
        })
        .expect("nothing is changed");
    let mut probe = Timed {
        recorder,
        spent: Duration::ZERO,
    };
    let eps = subject.step(&mut probe);
    let record = probe
        .recorder
        .finish(subject.latent())
        .expect("no layer was asked for by name");
    let taken = start.elapsed();
    assert_finite("the predicted noise", &eps);
    Recorded {
        taken,
        in_probe: probe.spent.as_secs_f64(),
        record,
    }
}

struct Recorded {
    taken: Taken,
    /// Seconds of wall time inside the probe.
    in_probe: f64,
    record: AttentionRecord,
}

/// A recorder with a stopwatch.
struct Timed {
    recorder: Recorder,
    spent: Duration,
}

impl AttentionProbe for Timed {
    fn observe(&mut self, seen: &Observation<'_>) {
        let start = Instant::now();
        self.recorder.observe(seen);
        self.spent += start.elapsed();
    }
}

fn assert_finite(what: &str, x: &Tensor) {
    assert!(
        x.isfinite().all().int64_value(&[]) == 1,
        "{what} is not finite"
    );
}

/// What must hold of every record of one step.
fn check(subject: &impl Subject, record: &AttentionRecord) {
    record.validate().expect("shapes of the record");
    let one_token = record.layers.iter().filter(|layer| layer.is_one_token());
    let one_token = one_token.count();
    assert_eq!(
        [one_token, record.layers.len() - one_token],
        subject.layers()
    );
    for layer in &record.layers {
        assert_shares(&layer.name, &layer.r2g, layer.heads, layer.r2g_counts);
        if let Some(g2r) = layer.relative.as_ref().or(layer.g2r.as_ref()) {
            assert_shares(&layer.name, g2r, layer.heads, layer.g2r_counts);
        }
    }
}

/// Every token's or position's softmax sums to 1, over the reference alone where other keys compete.
fn assert_shares(layer: &str, sums: &[f32], heads: usize, counts: [u64; 2]) {
    let cells = sums.len() / (2 * heads);
    for (index, head) in sums.chunks(cells).enumerate() {
        let sum: f64 = head.iter().map(|&value| f64::from(value)).sum();
        let count = counts[index / heads] as f64;
        assert!(
            (sum - count).abs() <= 1e-3 * count,
            "{layer}: shares of {count} sum to {sum}"
        );
    }
}

/// A line of `/proc/self/status`, in MiB.
fn status_mib(key: &str) -> f64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    read().map_or(f64::NAN, |kib| kib / 1024.0)
}

/// Makes the kernel count the peak from now on. Without it the peak of filling the network might hide that of the steps.
fn restart_peak() -> std::io::Result<()> {
    std::fs::File::options()
        .write(true)
        .open("/proc/self/clear_refs")?
        .write_all(b"5")
}

/// Runs one way only and prints what the loaded network takes and the peak of the steps.
fn memory_of<S: Subject>(way: &str) {
    let subject = S::new();
    restart_peak().expect("Linux 4.0 or later");
    let loaded = status_mib("VmRSS");
    for _ in 0..STEPS_FOR_MEMORY {
        match way {
            "on" => check(&subject, &on(&subject).record),
            _ => {
                off(&subject);
            }
        }
    }
    println!("{loaded} {}", status_mib("VmHWM"));
}

/// What [`memory_of`] prints in a process of its own.
fn measured(way: &str) -> Option<(f64, f64)> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program).args([MEMORY_OF, way]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (loaded, peak) = text.trim().split_once(' ')?;
    Some((loaded.parse().ok()?, peak.parse().ok()?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

fn time(subject: &impl Subject, repetitions: usize) {
    off(subject);
    check(subject, &on(subject).record);
    println!("seconds: wall and processor time");
    println!("pair  off wall   on wall  on/off   off proc   on proc  on/off  in the probe");
    let mut rows: Vec<[f64; 7]> = Vec::new();
    for pair in 0..repetitions {
        // Whoever comes second may find warmer caches: the order alternates too.
        let (a, recorded) = if pair % 2 == 0 {
            let off = off(subject);
            (off, on(subject))
        } else {
            let on = on(subject);
            (off(subject), on)
        };
        let b = recorded.taken;
        let row = [
            a.wall,
            b.wall,
            b.wall / a.wall,
            a.processor,
            b.processor,
            b.processor / a.processor,
            recorded.in_probe,
        ];
        print_row(&(pair + 1).to_string(), &row);
        rows.push(row);
    }
    let medians =
        std::array::from_fn(|column| median(rows.iter().map(|row| row[column]).collect()));
    print_row("med", &medians);
}

fn print_row(name: &str, [off, on, ratio, off_cpu, on_cpu, cpu_ratio, in_probe]: &[f64; 7]) {
    println!(
        "{name:>4} {off:>9.3} {on:>9.3} {ratio:>7.4}  {off_cpu:>9.2} {on_cpu:>9.2} {cpu_ratio:>7.4}  {in_probe:>12.4}"
    );
}

/// The whole program.
pub(crate) fn run<S: Subject>() -> ExitCode {
    let _guard = tch::no_grad_guard();
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [MEMORY_OF, way] => {
            memory_of::<S>(way);
            return ExitCode::SUCCESS;
        }
        // `cargo test --benches` only asks whether the program starts.
        ["--test", ..] => return ExitCode::SUCCESS,
        _ => {}
    }
    let repetitions = arguments
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(REPETITIONS);
    let (step, precision) = (S::STEP, S::PRECISION);
    println!("{step}, {precision}, {} threads", tch::get_num_threads());
    let (Some(off), Some(on)) = (measured("off"), measured("on")) else {
        println!("peak memory: not measured, /proc/self/status is needed");
        return ExitCode::FAILURE;
    };
    println!("memory, MiB: networks alone, peak of {STEPS_FOR_MEMORY} steps, what the steps added");
    for (way, (loaded, peak)) in [("off", off), ("on", on)] {
        println!("{way:>4} {loaded:>9.1} {peak:>9.1} {:>9.1}", peak - loaded);
    }
    let added = (on.1 - on.0) / (off.1 - off.0);
    println!(
        "on/off: peak {:.4}, what the steps added {added:.4}",
        on.1 / off.1
    );
    let subject = S::new();
    time(&subject, repetitions);
    subject.more();
    ExitCode::SUCCESS
}
