//! The score of maps of single positions by known places: against NumPy (fixture `correspondence`, made by
//! `scripts/golden/correspondence.py`), and on layers whose answer is known.

use std::path::Path;

use half::f16;
use i2am_attribution::{AttentionRecord, Convention, Grid, LayerRecord, Level, Source};
use i2am_imacs::detection::BoxSeed;
use i2am_imacs::scores::{Configured, SCORES, ScoreInput};
use i2am_imacs::{ImacsConfig, Masks};
use i2am_imaging::Correspondence;
use i2am_quantity::{Direction, Measurement};
use i2am_testkit::fixtures;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TOLERANCE: f64 = 1e-6;

fn configured(text: &str) -> Result<Box<dyn Configured>, toml::de::Error> {
    let score = SCORES
        .iter()
        .find(|score| score.info().name == "correspondence")
        .expect("it is registered");
    let table = DeTable::parse(text).expect("a table");
    let span = table.span();
    score.configure(Spanned::new(span, DeValue::Table(table.into_inner())))
}

fn grid([height, width]: [usize; 2]) -> Grid {
    Grid { height, width }
}

/// A layer that keeps `map(position, token)`.
fn layer(
    name: &str,
    generated: [usize; 2],
    reference: [usize; 2],
    map: impl Fn(usize, usize) -> f32,
) -> LayerRecord {
    let [height, width] = reference;
    let tokens = height * width;
    let maps = (0..generated[0] * generated[1] * tokens)
        .map(|index| f16::from_f32(map(index / tokens, index % tokens)));
    LayerRecord {
        specific: Some(maps.collect()),
        ..LayerRecord::new(name, Source::Spatial { height, width }, 1, grid(generated))
    }
}

fn rows(
    layers: Vec<LayerRecord>,
    correspondence: Option<&Correspondence>,
    settings: &str,
) -> Vec<Measurement> {
    let record = AttentionRecord {
        layers,
        steps: vec![1],
        latent_height: 8,
        latent_width: 6,
    };
    let masks = Masks {
        generated: None,
        reference: None,
    };
    let input = ScoreInput {
        record: &record,
        convention: &Convention::default(),
        imacs: &ImacsConfig::default(),
        masks: &masks,
        size: [64, 48],
        object: None,
        correspondence,
        seed: BoxSeed {
            seed: 0,
            dataset: "",
            sample: "",
        },
    };
    configured(settings).expect("settings").score(&input).rows
}

/// The value of `metric` under `convention` at `level`.
fn value(rows: &[Measurement], metric: &str, convention: &str, level: &Level) -> Option<f64> {
    let is = |row: &&Measurement| {
        row.metric == metric
            && row.convention == convention
            && row.level.as_ref() == Some(level)
            && row.direction == Some(Direction::GeneratedToReference)
    };
    rows.iter().find(is).expect("a row").outcome.value()
}

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("a value");
    assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
}

fn numbers<const N: usize>(value: &Value) -> [usize; N] {
    let list = value.as_array().expect("a list");
    std::array::from_fn(|index| list[index].as_u64().expect("a number") as usize)
}

#[test]
fn every_number_is_that_of_numpy() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for folder in fixtures(&committed, "correspondence") {
        for case in folder.json("expected").as_array().expect("cases") {
            let [height, width] = numbers(&case["pixels"]);
            let levels = case["levels"].as_array().expect("levels");
            let places = Correspondence::from_fn(height, width, |row, column| {
                let levels = levels[row * width + column].as_array().expect("two levels");
                let [row, column] =
                    [0, 1].map(|axis: usize| levels[axis].as_f64().expect("a level"));
                (row >= 0.0).then_some([row / 65_535.0, column / 65_535.0])
            });
            let (generated, reference) = (numbers(&case["generated"]), numbers(&case["reference"]));
            let [height, width] = reference;
            let maps = case["maps"].as_array().expect("maps");
            let layer = layer("one", generated, reference, |position, token| {
                maps[position * height * width + token]
                    .as_f64()
                    .expect("a value") as f32
            });
            let rows = rows(vec![layer], Some(&places), "radii = [0, 1, 2]");
            let expected = case["expected"].as_object().expect("scores");
            assert_eq!(rows.len(), 2 * 4 * expected.len(), "unified, and one layer");
            for (name, values) in expected {
                let (metric, convention) = name.split_once(' ').expect("metric and convention");
                let values = values.as_array().expect("values");
                for level in [Level::Unified, Level::Layer("one".to_owned())] {
                    for (part, expected) in ["", "_same", "_shuffled", "_gain"].iter().zip(values) {
                        let found = value(&rows, &format!("{metric}{part}"), convention, &level);
                        close(found, expected.as_f64().expect("a value"));
                    }
                }
            }
        }
    }
}

const GENERATED: [usize; 2] = [16, 12];
const REFERENCE: [usize; 2] = [12, 16];

/// The cell of the reference that a position of 16x12 comes from: rows and columns change places, and both run backwards.
fn origin(position: usize) -> usize {
    let (row, column) = (position / GENERATED[1], position % GENERATED[1]);
    (11 - column) * REFERENCE[1] + (15 - row)
}

