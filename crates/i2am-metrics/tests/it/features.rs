//! Metrics of Inception features against prdc and torch-fidelity (fixture `features`), on the pictures of the fixture `sets`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;

use i2am_metrics::{Resources, Session};
use i2am_nets::formula_weights;
use i2am_testkit::fixtures;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tempfile::TempDir;

use crate::sets::{assert_relative, configured, folders, metric, resources, score, set};

/// What the script adds to the formula of the last layer.
const GAIN: f32 = 8.0;

fn expected() -> Value {
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    fixtures(place, "features")[0].json("expected")["pictures"].clone()
}

/// A file of the last layer, filled by formula, under the name and shape of pytorch-fid's.
fn with_last_layer(mut resources: Resources, shape: [usize; 2]) -> (TempDir, Resources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fc.safetensors");
    let values = formula_weights("inception.fc.weight", &shape.map(|extent| extent as i64));
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| (value * GAIN).to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
    safetensors::serialize_to_file([("fc.weight", view)], None, &path).unwrap();
    resources
        .weights
        .insert("inception-logits".to_owned(), path);
    (folder, resources)
}

/// One test, so that the network runs once over the pictures.
#[test]
fn values_are_those_of_prdc_and_torch_fidelity() {
    let Some(resources) = resources() else { return };
    let (_folder, resources) = with_last_layer(resources, [1008, 2048]);
    let session = Session::new(resources);
    let expected = expected();
    let pictures = &folders()[0];
    let (generated, real) = (set(pictures, "generated"), set(pictures, "real"));
    let measured = |name: &str, settings: &str| {
        let metric = metric(name, settings, &session);
        score(metric.as_ref(), &generated, &real)
    };

    for neighbors in [1, 3, 5, 9] {
        for name in ["precision", "recall", "density", "coverage"] {
            let found = measured(name, &format!("neighbors = {neighbors}"));
            let want = &expected[format!("neighbors.{neighbors}")][name];
            assert_relative(&format!("{name} of {neighbors}"), found.value, want, 1e-12);
            assert_eq!((found.n_generated, found.n_real), (Some(20), Some(24)));
        }
    }
    for projections in [1000, 7] {
        let found = measured("mind", &format!("projections = {projections}"));
        let want = &expected[format!("mind.{projections}")];
        assert_relative(&format!("mind {projections}"), found.value, want, 1e-5);
        let note = "20 of the 24 real pictures were drawn: both sides must have as many";
        assert_eq!(found.notes, [note]);
    }
    for splits in [1, 3, 10] {
        let found = measured("inception-score", &format!("splits = {splits}"));
        let want = &expected["inception-score"][splits.to_string()];
        assert_relative(
            &format!("{splits} splits"),
            found.value,
            &want["mean"],
            1e-5,
        );
        if splits > 1 {
            assert_relative("deviation", found.std.unwrap(), &want["std"], 1e-4);
        } else {
            assert_eq!(found.std, None);
        }
        assert_eq!((found.n_generated, found.n_real), (Some(20), None));
    }
}

#[test]
fn what_is_too_few_or_missing_is_told() {
    let Some(resources) = resources() else { return };
    let session = Session::new(resources.clone());
    let pictures = &folders()[0];
    let (generated, real) = (set(pictures, "generated"), set(pictures, "real"));
    let message = |name: &str, settings: &str| {
        let metric = metric(name, settings, &session);
        let sides = [&generated, &real].map(|side| i2am_metrics::Side::Pictures(side));
        let measured = metric.measure(sides[0], sides[1], &i2am_metrics::Silent);
        measured.unwrap_err().to_string()
    };
    assert_eq!(
        message("precision", "neighbors = 20"),
        format!(
            "precision: expected at least 21 pictures in {}, found 20",
            pictures.path().join("generated").display()
        )
    );
    let inception_score = |resources: Resources| {
        let prepared = configured("inception-score", "").prepare(&Session::new(resources));
        prepared.err().expect("no last layer").to_string()
    };
    let missing = inception_score(resources.clone());
    assert!(
        missing.starts_with("no weights `inception-logits`: expected ")
            && missing.contains("pt_inception-2015-12-05-6726825d.pth; it is pytorch-fid's file"),
        "{missing}"
    );
    let (_folder, wrong) = with_last_layer(resources.clone(), [1000, 2048]);
    let message = inception_score(wrong);
    assert!(
        message.contains("tensor `fc.weight`: expected shape [1008, 2048], found [1000, 2048]"),
        "{message}"
    );
    let mut without = resources;
    let weights = without.find(&i2am_metrics::INCEPTION).unwrap();
    without
        .weights
        .insert("inception-logits".to_owned(), weights);
    let message = inception_score(without);
    assert!(message.contains("fc.weight"), "{message}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (name, table, expected) in [
        (
            "density",
            "neighbors = 0",
            "neighbors: expected at least 1, found 0",
        ),
        (
            "mind",
            "projections = 0",
            "projections: expected at least 1, found 0",
        ),
        (
            "inception-score",
            "splits = 0",
            "splits: expected at least 1, found 0",
        ),
    ] {
        let error = crate::support::configured(name, table).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(
        configured("recall", "neighbors = 4").variant(),
        "torch-fidelity, neighbors 4"
    );
}
