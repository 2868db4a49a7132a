//! Seeded draws that come out the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of random numbers for one purpose of one sample.
///
/// The floats are built from integers here, so that they depend on the `ChaCha8` stream alone and not on how a release of `rand` maps
/// integers to ranges.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream for `purpose` of sample `index` of the set `seed`; independent of every other stream.
    pub(crate) fn new(seed: u64, index: u64, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"i2am synthetic try-on\0");
        hash.update(seed.to_le_bytes());
        hash.update(index.to_le_bytes());
        hash.update(purpose.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// The stream for `purpose` of the sample called `id`; independent of every other stream.
    pub(crate) fn of_sample(seed: u64, id: &str, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"i2am sample\0");
        hash.update(seed.to_le_bytes());
        hash.update(purpose.as_bytes());
        hash.update([0]);
        hash.update(id.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// The generator itself, for what draws from distributions.
    pub(crate) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Uniform in `[0, 1)`, 24 bits.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// In `(-limit, limit)`, the middle likelier than the ends (triangular).
    pub(crate) fn around_zero(&mut self, limit: f32) -> f32 {
        limit * (self.unit() - self.unit())
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..count`; `count` is at least 1 and small.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count - 1)
    }

    /// One of the choices.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
