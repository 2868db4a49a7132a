//! What recording attention near the matching place costs on top of recording maps, in a layer of 96 x 96 positions looking at as
//! many: the largest of a super-resolution of 768 x 768.
//!
//!     cargo bench -p i2am-runner --bench locality -- [REPETITIONS]
//!
//! Without and with alternate; the median of the ratios of processor time is printed, which
//! others at work on the machine disturb least. The first step of a sample also lists which pairs are near.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

#[path = "support/clock.rs"]
mod clock;

use i2am_attribution::LocalityConfig;
use i2am_nets::{AttentionProbe as _, Observation, Role, Segment};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::samplers::Call;
use tch::{Device, Kind, Tensor};

use clock::{Clock, Taken};

const SIDE: i64 = 96;
const HEADS: i64 = 8;
const WIDTH: i64 = 40;
const REPETITIONS: usize = 3;

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let repetitions: usize = asked.unwrap_or(REPETITIONS).max(1);
    let wave = |frequency: f64| {
        let phase = Tensor::arange(HEADS * SIDE * SIDE * WIDTH, (Kind::Double, Device::Cpu));
        let wave = (phase * frequency).square().sin() * std::f64::consts::SQRT_2;
        wave.to_kind(Kind::Float)
            .reshape([1, HEADS, SIDE * SIDE, WIDTH])
    };
    let (query, key) = (wave(0.731), wave(1.177));
    println!(
        "two steps of one layer, {SIDE} x {SIDE} positions and tokens, {HEADS} heads, radii 0, 1, 2"
    );
    // For caches and allocators.
    let _ = steps(&query, &key, None);
    let mut ratios = Vec::new();
    for _ in 0..repetitions {
        let [off, on] =
            [None, Some(LocalityConfig::default())].map(|locality| steps(&query, &key, locality));
        println!(
            "processor seconds without {:.2} and {:.2}, with {:.2} and {:.2}; wall {:.2} and {:.2}, {:.2} and {:.2}",
            off[0].processor,
            off[1].processor,
            on[0].processor,
            on[1].processor,
            off[0].wall,
            off[1].wall,
            on[0].wall,
            on[1].wall
        );
        ratios.push(on[1].processor / off[1].processor);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "with / without, processor time of the second step: {:.3} ({:.3} to {:.3})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

/// Time of the first step of a sample, which also lists the pairs, and of the second.
fn steps(query: &Tensor, key: &Tensor, locality: Option<LocalityConfig>) -> [Taken; 2] {
    let config = CaptureConfig {
        time_groups: 1,
        locality,
        ..CaptureConfig::default()
    };
    let half = ConditionalHalf::Whole;
    let masks = CaptureMasks::default();
    let mut recorder =
        Recorder::new(&config, half, |_| true, masks, 2).expect("one group of two steps");
    [0, 1].map(|step| {
        let call = Call {
            step,
            timestep: 1,
            primary: true,
        };
        recorder.begin(call).expect("no rules");
        let start = Clock::now();
        recorder.observe(&Observation {
            layer: "layer",
            query,
            key,
            scale: (WIDTH as f64).powf(-0.5),
            queries: &[Segment::grid(Role::Generated, 0, (SIDE, SIDE))],
            keys: &[Segment::grid(Role::Reference(0), 0, (SIDE, SIDE))],
            carried: &Tensor::new,
            log_sums: &|| None,
        });
        start.elapsed()
    })
}
