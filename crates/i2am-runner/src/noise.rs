//! Noise as an input: every draw has a name, so that order, batch size and device cannot matter.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};
use tch::Tensor;

use crate::RunnerError;

/// Where standard normal noise comes from.
#[derive(Debug)]
pub enum NoiseSource {
    /// Drawn on the CPU by a generator seeded with the run's seed, the data set, the sample and the purpose.
    Seeded {
        /// The run's seed.
        seed: u64,
        /// The data set's name.
        dataset: String,
        /// The sample's id.
        sample: String,
    },
    /// Given, by purpose; for parity with another program.
    Injected(BTreeMap<String, Tensor>),
}

impl NoiseSource {
    /// Noise of `shape` for `purpose`, f32 on the CPU.
    ///
    /// # Errors
    /// [`RunnerError::Noise`] if injected noise for this purpose is absent or has another shape.
    pub fn draw(&self, purpose: &str, shape: &[i64]) -> Result<Tensor, RunnerError> {
        match self {
            Self::Seeded {
                seed,
                dataset,
                sample,
            } => {
                let mut rng = generator(*seed, &[dataset, sample, purpose]);
                let count = shape.iter().product::<i64>() as usize;
                let values: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(count).collect();
                Ok(Tensor::from_slice(&values).reshape(shape))
            }
            Self::Injected(given) => {
                let found = given.get(purpose).map(Tensor::size);
                match found {
                    Some(size) if size == shape => Ok(given[purpose].shallow_clone()),
                    found => Err(RunnerError::Noise {
                        purpose: purpose.to_owned(),
                        expected: shape.to_vec(),
                        found,
                    }),
                }
            }
        }
    }

    /// A number from 0 to 1 for `purpose`, 1 excluded. Of injected noise, the one value of shape `[1]`.
    ///
    /// # Errors
    /// As [`NoiseSource::draw`].
    pub fn uniform(&self, purpose: &str) -> Result<f64, RunnerError> {
        match self {
            Self::Seeded {
                seed,
                dataset,
                sample,
            } => Ok(generator(*seed, &[dataset, sample, purpose]).random()),
            Self::Injected(_) => Ok(self.draw(purpose, &[1])?.double_value(&[0])),
        }
    }
}

/// ChaCha8 seeded by the SHA-256 of the seed and the parts, each with its length.
fn generator(seed: u64, parts: &[&str]) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}
