//! Sampling on a device at the published size: time of a guided step and peak memory, with recording off and on, for several batches in
//! each number format. `scripts/gpu-check` runs it.
//!
//!     cargo bench -p i2am-runner --bench device -- DEVICE [LATENT [SAMPLES...]]
//!
//! DEVICE is `cuda:N` or `cpu`; LATENT is the side of the latent, 64 for 512 x 512 images; SAMPLES are batch sizes, 1, 4 and 16. A UNet of
//! Stable Diffusion v1's size with nine input channels and made-up weights (no download) predicts noise under guidance. Every line is a
//! process of its own. Off and on alternate; the medians are printed. Memory of a GPU is what its driver says is used at the end, less what
//! was used before, since libtorch keeps what it had at the peak; that of the CPU is the peak of the process.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

use std::process::{Command, ExitCode};
use std::time::Instant;

use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{AttentionProbe, Context, FormulaSource, NoProbe, Observation, Precision, Scope};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::samplers::Call;
use tch::{Cuda, Device, Kind, Tensor};

/// Argument of the processes that compute.
const OF: &str = "--of";
const LATENT: i64 = 64;
const SAMPLES: [i64; 3] = [1, 4, 16];
/// Pairs of steps of which the median is taken, after one that is not counted.
const PAIRS: usize = 5;
const FORMATS: [(&str, Precision); 3] = [
    ("f32", Precision::F32),
    ("f16", Precision::F16),
    ("bf16", Precision::Bf16),
];

/// One recorder for each sample.
struct All(Vec<Recorder>);

impl AttentionProbe for All {
    fn observe(&mut self, seen: &Observation<'_>) {
        for recorder in &mut self.0 {
            recorder.observe(seen);
        }
    }
}

impl All {
    fn new(samples: i64, latent: i64) -> Self {
        let size = [1, 1, 8 * latent, 8 * latent];
        let config = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let call = Call {
            step: 0,
            timestep: 501,
            primary: true,
        };
        let recorder = |sample: i64| {
            let masks = CaptureMasks {
                inpainting: Some(Tensor::ones(size, (Kind::Float, Device::Cpu))),
                reference: None,
            };
            let wants = |layer: &str| !layer.starts_with("mid_block.");
            let recorder = Recorder::new(&config, ConditionalHalf::Second, wants, masks, 1);
            let mut recorder = recorder
                .expect("one group of one step")
                .of_sample(sample as usize);
            recorder.begin(call).expect("nothing is changed");
            recorder
        };
        Self((0..samples).map(recorder).collect())
    }

    /// Moves the records to the CPU, as at the end of a sample.
    fn finish(self, latent: i64) {
        for recorder in self.0 {
            let record = recorder
                .finish((latent, latent))
                .expect("no layer was named");
            assert_eq!(record.layers.len(), 15);
        }
    }
}

fn device(name: &str) -> Option<Device> {
    match name.split_once(':') {
        None if name == "cpu" => Some(Device::Cpu),
        Some(("cuda", index)) => {
            let index: usize = index.parse().ok()?;
            ((index as i64) < Cuda::device_count()).then_some(Device::Cuda(index))
        }
        _ => None,
    }
}

/// MiB in use: of the GPU, or the peak of this process.
fn used(device: Device) -> f64 {
    let Device::Cuda(index) = device else {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        return kib.map_or(f64::NAN, |kib| kib / 1024.0);
    };
    let query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi")
        .args(query)
        .args(["--id", &index.to_string()])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(f64::NAN)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints seconds of a step with recording off and on, and MiB.
fn measure(device: Device, precision: Precision, latent: i64, samples: i64) {
    let _guard = tch::no_grad_guard();
    let before = match device {
        Device::Cpu => 0.0,
        _ => used(device),
    };
    let source = FormulaSource::new(precision, device);
    let config = UNetConfig::stable_diffusion_v1(9);
    let unet = UNet::new(&Scope::root(&source, "unet"), config);
    let rows = 2 * samples;
    let wave = |size: &[i64]| {
        let count: i64 = size.iter().product();
        let flat = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37).sin();
        flat.reshape(size)
            .to_device(device)
            .to_kind(precision.kind())
    };
    let input = wave(&[rows, 9, latent, latent]);
    let context = Context::pooled(wave(&[rows, 1, 768]));
    let timesteps = unet.timesteps(501, rows, device);
    let step = |probe: &mut dyn AttentionProbe| {
        let eps = unet.forward(&input, &timesteps, &context, probe);
        // Waits for the device.
        let sum = eps.sum(Kind::Float).double_value(&[]);
        assert!(sum.is_finite(), "the predicted noise is not finite");
    };
    let pair = || {
        let start = Instant::now();
        step(&mut NoProbe);
        let off = start.elapsed();
        let start = Instant::now();
        let mut all = All::new(samples, latent);
        step(&mut all);
        all.finish(latent);
        [off, start.elapsed()].map(|time| time.as_secs_f64())
    };
    let _ = pair();
    let (off, on) = (0..PAIRS)
        .map(|_| pair())
        .map(|[off, on]| (off, on))
        .unzip();
    println!("{} {} {}", median(off), median(on), used(device) - before);
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [of, name, format, latent, samples] = &args[..]
        && of == OF
    {
        let device = device(name).expect("the first process looked");
        let number = |text: &str| text.parse().expect("a number");
        let known = FORMATS.iter().find(|(known, _)| known == format);
        let (_, precision) = known.expect("the first process names it so");
        measure(device, *precision, number(latent), number(samples));
        return ExitCode::SUCCESS;
    }
    let name = match args.first() {
        // `cargo test --benches` only asks whether the program starts.
        None => return ExitCode::SUCCESS,
        Some(argument) if argument == "--test" => return ExitCode::SUCCESS,
        Some(name) => name,
    };
    if device(name).is_none() {
        println!(
            "{name}: no such device; this libtorch sees {} GPUs",
            Cuda::device_count()
        );
        return ExitCode::FAILURE;
    }
    let latent = args.get(1).cloned().unwrap_or_else(|| LATENT.to_string());
    let given: Vec<i64> = args
        .iter()
        .skip(2)
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let samples = if given.is_empty() {
        SAMPLES.to_vec()
    } else {
        given
    };
    let own = std::env::current_exe().expect("this program has a path");
    println!("guided step, SD v1 UNet, 9 channels, {latent} x {latent} latent, on {name}");
    println!("format  batch  off s/step  on s/step  on/off  samples/min of 50 steps  MiB");
    let mut failed = false;
    for (format, _) in FORMATS {
        for &samples in &samples {
            let output = Command::new(&own)
                .args([OF, name, format, &latent, &samples.to_string()])
                .output();
            let output = output.expect("this program can be started");
            let text = String::from_utf8_lossy(&output.stdout);
            let found: Vec<f64> = text
                .split_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect();
            let [off, on, memory] = found[..] else {
                let errors = String::from_utf8_lossy(&output.stderr);
                let reason = errors.lines().find(|line| line.contains("memory"));
                let reason = reason.or_else(|| errors.lines().next()).unwrap_or_default();
                println!("{format:>6}  {samples:>5}  failed: {}", reason.trim());
                failed = true;
                continue;
            };
            let pace = 60.0 * samples as f64 / (50.0 * on);
            println!(
                "{format:>6}  {samples:>5}  {off:>10.4}  {on:>9.4}  {:>6.3}  {pace:>23.2}  {memory:>4.0}",
                on / off
            );
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
