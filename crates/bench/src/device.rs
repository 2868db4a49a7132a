//! Where and on how many threads everything runs.

use anyhow::Result;
#[cfg(feature = "torch")]
use anyhow::{Context as _, bail};
#[cfg(feature = "torch")]
use i2am_nets::libtorch;
#[cfg(feature = "torch")]
use tch::{Cuda, Device};

use crate::exit::usage;
#[cfg(feature = "torch")]
use crate::models::ModelEntry;

/// Lets everything run on as many threads as asked for, or as there are cores; returns how many.
///
/// # Errors
/// Zero.
pub(crate) fn use_threads(asked: Option<usize>) -> Result<usize> {
    let all = || std::thread::available_parallelism().map_or(1, Into::into);
    let threads = asked.unwrap_or_else(all);
    if threads == 0 {
        return Err(usage("--threads: expected at least 1"));
    }
    #[cfg(feature = "torch")]
    tch::set_num_threads(threads as i32);
    // Only the first call in a process counts; a second one changes nothing.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
    Ok(threads)
}

/// Networks with fewer weights in all sample on one thread. Threads of one pass wait for each other after every operation, which takes
/// networks of some millions of weights longer than the work that is shared. The published models have ten times as many.
#[cfg(feature = "torch")]
const SMALL: u64 = 100_000_000;

/// Whether a model of so many `parameters` samples on one thread, on the CPU.
#[cfg(feature = "torch")]
pub(crate) fn is_small(parameters: u64) -> bool {
    parameters < SMALL
}

/// Until this is dropped, libtorch computes on other threads than the rest of the program has.
#[cfg(feature = "torch")]
pub(crate) struct NetworkThreads {
    before: i32,
}

#[cfg(feature = "torch")]
impl NetworkThreads {
    /// For the model `entry` on `device`.
    ///
    /// # Errors
    /// A checkpoint that cannot be used.
    pub(crate) fn of_model(entry: &ModelEntry, device: Device, threads: usize) -> Result<Self> {
        Ok(Self::of(parameters(entry, device)?, threads))
    }

    /// For a model of so many `parameters`: one thread if it is small, so that its results do not depend on the number of cores or of
    /// workers; else `threads`.
    fn of(parameters: u64, threads: usize) -> Self {
        let before = tch::get_num_threads();
        tch::set_num_threads(if is_small(parameters) {
            1
        } else {
            threads as i32
        });
        Self { before }
    }
}

#[cfg(feature = "torch")]
impl Drop for NetworkThreads {
    fn drop(&mut self) {
        tch::set_num_threads(self.before);
    }
}

/// Samples of the model `entry` that are best asked side by side, each with networks of its own: one for each of `threads` if it samples on
/// one thread.
///
/// # Errors
/// A checkpoint that cannot be used.
#[cfg(feature = "torch")]
pub(crate) fn lanes(entry: &ModelEntry, device: Device, threads: usize) -> Result<usize> {
    let one_thread_each = is_small(parameters(entry, device)?);
    Ok(if one_thread_each { threads } else { 1 })
}

/// How large a model is for the CPU; for a GPU all are large.
#[cfg(feature = "torch")]
fn parameters(entry: &ModelEntry, device: Device) -> Result<u64> {
    if device != Device::Cpu {
        return Ok(u64::MAX);
    }
    let facts = entry.facts();
    let facts = facts.with_context(|| format!("model `{}`", entry.name))?;
    Ok(facts.parameters)
}

/// What `--device` calls all GPUs.
#[cfg(feature = "torch")]
pub(crate) const ALL_GPUS: &str = "cuda:all";

/// The devices that `name` stands for: all GPUs for [`ALL_GPUS`], else one.
///
/// # Errors
/// As [`device`].
#[cfg(feature = "torch")]
pub(crate) fn devices(name: &str) -> Result<Vec<String>> {
    device(name)?;
    Ok(if name == ALL_GPUS {
        let count = Cuda::device_count();
        (0..count).map(|index| format!("cuda:{index}")).collect()
    } else {
        vec![name.to_owned()]
    })
}

/// The device called `name`; of [`ALL_GPUS`], the first.
///
/// # Errors
/// A name that is none, a device that there is not.
#[cfg(feature = "torch")]
pub(crate) fn device(name: &str) -> Result<Device> {
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        _ if name == ALL_GPUS => Some(0),
        Some(("cuda", index)) => index.parse::<usize>().ok(),
        None if name == "cuda" => Some(0),
        _ => None,
    };
    let Some(index) = index else {
        return Err(usage(format!(
            "--device {name}: expected cpu, cuda:N or cuda:all"
        )));
    };
    let count = Cuda::device_count();
    if index as i64 >= count {
        let version = libtorch::version();
        // Of a program that was built before the CUDA libraries came, libtorch does not load them.
        let advice = if version.ends_with("+cpu") || option_env!("I2AM_CUDA").is_none() {
            "is used for CPUs only here; run `scripts/setup --cuda` and build again".to_owned()
        } else {
            format!(
                "sees {count} CUDA devices; `nvidia-smi` shows whether there is a GPU and a driver for it"
            )
        };
        bail!("--device {name}: libtorch {version} {advice}");
    }
    Ok(Device::Cuda(index))
}
