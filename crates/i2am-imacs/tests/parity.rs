//! The published code's scores from the published code's maps.

use std::path::Path;

use i2am_attribution::{Convention, ConventionName, Direction, normalise};
use i2am_imacs::{ImacsConfig, imacs};
use i2am_imaging::Plane;
use i2am_testkit::{FixtureDir, Tensors, fixtures};

const R2G: Direction = Direction::ReferenceToGenerated;
const G2R: Direction = Direction::GeneratedToReference;

/// Absolute: sums in `f32` there, in `f64` here.
const SCORES: f64 = 1e-5;

fn family(name: &str) -> Vec<FixtureDir> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures(&committed, name)
}

/// The inputs of the runs in `dir`: the family `stable-viton` beside it. A missing one was reported by [`fixtures`].
fn inputs_of(dir: &FixtureDir) -> Option<Tensors> {
    let beside = dir.path().join("../stable-viton").canonicalize().ok()?;
    let mut found = family("stable-viton").into_iter();
    found
        .find(|found| found.path().canonicalize().is_ok_and(|path| path == beside))
        .map(|found| found.tensors("inputs"))
}

/// The hole for maps over the generated picture, the garment for maps over the reference.
fn region(inputs: &Tensors, direction: Direction) -> Plane {
    match direction {
        Direction::ReferenceToGenerated => mask(inputs, "agn_mask").map(|keep| 1.0 - keep),
        Direction::GeneratedToReference => mask(inputs, "cloth_mask"),
    }
}

fn mask(tensors: &Tensors, name: &str) -> Plane {
    let levels = tensors.u8(name);
    let values = levels.iter().map(|&level| f32::from(level) / 255.0);
    plane(name, tensors.shape(name), values.collect())
}

fn map(tensors: &Tensors, name: &str) -> Plane {
    plane(name, tensors.shape(name), tensors.f32(name))
}

fn head(tensors: &Tensors, head: usize) -> Plane {
    let shape = &tensors.shape("head")[1..];
    let size: usize = shape.iter().product();
    let values = tensors.f32("head")[head * size..][..size].to_vec();
    plane("head", shape, values)
}

fn plane(name: &str, shape: &[usize], values: Vec<f32>) -> Plane {
    let &[height, width] = shape else {
        panic!("{name}: not a map");
    };
    Plane::new(height, width, values).expect("the shape is the tensor's own")
}

fn attribution(raw: &Plane, direction: Direction, region: &Plane) -> Plane {
    let convention = Convention::preset(ConventionName::ReleasedCode);
    let [height, width] = region.size();
    normalise(raw, &convention, direction, height, width, Some(region))
}

#[track_caller]
fn assert_score(what: &str, attribution: &Plane, region: &Plane, want: &[f32]) {
    let score = imacs(attribution, region, &ImacsConfig::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let want = f64::from(want[0]);
    assert!(
        (score.value - want).abs() <= SCORES,
        "{what}: {score:?}, expected {want}"
    );
}

#[test]
fn parity_scores_of_floored_maps() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        for (direction, name) in [(R2G, "r2g.IMACS_g"), (G2R, "g2r.IMACS_r")] {
            let absence = map(&chain, &format!("{direction}.floored"));
            let attribution = absence.map(|value| 1.0 - value);
            let region = region(&inputs, direction);
            assert_score(name, &attribution, &region, &chain.f32(name));
        }
    }
}

#[test]
fn parity_scores_of_raw_maps() {
    for dir in family("i2am") {
        let Some(inputs) = inputs_of(&dir) else {
            continue;
        };
        let chain = dir.tensors("chain");
        for (direction, score) in [(R2G, "IMACS_g"), (G2R, "IMACS_r")] {
            let maps = dir.tensors(&direction.to_string());
            let region = region(&inputs, direction);
            for (raw, name) in [
                (map(&maps, "unified"), format!("{direction}.{score}")),
                (head(&maps, 2), format!("{direction}_head2.{score}")),
            ] {
                let attribution = attribution(&raw, direction, &region);
                assert_score(&name, &attribution, &region, &chain.f32(&name));
            }
        }
    }
}

#[test]
fn parity_scores_at_512x384() {
    for dir in family("i2am") {
        if !dir.has("geometry_512x384") {
            eprintln!("SKIPPED geometry_512x384: not in {}", dir.name());
            continue;
        }
        let tensors = dir.tensors("geometry_512x384");
        for (direction, score) in [(R2G, "IMACS_g"), (G2R, "IMACS_r")] {
            // Every pixel of the stored masks stands for 8x8 equal ones.
            let small = region(&tensors, direction);
            let [rows, columns] = small.size();
            let region = Plane::from_fn(8 * rows, 8 * columns, |row, column| {
                small.get(row / 8, column / 8)
            });
            let raw = map(&tensors, &format!("{direction}.unified"));
            let attribution = attribution(&raw, direction, &region);
            let name = format!("chain.{direction}.{score}");
            assert_score(&name, &attribution, &region, &tensors.f32(&name));
        }
    }
}
