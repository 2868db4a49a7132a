//! Seeded noise depends on its name and nothing else.

use std::collections::BTreeMap;

use i2am_runner::noise::NoiseSource;
use i2am_testkit::assert_close;
use tch::{Kind, Tensor};

use crate::common::values;

fn seeded(seed: u64, dataset: &str, sample: &str) -> NoiseSource {
    NoiseSource::Seeded {
        seed,
        dataset: dataset.to_owned(),
        sample: sample.to_owned(),
    }
}

fn draw(source: &NoiseSource, purpose: &str, shape: &[i64]) -> Vec<f32> {
    values(&source.draw(purpose, shape).unwrap())
}

#[test]
fn the_same_name_gives_the_same_noise_in_any_order() {
    let first = seeded(7, "synth", "00003");
    let start = draw(&first, "start", &[1, 4, 3, 2]);
    let step = draw(&first, "step.0", &[1, 4, 3, 2]);
    let second = seeded(7, "synth", "00003");
    assert_eq!(draw(&second, "step.0", &[1, 4, 3, 2]), step);
    assert_eq!(draw(&second, "start", &[1, 4, 3, 2]), start);
    assert_eq!(
        draw(&second, "start", &[24]),
        start,
        "the shape only folds the stream"
    );
}

#[test]
fn every_part_of_the_name_matters() {
    let noise =
        |seed, dataset, sample, purpose| draw(&seeded(seed, dataset, sample), purpose, &[4]);
    let all = [
        noise(7, "synth", "00003", "start"),
        noise(8, "synth", "00003", "start"),
        noise(7, "synth2", "00003", "start"),
        noise(7, "synth", "00004", "start"),
        noise(7, "synth", "00003", "step.0"),
        // Parts are told apart by their lengths, not by where one might end.
        noise(7, "synth0", "0003", "start"),
    ];
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn first_values_are_pinned() {
    let got = draw(&seeded(7, "synth", "00003"), "start", &[4]);
    assert_eq!(
        got, PINNED,
        "a change here changes every picture of every run"
    );
}

/// The generator's first values for this name, as of `rand_chacha` 0.10 and `rand_distr` 0.6.
const PINNED: [f32; 4] = [1.021_472, -0.918_979_17, -1.681_549_7, 0.292_529_3];

#[test]
fn it_is_standard_normal() {
    let noise = seeded(1, "d", "s").draw("start", &[20_000]).unwrap();
    let mean = noise.mean(Kind::Double).double_value(&[]);
    let deviation = noise.std(true).double_value(&[]);
    // Five standard errors.
    assert!(mean.abs() < 5.0 / 20_000_f64.sqrt(), "mean {mean}");
    assert!(
        (deviation - 1.0).abs() < 5.0 / 40_000_f64.sqrt(),
        "deviation {deviation}"
    );
}

#[test]
fn injected_noise_is_given_back_or_refused() {
    let given = Tensor::from_slice(&[1.0_f32, 2.0]).reshape([1, 2]);
    let source = NoiseSource::Injected(BTreeMap::from([("start".to_owned(), given)]));
    assert_close("given", &draw(&source, "start", &[1, 2]), &[1.0, 2.0], 0.0);
    let shape = source.draw("start", &[2, 1]).unwrap_err().to_string();
    assert_eq!(
        shape,
        "noise for `start`: expected shape [2, 1], found [1, 2]"
    );
    let absent = source.draw("step.3", &[1, 2]).unwrap_err().to_string();
    assert_eq!(
        absent,
        "noise for `step.3`: expected shape [1, 2], found none"
    );
}
