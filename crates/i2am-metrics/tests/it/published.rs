//! LPIPS and DISTS with their published weights, against the Python libraries with the same files (fixture `published`, on pictures of
//! `pairs`).

use std::path::Path;

use i2am_metrics::Resources;
use i2am_testkit::{fixtures, skipped, workspace_root};

use crate::dists::assert_near;
use crate::support::{cases, folders, metric, value};

/// As with weights that are filled by formula.
const LPIPS: f64 = 1e-5;

#[test]
fn values_are_those_of_the_libraries() {
    let weights = workspace_root().join(".weights");
    if !weights.join("dists_weights.pt").is_file() {
        skipped("no weights of LPIPS and DISTS: scripts/setup --weights lpips fetches them");
        return;
    }
    let resources = Resources {
        folders: vec![weights],
        ..Resources::default()
    };
    let pairs = cases(&folders().remove(0));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for fixture in fixtures(&folder, "published") {
        let expected = fixture.json("expected");
        let expected = expected.as_object().expect("values by pair");
        assert!(expected.len() > 5, "{expected:?}");
        for (name, table) in [
            ("lpips.alex", "net = 'alex'"),
            ("lpips.vgg", "net = 'vgg'"),
            ("dists", ""),
        ] {
            let kind = name.split('.').next().expect("a name");
            let metric = metric(kind, table, &resources);
            for (pair, values) in expected {
                let case = pairs
                    .iter()
                    .find(|case| case.name == *pair)
                    .expect("a pair of the fixture `pairs`");
                let found = value(metric.as_ref(), &case.pair());
                let what = format!("{name}, {pair}");
                if kind == "dists" {
                    assert_near(&what, found, &values[name], "exact");
                    // Of a flat picture the tool's covariances in 32 bits are rounding: it is 0.015 off its own distance in 64 bits.
                    if pair != "flat" {
                        assert_near(&what, found, &values[name], "peer");
                    }
                } else {
                    let off = (found - values[name].as_f64().expect("a value")).abs();
                    assert!(off <= LPIPS, "{what}: {found} is off by {off:e}");
                }
            }
        }
    }
}
