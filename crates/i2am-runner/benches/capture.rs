//! What recording attention costs at the published size: time and peak memory of a guided step with the probe off and on.
//!
//!     cargo bench -p i2am-runner --bench capture -- [REPETITIONS]
//!
//! A UNet of Stable Diffusion v1's size with nine input channels and made-up weights (no download) predicts noise for a
//! 512 x 512 picture under guidance. Off and on alternate, so that a machine that gets slower or faster meets both alike; the
//! ratio is that of each pair, and their median is printed. Processor time beside wall time tells whether others were at work,
//! and the time inside the probe is what recording takes by itself. Memory is the peak of a process of its own for either way.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use i2am_attribution::AttentionRecord;
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{AttentionProbe, Context, FormulaSource, NoProbe, Observation, Precision, Scope};
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

    fn off(&self) -> Taken {
        let start = Clock::now();
        let eps = self.step(&mut NoProbe);
        let taken = start.elapsed();
        assert_finite("the predicted noise", &eps);
        taken
    }

    /// The step with everything that recording it takes: masks, sums, and the move to the record at the end of the sample.
    fn on(&self) -> Recorded {
        let start = Clock::now();
        let size = [1, 1, 8 * LATENT, 8 * LATENT];
        let masks = CaptureMasks {
            inpainting: Some(Tensor::ones(size, (Kind::Float, Device::Cpu))),
            reference: None,
        };
        let config = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let mut recorder = Recorder::new(&config, ConditionalHalf::Second, wants, masks, 1)
            .expect("one group of one step");
        let call = Call {
            step: 0,
            timestep: 501,
            primary: true,
        };
        recorder.begin(call).expect("nothing is changed");
        let mut probe = Timed {
            recorder,
            spent: Duration::ZERO,
        };
        let eps = self.step(&mut probe);
        let record = probe
            .recorder
            .finish((LATENT, LATENT))
            .expect("no layer was asked for by name");
        let taken = start.elapsed();
        assert_finite("the predicted noise", &eps);
        Recorded {
            taken,
            in_probe: probe.spent.as_secs_f64(),
            record,
        }
    }

    fn step(&self, probe: &mut dyn AttentionProbe) -> Tensor {
        let t = self.unet.timesteps(501, 2, Device::Cpu);
        self.unet.forward(&self.input, &t, &self.context, probe)
    }
}

struct Recorded {
    taken: Taken,
    /// Seconds of wall time inside the probe.
    in_probe: f64,
    record: AttentionRecord,
}

/// A recorder with a stopwatch.
struct Timed {
    recorder: Recorder,
    spent: Duration,
}

impl AttentionProbe for Timed {
    fn observe(&mut self, seen: &Observation<'_>) {
        let start = Instant::now();
        self.recorder.observe(seen);
        self.spent += start.elapsed();
    }
}

/// Seconds of wall time and of processor time over all threads.
#[derive(Clone, Copy)]
struct Taken {
    wall: f64,
    processor: f64,
}

struct Clock {
    wall: Instant,
    processor: f64,
}

impl Clock {
    fn now() -> Self {
        Self {
            wall: Instant::now(),
            processor: processor_seconds(),
        }
    }

    fn elapsed(&self) -> Taken {
        Taken {
            wall: self.wall.elapsed().as_secs_f64(),
            processor: processor_seconds() - self.processor,
        }
    }
}

/// Processor time of this process so far, as the kernel counts it: in hundredths of a second.
fn processor_seconds() -> f64 {
    let read = || {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name stands in brackets and may hold blanks; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(11);
        let (user, system): (f64, f64) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / 100.0)
    };
    read().unwrap_or(f64::NAN)
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
            "on" => check(&bench.on().record),
            _ => {
                bench.off();
            }
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
    check(&bench.on().record);
    println!("seconds: wall and processor time");
    println!("pair  off wall   on wall  on/off   off proc   on proc  on/off  in the probe");
    let mut rows: Vec<[f64; 7]> = Vec::new();
    for pair in 0..repetitions {
        // Whoever comes second may find warmer caches: the order alternates too.
        let (off, on) = if pair % 2 == 0 {
            let off = bench.off();
            (off, bench.on())
        } else {
            let on = bench.on();
            (bench.off(), on)
        };
        let (a, b) = (off, on.taken);
        let row = [
            a.wall,
            b.wall,
            b.wall / a.wall,
            a.processor,
            b.processor,
            b.processor / a.processor,
            on.in_probe,
        ];
        print_row(&(pair + 1).to_string(), &row);
        rows.push(row);
    }
    let medians =
        std::array::from_fn(|column| median(rows.iter().map(|row| row[column]).collect()));
    print_row("med", &medians);
}

fn print_row(name: &str, [off, on, ratio, off_cpu, on_cpu, cpu_ratio, in_probe]: &[f64; 7]) {
    println!(
        "{name:>4} {off:>9.3} {on:>9.3} {ratio:>7.4}  {off_cpu:>9.2} {on_cpu:>9.2} {cpu_ratio:>7.4}  {in_probe:>12.4}"
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
