//! Seeded draws that come out the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of random numbers for one purpose.
///
/// The floats are built from integers here, so that they depend on the `ChaCha8` stream alone and not on how a release of `rand` maps
/// integers to ranges.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream that belongs to the bytes of `parts`, read one after the other; independent of that of any other bytes.
    pub fn of(parts: &[&[u8]]) -> Self {
        let hash = parts.iter().fold(Sha256::new(), Digest::chain_update);
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// The generator itself, for what draws from distributions.
    pub fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Uniform in `[0, 1)`, 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// In `(-limit, limit)`, the middle likelier than the ends (triangular).
    pub fn around_zero(&mut self, limit: f32) -> f32 {
        limit * (self.unit() - self.unit())
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..count`; `count` is at least 1 and small.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count - 1)
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
