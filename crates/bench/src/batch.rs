//! How many samples a model samples at a time.

use std::fmt;
use std::num::NonZeroUsize;
use std::process::Command;

use anyhow::Result;
use i2am_runner::RunnerError;
use serde::Deserialize as _;
use tch::Device;
use toml::de::{DeValue, ValueDeserializer};

use crate::config::Table;
use crate::device::device;
use crate::models::ModelEntry;

/// The key of a `[[model]]`.
const KEY: &str = "batch";
/// The largest batch that is chosen: beyond it a GPU gains little.
const MOST: usize = 16;
/// The share of a GPU's memory that weights and samples may take by the estimate.
const USED: f64 = 0.7;

/// Takes the batch size out of a `[[model]]` table. It is no setting of the model: no sample depends on the others beyond rounding.
///
/// # Errors
/// What is no whole number of at least 1, in words.
pub(crate) fn take(table: &mut Table<'_>) -> Result<Option<usize>, String> {
    let DeValue::Table(model) = table.get_mut() else {
        return Ok(None);
    };
    let Some(value) = model.remove(KEY) else {
        return Ok(None);
    };
    let found = match value.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        other => format!("a {}", other.type_str()),
    };
    match NonZeroUsize::deserialize(ValueDeserializer::from(value)) {
        Ok(size) => Ok(Some(size.get())),
        Err(_) => Err(format!(
            "batch: expected a whole number of at least 1, found {found}"
        )),
    }
}

/// A batch size, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) size: usize,
    why: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {} ({})", self.size, self.why)
    }
}

/// The batch size of `entry` on the device called `name`.
///
/// # Errors
/// A device or a checkpoint that cannot be used.
pub(crate) fn choose(entry: &ModelEntry, name: &str) -> Result<Choice> {
    let one = |why: &str| Choice {
        size: 1,
        why: why.to_owned(),
    };
    if let Some(size) = entry.batch {
        let why = "as configured".to_owned();
        return Ok(Choice { size, why });
    }
    let Device::Cuda(index) = device(name)? else {
        return Ok(one("the default on a CPU"));
    };
    let facts = entry.facts()?;
    let Some(sample) = facts.sample_bytes else {
        return Ok(one("the size of images follows from the sample"));
    };
    Ok(match gpu_memory(index) {
        Some(memory) => fitting(memory, facts.weight_bytes, sample),
        None => one("the memory of the GPU is not known"),
    })
}

/// The largest power of two that fits.
fn fitting(memory: u64, weights: u64, sample: u64) -> Choice {
    let room = (memory as f64 * USED - weights as f64).max(0.0);
    let fit = (room / sample.max(1) as f64) as usize;
    let size = match fit {
        0 | 1 => 1,
        several => (1 << several.ilog2()).min(MOST),
    };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    Choice {
        size,
        why: format!(
            "estimate: weights {:.1} GiB, {:.2} GiB for each sample, of {:.1} GiB",
            gib(weights),
            gib(sample),
            gib(memory)
        ),
    }
}

/// Bytes of memory of a GPU, from the driver's own program.
fn gpu_memory(index: usize) -> Option<u64> {
    let index = index.to_string();
    let query = ["--query-gpu=memory.total", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi")
        .args(query)
        .args(["--id", &index])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mib: u64 = text.trim().parse().ok()?;
    Some(mib << 20)
}

/// The batch size after a batch of `size` failed with `error`: less where there was not enough memory.
pub(crate) fn after(error: &RunnerError, size: usize) -> usize {
    match error {
        RunnerError::OutOfMemory(_) => (size / 2).max(1),
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, fitting};

    const GIB: u64 = 1 << 30;

    #[test]
    fn what_fits_is_a_power_of_two_and_never_none() {
        let size = |memory: u64, weights: u64| fitting(memory * GIB, weights * GIB, GIB).size;
        // 0.7 of 10 GiB less 2 GiB are 5.
        assert_eq!(size(10, 2), 4);
        assert_eq!(size(4, 5), 1);
        assert_eq!(size(80, 4), 16);
    }

    #[test]
    fn an_estimate_says_what_it_is_made_of() {
        let choice: Choice = fitting(10 * GIB, 2 * GIB, GIB);
        assert_eq!(
            choice.to_string(),
            "batch 4 (estimate: weights 2.0 GiB, 1.00 GiB for each sample, of 10.0 GiB)"
        );
    }
}
