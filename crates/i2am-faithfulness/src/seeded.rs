//! Random numbers that depend on nothing but a seed, what they are for and which draw it is.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the numbers are for; no two uses share a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The order of cells with one value.
    Ties = 1,
    /// Subsets of cells.
    Subsets = 2,
    /// The values of a random map.
    RandomMap = 3,
    /// The noise on painted pixels.
    Paint = 4,
    /// Where a mark is planted.
    Mark = 5,
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
pub(crate) fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    let count = count as u32;
    loop {
        let wide = u64::from(rng.next_u32()) * u64::from(count);
        // Of the 2^32 draws the few that would make some numbers likelier are drawn again.
        let low = wide as u32;
        if low >= count || low >= count.wrapping_neg() % count {
            return (wide >> 32) as usize;
        }
    }
}

/// A number from 0 up to, but not including, 1: one of 2^24, all equally likely.
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// `items` in random order, all orders equally likely.
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_orders_are_even() {
        let mut rng = generator(7, Purpose::Ties, 3);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            let mut order = [0, 1, 2];
            shuffle(&mut rng, &mut order);
            let number = order[0] * 2 + usize::from(order[1] > order[2]);
            counts[number] += 1;
            assert!((0.0..1.0).contains(&unit(&mut rng)));
        }
        // Six standard deviations of a binomial with n = 60,000 and p = 1/6.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 548),
            "{counts:?}"
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, purpose, index| generator(seed, purpose, index).next_u64();
        let one = first(1, Purpose::Ties, 0);
        assert_eq!(one, first(1, Purpose::Ties, 0));
        assert_ne!(one, first(2, Purpose::Ties, 0));
        assert_ne!(one, first(1, Purpose::Subsets, 0));
        assert_ne!(one, first(1, Purpose::Ties, 1));
    }
}
