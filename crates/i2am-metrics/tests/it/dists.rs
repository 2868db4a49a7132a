//! DISTS against DISTS-pytorch on networks that are filled by formula (fixture `dists`, on pictures of `pairs` and `sets`).

use std::path::Path;

use i2am_imaging::RgbImage;
use i2am_metrics::{Pair, PairValue, Resources, Session};
use i2am_nets::formula_weights;
use i2am_nets::lpips::Backbone;
use i2am_testkit::fixtures;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tempfile::TempDir;

use crate::lpips::write_backbone;
use crate::ms_ssim::part;
use crate::support::{Case, cases, configured, folders, metric, value};

/// Features are in 32 bits on our side.
const EXACT: f64 = 1e-5;
/// The tool computes covariances in 32 bits: of a flat picture they are mostly rounding, 1.8e-4 of the distance; elsewhere it is 3e-7.
const PEER: f64 = 3e-4;
/// The number of channels that are compared.
const CHANNELS: usize = 1475;

/// VGG16 and the weights of channels in files, and resources that name them.
fn weights(channels: usize) -> (TempDir, Resources) {
    let folder = tempfile::tempdir().expect("a place for temporary files");
    let mut resources = Resources::default();
    let vgg = folder.path().join("vgg.safetensors");
    write_backbone(Backbone::Vgg, &vgg);
    resources.weights.insert("lpips-vgg".to_owned(), vgg);
    let path = folder.path().join("dists.safetensors");
    let bytes = ["alpha", "beta"].map(|name| {
        let values = formula_weights(&format!("dists.{name}"), &[1, channels as i64, 1, 1]);
        let bytes = values.iter().flat_map(|value| (value + 0.1).to_le_bytes());
        (name, bytes.collect::<Vec<u8>>())
    });
    let views = bytes.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::F32, vec![1, channels, 1, 1], bytes);
        (*name, view.expect("as many bytes as the shape has"))
    });
    safetensors::serialize_to_file(views, None, &path).expect("a folder that can be written");
    resources.weights.insert("dists".to_owned(), path);
    (folder, resources)
}

fn assert_close(what: &str, found: f64, expected: &Value) {
    for against in ["exact", "peer"] {
        assert_near(what, found, expected, against);
    }
}

/// The distance in 64 bits is `exact`, that of the tool `peer`.
#[track_caller]
pub(crate) fn assert_near(what: &str, found: f64, expected: &Value, against: &str) {
    let tolerance = if against == "exact" { EXACT } else { PEER };
    let expected = expected[against].as_f64().expect("a value");
    let off = (found - expected).abs();
    assert!(
        off <= tolerance,
        "{what}: {found} is off {against} by {off:e}"
    );
}

#[test]
fn values_are_dists_pytorchs() {
    let (_folder, resources) = weights(CHANNELS);
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    let expected = fixtures(place, "dists")[0].json("expected");
    let stored = metric("dists", "", &resources);
    let pairs = cases(&folders()[0]);
    for case in &pairs {
        let found = value(stored.as_ref(), &case.pair());
        assert_close(&case.name, found, &expected["stored"][&case.name]);
    }
    // A batch of pairs of all sizes.
    let all: Vec<Pair<'_>> = pairs.iter().map(Case::pair).collect();
    for (case, found) in pairs.iter().zip(stored.measure(&all).expect("values")) {
        let PairValue::Value(found) = found else {
            panic!("{}: {found:?}", case.name)
        };
        assert_close(&case.name, found, &expected["stored"][&case.name]);
    }

    let short = metric("dists", "size = 'short-256'", &resources);
    for (name, case) in expected["short-256"].as_object().expect("cases") {
        let [generated, real] = ["generated", "real"].map(|side| part(&case[side], &case["size"]));
        let pair = Pair::new(&generated, &real).expect("one size");
        assert_close(name, value(short.as_ref(), &pair), case);
        let as_stored = value(stored.as_ref(), &pair);
        assert!(
            (as_stored - value(short.as_ref(), &pair)).abs() > 1e-3,
            "{name}"
        );
    }
}

#[test]
fn equal_pictures_are_at_no_distance() {
    let (_folder, resources) = weights(CHANNELS);
    let dists = metric("dists", "", &resources);
    let picture = RgbImage::from_fn(33, 20, |x, y| [x as u8 * 7, y as u8 * 11, 90].into());
    let pair = Pair::new(&picture, &picture).expect("one size");
    assert!(value(dists.as_ref(), &pair).abs() < 1e-12);
}

#[test]
fn weights_that_are_missing_or_wrong_are_told() {
    let message = |resources: Resources| {
        let prepared = configured("dists", "")
            .expect("settings")
            .prepare(&Session::new(resources));
        prepared.err().expect("no weights").to_string()
    };
    let (_folder, mut resources) = weights(CHANNELS);
    resources.weights.remove("dists");
    resources.folders.clear();
    let missing = message(resources);
    assert!(
        missing.starts_with("no weights `dists`: expected ")
            && missing.contains("dists_weights.pt; `scripts/setup --weights lpips` fetches it"),
        "{missing}"
    );
    let (_folder, resources) = weights(CHANNELS - 1);
    let wrong = message(resources);
    assert!(
        wrong.contains("tensor `alpha`: expected shape [1, 1475, 1, 1], found [1, 1474, 1, 1]"),
        "{wrong}"
    );
}
