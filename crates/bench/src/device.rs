//! Where and on how many threads everything runs.

use anyhow::Result;
#[cfg(feature = "torch")]
use anyhow::bail;
#[cfg(feature = "torch")]
use tch::{Cuda, Device};

use crate::exit::usage;

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

/// The device called `name`.
///
/// # Errors
/// A name that is none, a device that there is not.
#[cfg(feature = "torch")]
pub(crate) fn device(name: &str) -> Result<Device> {
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        Some(("cuda", index)) => index.parse::<usize>().ok(),
        None if name == "cuda" => Some(0),
        _ => None,
    };
    let Some(index) = index else {
        return Err(usage(format!("--device {name}: expected cpu or cuda:N")));
    };
    let count = Cuda::device_count();
    if index as i64 >= count {
        bail!(
            "--device {name}: this libtorch sees {count} CUDA devices; `scripts/setup --cuda` installs the CUDA libraries"
        );
    }
    Ok(Device::Cuda(index))
}
