//! Against prdc and torch-fidelity on drawn features (fixture `features`), some of which are in both sets, or twice in one.

use std::path::Path;

use i2am_testkit::fixtures;

use super::Balls;
use crate::features::Features;

#[test]
fn drawn_sets_are_among_each_other_as_prdc_and_torch_fidelity_find() {
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    for folder in fixtures(place, "features") {
        let drawn = folder.tensors("drawn");
        let set = |side: &str| Features {
            width: drawn.shape(side)[1],
            values: drawn.f32(side),
        };
        let (generated, real) = (set("generated"), set("real"));
        for nearest in [1, 3, 5, 9] {
            let expected = &folder.json("expected")["drawn"][format!("neighbors.{nearest}")];
            let around_real = Balls::around(&real, nearest);
            let around_generated = Balls::around(&generated, nearest);
            for (name, found) in [
                (
                    "with-surface.precision",
                    around_real.share_inside(&generated),
                ),
                ("with-surface.recall", around_generated.share_inside(&real)),
                (
                    "density",
                    around_real.mean_inside(&generated) / nearest as f64,
                ),
                ("coverage", around_real.share_reached(&generated)),
            ] {
                let expected = expected[name].as_f64().expect("a value");
                let off = (found - expected).abs();
                // torch-fidelity gives 32-bit floats.
                assert!(
                    off < 1e-7,
                    "{name}, {nearest} neighbors: {found}, {expected}"
                );
            }
        }
    }
}

/// Four points on a line, at 0, 1, 3 and 7: their nearest neighbors are at 1, 1, 2 and 4.
#[test]
fn balls_on_a_line() {
    let line = |places: &[f32]| Features {
        width: 1,
        values: places.to_vec(),
    };
    let balls = Balls::around(&line(&[0.0, 1.0, 3.0, 7.0]), 1);
    // 2 lies on the surface of the ball around 1 and inside that around 3; 5 on the surface of that around 3, and inside that around 7.
    assert_eq!(
        balls.share_inside(&line(&[2.0, 5.0, -9.0])).to_bits(),
        (2.0_f64 / 3.0).to_bits()
    );
    assert_eq!(
        balls.mean_inside(&line(&[2.0, 5.0])).to_bits(),
        1.0_f64.to_bits()
    );
    assert_eq!(
        balls.share_reached(&line(&[2.0])).to_bits(),
        0.25_f64.to_bits()
    );
    assert_eq!(
        balls.share_reached(&line(&[0.5])).to_bits(),
        0.5_f64.to_bits()
    );
}
