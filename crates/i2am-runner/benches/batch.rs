//! What a batch of samples takes at the published size: time and peak memory of a guided step of 1, 2 and 4 samples.
//!
//!     cargo bench -p i2am-runner --bench batch -- [SAMPLES...]
//!
//! A UNet of Stable Diffusion v1's size with nine input channels and made-up weights (no download) predicts noise for 512 x 512 images
//! under guidance. Every size is a process of its own, whose peak memory is printed as the system counts it; the last line says what a
//! sample more takes.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

use std::process::{Command, ExitCode};
use std::time::Instant;

use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{Context, FormulaSource, NoProbe, Precision, Scope};
use tch::{Device, Kind, Tensor};

/// Argument of the processes that compute.
const OF: &str = "--of";
/// Height and width of the latent of a 512 x 512 image.
const LATENT: i64 = 64;

fn wave(size: &[i64]) -> Tensor {
    let count: i64 = size.iter().product();
    let flat = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37).sin();
    flat.reshape(size)
}

/// Peak memory of this process, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<f64>().ok())
        .map_or(f64::NAN, |kib| kib / 1024.0)
}

/// A guided step of `samples`: seconds, and MiB.
fn step(samples: i64) {
    let _guard = tch::no_grad_guard();
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let config = UNetConfig::stable_diffusion_v1(9);
    let unet = UNet::new(&Scope::root(&source, "unet"), config);
    let rows = 2 * samples;
    let input = wave(&[rows, 9, LATENT, LATENT]);
    let context = Context::pooled(wave(&[rows, 1, 768]));
    let before = peak();
    let start = Instant::now();
    let timesteps = unet.timesteps(501, rows, Device::Cpu);
    let eps = unet.forward(&input, &timesteps, &context, &mut NoProbe);
    assert_eq!(eps.size(), [rows, 4, LATENT, LATENT]);
    println!("{} {before} {}", start.elapsed().as_secs_f64(), peak());
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [of, samples, ..] = &args[..]
        && of == OF
    {
        step(samples.parse().expect("a number of samples"));
        return ExitCode::SUCCESS;
    }
    let given: Vec<i64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if given.is_empty() {
        vec![1, 2, 4]
    } else {
        given
    };
    let own = std::env::current_exe().expect("this program has a path");
    println!("samples  seconds a sample  peak MiB");
    let mut peaks = Vec::new();
    for samples in sizes {
        let output = Command::new(&own).args([OF, &samples.to_string()]).output();
        let output = output.expect("this program can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        let found: Vec<f64> = text
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        let [seconds, _, peak] = found[..] else {
            println!(
                "{samples}: failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            return ExitCode::FAILURE;
        };
        println!("{samples:7}  {:16.2}  {peak:8.0}", seconds / samples as f64);
        peaks.push((samples, peak));
    }
    if let (Some((first, least)), Some((last, most))) = (peaks.first(), peaks.last())
        && last > first
    {
        let more = (most - least) / (last - first) as f64;
        println!("a sample more takes {more:.0} MiB");
    }
    ExitCode::SUCCESS
}
