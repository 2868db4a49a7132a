//! Squared Wasserstein distances along random directions.

use tch::{Kind, Tensor};

use super::{MIND, Mind};
use crate::error::MetricError;
use crate::features::Features;
use crate::metric::Prepared;
use crate::of_features::{Found, of_inception};
use crate::session::Session;
use crate::torch_random::Generator;

/// The distance is so many times the number of channels as large as the mean over directions: then it does not shrink with them.
const PER_CHANNEL: f64 = 3.0;

/// Directions whose products with all features are in memory at a time.
const DIRECTIONS: i64 = 128;

pub(super) fn open(settings: Mind, session: &Session) -> Result<Prepared, MetricError> {
    let score = move |generated: &Features, real: &Features| score(settings, generated, real);
    of_inception(&MIND, 2, settings.mode, session, score)
}

fn score(settings: Mind, generated: &Features, real: &Features) -> Found {
    let least = generated.count().min(real.count());
    let mut random = Generator::new(settings.seed);
    let mut notes = Vec::new();
    let mut drawn = |side: &Features, name: &str| {
        if side.count() == least {
            return side.rows();
        }
        notes.push(format!(
            "{least} of the {} {name} pictures were drawn: both sides must have as many",
            side.count()
        ));
        let chosen = random.permutation(side.count());
        let chosen: Vec<i64> = chosen[..least].iter().map(|&row| row as i64).collect();
        side.rows().index_select(0, &Tensor::from_slice(&chosen))
    };
    let (x, y) = (drawn(generated, "generated"), drawn(real, "real"));
    let width = generated.width;
    let directions = random.normal(settings.projections * width);
    let directions =
        Tensor::from_slice(&directions).reshape([settings.projections as i64, width as i64]);
    Found {
        value: distance(&x, &y, &directions),
        std: None,
        notes,
    }
}

/// Of as many rows `x` and `y`; `directions` `[m, width]` of any length above 0.
fn distance(x: &Tensor, y: &Tensor, directions: &Tensor) -> f64 {
    let along = |rows: &Tensor, part: &Tensor| {
        let length = part.norm_scalaropt_dim(2, [1_i64].as_slice(), true);
        rows.matmul(&(part / length).tr()).sort(0, false).0
    };
    let of_part = |part: Tensor| {
        let apart = along(x, &part) - along(y, &part);
        apart.square().sum(Kind::Double).double_value(&[])
    };
    let sum: f64 = directions
        .split(DIRECTIONS, 0)
        .into_iter()
        .map(of_part)
        .sum();
    let compared = (x.size()[0] * directions.size()[0]) as f64;
    PER_CHANNEL * x.size()[1] as f64 * sum / compared
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Along every direction a shift by `s` moves all numbers by its part there, so the mean over directions is about `|s|² / width`.
    #[test]
    fn a_shift_costs_three_times_its_squared_length() {
        let places = Tensor::arange(40 * 16, (Kind::Double, tch::Device::Cpu));
        let x = (places.square() * 0.37).sin().reshape([40, 16]);
        let shift = Tensor::from_slice(&[0.5_f64; 16]);
        let directions = Generator::new(7).normal(20_000 * 16);
        let directions = Tensor::from_slice(&directions).reshape([20_000, 16]);
        let found = distance(&x, &(&x + shift), &directions);
        let expected = PER_CHANNEL * 16.0 * 0.25;
        assert!((found / expected - 1.0).abs() < 0.03, "{found}, {expected}");
        assert_eq!(distance(&x, &x, &directions).to_bits(), 0.0_f64.to_bits());
    }
}
