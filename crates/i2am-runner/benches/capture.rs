//! What recording attention costs at the published size: time and peak memory of a guided step with the probe off and on.
//!
//!     cargo bench -p i2am-runner --bench capture -- [REPETITIONS]
//!
//! A UNet of Stable Diffusion v1's size with nine input channels and made-up weights (no download) predicts noise for a
//! 512 x 512 picture under guidance. Off and on alternate, so that a machine that gets slower or faster meets both alike; the
//! ratio is that of each pair, and their median is printed. Memory is the peak of a process of its own for either way.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use i2am_attribution::AttentionRecord;
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{Context, FormulaSource, NoProbe, Precision, Scope};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::samplers::Call;
use tch::{Device, Kind, Tensor};

/// Height and width of the latent of a 512 x 512 picture.
const LATENT: i64 = 64;
const REPETITIONS: usize = 5;
/// Argument of the processes whose memory is measured.
const MEMORY_OF: &str = "--memory-of";
const STEPS_FOR_MEMORY: usize = 2;

/// The network and what a guided step feeds it.
struct Bench {
    unet: UNet,
    input: Tensor,
    context: Context,
}

impl Bench {
    fn new() -> Self {
        let source = FormulaSource::new(Precision::F32, Device::Cpu);
        let unet = UNet::new(
            &Scope::root(&source, "unet"),
            UNetConfig::stable_diffusion_v1(9),
        );
        let wave = |size: &[i64]| {
            let count: i64 = size.iter().product();
            (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37)
                .sin()
                .reshape(size)
        };
        Self {
            unet,
            input: wave(&[2, 9, LATENT, LATENT]),
            context: Context::pooled(wave(&[2, 1, 768])),
        }
    }

    fn off(&self) -> Duration {
        let start = Instant::now();
        let t = self.unet.timesteps(501, 2, Device::Cpu);
        let eps = self
            .unet
            .forward(&self.input, &t, &self.context, &mut NoProbe);
        let taken = start.elapsed();
        assert_finite("the predicted noise", &eps);
        taken
    }

    /// The step with everything that recording it takes: masks, sums, and the move to the record at the end of the sample.
    fn on(&self) -> (Duration, AttentionRecord) {
        let start = Instant::now();
        let mask = Tensor::ones([1, 1, 8 * LATENT, 8 * LATENT], (Kind::Float, Device::Cpu));
        let masks = CaptureMasks {
            inpainting: Some(mask),
            reference: None,
        };
        let config = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let mut recorder = Recorder::new(&config, ConditionalHalf::Second, wants, masks, 1)
            .expect("one group of one step");
        recorder.begin(Call {
            step: 0,
            timestep: 501,
            primary: true,
        });
        let t = self.unet.timesteps(501, 2, Device::Cpu);
        let eps = self
            .unet
            .forward(&self.input, &t, &self.context, &mut recorder);
        let record = recorder
            .finish((LATENT, LATENT))
            .expect("no layer was asked for by name");
        let taken = start.elapsed();
        assert_finite("the predicted noise", &eps);
        (taken, record)
    }
}

fn wants(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

fn assert_finite(what: &str, x: &Tensor) {
    assert!(
        x.isfinite().all().int64_value(&[]) == 1,
        "{what} is not finite"
    );
}

/// What must hold of every record at this size.
fn check(record: &AttentionRecord) {
    record.validate().expect("shapes of the record");
    assert_eq!(record.layers.len(), 15);
    for layer in &record.layers {
        assert!(
            layer.r2g.iter().all(|value| value.is_finite()),
            "{}: a map is not finite",
            layer.name
        );
        let cells = layer.height * layer.width;
        for head in layer.r2g.chunks(cells).take(layer.heads) {
            let sum: f64 = head.iter().map(|&value| f64::from(value)).sum();
            assert!(
                (sum - 1.0).abs() < 1e-3,
                "{}: a token's shares sum to {sum}",
                layer.name
            );
        }
    }
}

/// A line of `/proc/self/status`, in MiB.
fn status_mib(key: &str) -> f64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    read().map_or(f64::NAN, |kib| kib / 1024.0)
}

/// Makes the kernel count the peak from now on. Without it the peak of filling the network might hide that of the steps.
fn restart_peak() -> std::io::Result<()> {
    std::fs::File::options()
        .write(true)
        .open("/proc/self/clear_refs")?
        .write_all(b"5")
}

/// Runs one way only and prints what the loaded network takes and the peak of the steps.
fn memory_of(way: &str) {
    let bench = Bench::new();
    restart_peak().expect("Linux 4.0 or later");
    let loaded = status_mib("VmRSS");
    for _ in 0..STEPS_FOR_MEMORY {
        match way {
            "on" => check(&bench.on().1),
            _ => drop(bench.off()),
        }
    }
    println!("{loaded} {}", status_mib("VmHWM"));
}

/// What [`memory_of`] prints in a process of its own.
fn measured(way: &str) -> Option<(f64, f64)> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program).args([MEMORY_OF, way]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (loaded, peak) = text.trim().split_once(' ')?;
    Some((loaded.parse().ok()?, peak.parse().ok()?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

fn time(repetitions: usize) {
    let bench = Bench::new();
    bench.off();
    check(&bench.on().1);
    println!(
        "{:>4} {:>9} {:>9} {:>7}",
        "pair", "off, s", "on, s", "on/off"
    );
    let (mut offs, mut ons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..repetitions {
        // Whoever comes second may find warmer caches: the order alternates too.
        let (off, on) = if pair % 2 == 0 {
            let off = bench.off();
            (off, bench.on().0)
        } else {
            let on = bench.on().0;
            (bench.off(), on)
        };
        let (off, on) = (off.as_secs_f64(), on.as_secs_f64());
        println!("{:>4} {off:>9.3} {on:>9.3} {:>7.4}", pair + 1, on / off);
        offs.push(off);
        ons.push(on);
        ratios.push(on / off);
    }
    println!(
        "{:>4} {:>9.3} {:>9.3} {:>7.4}",
        "med",
        median(offs),
        median(ons),
        median(ratios)
    );
}

fn main() -> ExitCode {
    let _guard = tch::no_grad_guard();
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [MEMORY_OF, way] => {
            memory_of(way);
            return ExitCode::SUCCESS;
        }
        // `cargo test --benches` only asks whether the program starts.
        ["--test", ..] => return ExitCode::SUCCESS,
        _ => {}
    }
    let repetitions = arguments
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(REPETITIONS);
    println!(
        "guided step, SD v1 UNet, 9 channels, 64 x 64 latent, f32, {} threads",
        tch::get_num_threads()
    );
    let (Some(off), Some(on)) = (measured("off"), measured("on")) else {
        println!("peak memory: not measured, /proc/self/status is needed");
        return ExitCode::FAILURE;
    };
    println!("memory, MiB: network alone, peak of {STEPS_FOR_MEMORY} steps, what the steps added");
    for (way, (loaded, peak)) in [("off", off), ("on", on)] {
        println!("{way:>4} {loaded:>9.1} {peak:>9.1} {:>9.1}", peak - loaded);
    }
    let added = (on.1 - on.0) / (off.1 - off.0);
    println!(
        "on/off: peak {:.4}, what the steps added {added:.4}",
        on.1 / off.1
    );
    time(repetitions);
    ExitCode::SUCCESS
}
