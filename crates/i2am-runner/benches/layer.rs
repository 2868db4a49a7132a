//! What recording both directions costs in one large layer: 96 x 96 positions and as many tokens, 8 heads of 40, as in a
//! super-resolution of 768 x 768.
//!
//!     cargo bench -p i2am-runner --bench layer -- [REPETITIONS [HEIGHT WIDTH]]
//!
//! The layer's fused kernel, recording from the sums that it returns, and recording without them alternate; the medians of processor time
//! and wall time are printed, and the largest difference of the two records.

#![expect(
    clippy::print_stdout,
    reason = "a table for a reader is what this program is for"
)]

#[path = "support/clock.rs"]
mod clock;

use i2am_attribution::AttentionRecord;
use i2am_nets::{AttentionProbe as _, Observation, Role, Segment};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_runner::samplers::Call;
use tch::{Device, Kind, Tensor};

use clock::{Clock, Taken};

const HEADS: i64 = 8;
const WIDTH: i64 = 40;

struct Layer {
    grid: (i64, i64),
    query: Tensor,
    key: Tensor,
    value: Tensor,
}

impl Layer {
    fn new(grid: (i64, i64)) -> Self {
        let wave = |frequency: f64| {
            let count = HEADS * grid.0 * grid.1 * WIDTH;
            let phase = Tensor::arange(count, (Kind::Double, Device::Cpu));
            let wave = (phase * frequency).square().sin() * std::f64::consts::SQRT_2;
            wave.to_kind(Kind::Float)
                .reshape([1, HEADS, grid.0 * grid.1, WIDTH])
        };
        Self {
            grid,
            query: wave(0.731),
            key: wave(1.177),
            value: wave(0.337),
        }
    }

    /// The kernel of the layer, and the sums that it returns.
    fn fused(&self) -> (Taken, Tensor) {
        let start = Clock::now();
        let none = None::<&Tensor>;
        let (_, sums) = Tensor::internal_scaled_dot_product_flash_attention_for_cpu(
            &self.query,
            &self.key,
            &self.value,
            0.0,
            false,
            none,
            None,
        );
        (start.elapsed(), sums)
    }

    fn recorded(&self, sums: Option<&Tensor>) -> (Taken, AttentionRecord) {
        let config = CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        };
        let masks = CaptureMasks::default();
        let mut recorder =
            Recorder::new(&config, ConditionalHalf::Whole, |_| true, masks, 1).expect("one group");
        let call = Call {
            step: 0,
            timestep: 1,
            primary: true,
        };
        recorder.begin(call).expect("no rules");
        let start = Clock::now();
        recorder.observe(&Observation {
            layer: "layer",
            query: &self.query,
            key: &self.key,
            scale: (WIDTH as f64).powf(-0.5),
            queries: &[Segment::grid(Role::Generated, 0, self.grid)],
            keys: &[Segment::grid(Role::Reference(0), 0, self.grid)],
            carried: &Tensor::new,
            log_sums: &|| sums.map(Tensor::shallow_clone),
        });
        let taken = start.elapsed();
        (
            taken,
            recorder.finish(self.grid).expect("no layer was named"),
        )
    }
}

fn print(what: &str, taken: &[Taken]) {
    let median = |of: fn(&Taken) -> f64| {
        let mut values: Vec<f64> = taken.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{what:<34}{:>10.2}{:>10.2}",
        median(|taken| taken.processor),
        median(|taken| taken.wall)
    );
}

/// The largest difference, of the largest value.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let largest = b.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let pairs = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    pairs.fold(0.0_f32, f32::max) / largest
}

fn main() {
    let _guard = tch::no_grad_guard();
    let asked: Vec<i64> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let repetitions = asked.first().copied().unwrap_or(3).max(1);
    let grid = match asked[..] {
        [_, height, width, ..] => (height, width),
        _ => (96, 96),
    };
    let layer = Layer::new(grid);
    let [mut fused, mut with, mut without] = [(); 3].map(|()| Vec::new());
    let mut differences = [0.0_f32; 2];
    for _ in 0..repetitions {
        let (taken, sums) = layer.fused();
        fused.push(taken);
        let (taken, found) = layer.recorded(Some(&sums));
        with.push(taken);
        let (taken, expected) = layer.recorded(None);
        without.push(taken);
        let (found, expected) = (&found.layers[0], &expected.layers[0]);
        let g2r = [found, expected].map(|layer| layer.g2r.as_deref().unwrap_or_default());
        differences = [
            difference(&found.r2g, &expected.r2g),
            difference(g2r[0], g2r[1]),
        ];
    }
    let (height, width) = grid;
    println!(
        "{height} x {width}, {HEADS} heads of {WIDTH}, {} threads",
        tch::get_num_threads()
    );
    println!("{:<34}{:>10}{:>10}", "seconds", "processor", "wall");
    print("fused kernel of the layer", &fused);
    print("recorded from its sums", &with);
    print("recorded without them", &without);
    println!(
        "differ by {:.1e} (r2g) and {:.1e} (g2r) of the largest value",
        differences[0], differences[1]
    );
}
