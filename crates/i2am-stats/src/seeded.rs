//! Draws by number: each has its own stream of a seeded generator, so that neither order nor threads can matter.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the numbers are for; no two uses share a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Bootstrap = 1,
    Permutation = 2,
}

/// The generator of draw `index`.
pub(crate) fn generator(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// A number below `count`, all equally likely.
///
/// Lemire 2019. Written out so that a new release of a library cannot change results.
pub(crate) fn below(rng: &mut ChaCha8Rng, count: u32) -> u32 {
    loop {
        let wide = u64::from(rng.next_u32()) * u64::from(count);
        // Of the 2^32 draws the few that would make some numbers likelier are drawn again.
        let low = wide as u32;
        if low >= count || low >= count.wrapping_neg() % count {
            return (wide >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_and_stay_below() {
        let mut rng = generator(7, Purpose::Bootstrap, 3);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        // Six standard deviations of a binomial with n = 70,000 and p = 1/7.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 556),
            "{counts:?}"
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, purpose, index| generator(seed, purpose, index).next_u64();
        let one = first(1, Purpose::Bootstrap, 0);
        assert_eq!(one, first(1, Purpose::Bootstrap, 0));
        for other in [
            first(2, Purpose::Bootstrap, 0),
            first(1, Purpose::Permutation, 0),
            first(1, Purpose::Bootstrap, 1),
        ] {
            assert_ne!(one, other);
        }
    }
}