/// As many pixels as positions; those of the first row have no known place.
fn known() -> Correspondence {
    Correspondence::from_fn(16, 12, |row, column| {
        let cell = origin(row * 12 + column);
        let place = [(cell / 16) as f64 / 12.0, (cell % 16) as f64 / 16.0];
        // The middle of the cell.
        (row > 0).then_some([place[0] + 0.5 / 12.0, place[1] + 0.5 / 16.0])
    })
}

fn pointing_at(cell: impl Fn(usize) -> usize) -> LayerRecord {
    layer("one", GENERATED, REFERENCE, |position, token| {
        f32::from(u8::from(token == cell(position)))
    })
}

#[test]
fn a_layer_that_copies_the_known_place_is_perfect() {
    let rows = rows(vec![pointing_at(origin)], Some(&known()), "");
    let level = Level::Layer("one".to_owned());
    for radius in ["r=1", "r=2"] {
        close(value(&rows, "place_hit", radius, &level), 1.0);
        close(value(&rows, "place_hit_gain", radius, &level), 1.0);
        assert!(value(&rows, "place_hit_same", radius, &level).unwrap() < 0.3);
    }
    for of in ["peak", "mass"] {
        close(value(&rows, "place_distance", of, &level), 0.0);
        close(value(&rows, "place_distance_gain", of, &level), 1.0);
        assert!(value(&rows, "place_distance_shuffled", of, &level).unwrap() > 4.0);
    }
}

/// The same maps, but each position has that of another: what is left is chance.
#[test]
fn shuffled_maps_are_at_chance() {
    // A step that shares no factor with the number of positions visits all of them, near and far ones alike.
    let other = |position: usize| origin(position * 89 % 192);
    let rows = rows(vec![pointing_at(other)], Some(&known()), "");
    for radius in ["r=1", "r=2"] {
        let gain = value(&rows, "place_hit_gain", radius, &Level::Unified).unwrap();
        assert!(gain.abs() < 0.06, "{radius}: {gain}");
    }
    for of in ["peak", "mass"] {
        let gain = value(&rows, "place_distance_gain", of, &Level::Unified).unwrap();
        assert!(gain.abs() < 0.06, "{of}: {gain}");
    }
}

#[test]
fn maps_that_do_not_depend_on_the_position_gain_nothing() {
    for cell in [0, 90, 191] {
        let rows = rows(vec![pointing_at(|_| cell)], Some(&known()), "");
        for (metric, of) in [
            ("place_hit_gain", "r=1"),
            ("place_hit_gain", "r=2"),
            ("place_distance_gain", "peak"),
            ("place_distance_gain", "mass"),
        ] {
            close(value(&rows, metric, of, &Level::Unified), 0.0);
        }
    }
}

/// A map that points at the place of the same name is right where the garment is not moved at all.
#[test]
fn the_same_place_is_a_control() {
    // A little behind the center: one on the edge of two cells counts as behind it.
    let still = Correspondence::from_fn(16, 12, |row, column| {
        Some([(row as f64 + 0.51) / 16.0, (column as f64 + 0.51) / 12.0])
    });
    let rows = rows(vec![pointing_at(origin)], Some(&still), "");
    close(value(&rows, "place_hit_same", "r=1", &Level::Unified), 1.0);
    close(
        value(&rows, "place_distance_same", "peak", &Level::Unified),
        0.0,
    );
}

#[test]
fn several_layers_are_averaged_and_can_be_chosen() {
    let mut wrong = pointing_at(|_| 0);
    wrong.name = "two".to_owned();
    let layers = vec![pointing_at(origin), wrong];
    let both = rows(layers.clone(), Some(&known()), "");
    let hit = |rows: &[Measurement], level: &Level| value(rows, "place_hit", "r=1", level).unwrap();
    let of_two = hit(&both, &Level::Layer("two".to_owned()));
    close(
        Some(hit(&both, &Level::Unified)),
        f64::midpoint(1.0, of_two),
    );
    let one = rows(layers, Some(&known()), "layers = ['o*']");
    close(Some(hit(&one, &Level::Unified)), 1.0);
    assert_eq!(one.len(), 2 * 4 * 4);
}

#[test]
fn what_is_lacking_is_said() {
    let reason = |layers: Vec<LayerRecord>, correspondence: Option<&Correspondence>| {
        let rows = rows(layers, correspondence, "");
        let first = &rows[0];
        assert_eq!(first.outcome.value(), None);
        first.outcome.reason().to_owned()
    };
    let unknown = Correspondence::from_fn(16, 12, |_, _| None);
    assert!(reason(vec![pointing_at(origin)], None).contains("the data set does not know"));
    assert!(reason(vec![pointing_at(origin)], Some(&unknown)).contains("no position of the layer"));
    let mut kept_nothing = pointing_at(origin);
    kept_nothing.specific = None;
    assert!(reason(vec![kept_nothing], Some(&known())).contains("no position-by-position"));
    for radii in ["[]", "[2, 1]"] {
        let error = configured(&format!("radii = {radii}")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("attribution.correspondence.radii"),
            "{error}"
        );
    }
}
