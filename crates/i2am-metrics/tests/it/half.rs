//! How far metrics may be off if their networks compute in bf16. `docs/precision.md` has what was seen, on one processor; kernels of others
//! round otherwise.

use i2am_imaging::RgbImage;
use i2am_metrics::{PairMetric, Prepared, Resources, Session};
use i2am_testkit::{skipped, workspace_root};

use crate::sets::{configured, folders, metric, score, set};
use crate::support::{families, value};
use crate::towers;

/// Limits, about four times what was seen. Relative to the value:
const FD_DINOV2: f64 = 1.5e-2;
const CMMD: f64 = 2e-2;
const FID: f64 = 2e-3;
const KID: f64 = 6e-2;
/// Absolute:
const CLIP_I: f64 = 3e-3;
const DINO_I: f64 = 2e-4;
const LPIPS_ALEX: f64 = 3e-3;
const LPIPS_VGG: f64 = 4e-3;
const DISTS: f64 = 2e-2;
const BASELINE: f64 = 0.4;

/// Values in f32 and in bf16, of a metric of sets on the pictures of the fixture `sets`.
fn of_sets(name: &str, settings: &str, session: &Session) -> [f64; 2] {
    let pictures = &folders()[0];
    let (generated, real) = (set(pictures, "generated"), set(pictures, "real"));
    ["f32", "bf16"].map(|precision| {
        let settings = format!("{settings}\nprecision = '{precision}'");
        let metric = metric(name, &settings, session);
        score(metric.as_ref(), &generated, &real).value
    })
}

/// The same of a metric of pairs, as the largest value in f32 and the largest difference over the large pairs of the fixture `pairs`.
fn of_pairs(name: &str, settings: &str, session: &Session) -> [f64; 2] {
    let metrics = ["f32", "bf16"].map(|precision| -> Box<dyn PairMetric> {
        let settings = format!("{settings}\nprecision = '{precision}'");
        match configured(name, &settings)
            .prepare(session)
            .expect("weights")
        {
            Prepared::Pairs(metric) => metric,
            Prepared::Sets(_) => panic!("{name} compares pairs"),
        }
    });
    let large = |picture: &RgbImage| picture.width().min(picture.height()) >= 32;
    let mut found = [0.0_f64; 2];
    for case in families()[0].iter().filter(|case| large(&case.real)) {
        let [whole, half] = [0, 1].map(|index| value(metrics[index].as_ref(), &case.pair()));
        found[0] = found[0].max(whole.abs());
        found[1] = found[1].max((half - whole).abs());
    }
    found
}

#[expect(clippy::print_stderr, reason = "the numbers of docs/precision.md")]
#[track_caller]
fn within(what: &str, off: f64, limit: f64) {
    eprintln!("{what}: {off:.1e}");
    assert!(off > 0.0, "{what}: nothing changed, so bf16 was not used");
    assert!(
        off <= limit,
        "{what}: {off:.1e} off, at most {limit:.0e} is expected"
    );
}

#[test]
fn transformers_in_bf16() {
    let (_folder, resources) = towers::weights();
    let session = Session::new(resources);
    for (name, limit) in [("fd-dinov2", FD_DINOV2), ("cmmd", CMMD)] {
        let [whole, half] = of_sets(name, "", &session);
        within(name, ((half - whole) / whole).abs(), limit);
    }
    for (name, limit) in [("clip-i", CLIP_I), ("dino-i", DINO_I)] {
        within(name, of_pairs(name, "", &session)[1], limit);
    }
}

#[test]
fn convolutions_in_bf16() {
    let resources = Resources {
        folders: vec![workspace_root().join(".weights")],
        ..Resources::default()
    };
    if !workspace_root().join(".weights/dists_weights.pt").is_file() {
        skipped("no weights of LPIPS and DISTS: scripts/setup --weights lpips fetches them");
        return;
    }
    let session = Session::new(resources);
    for (name, settings, limit) in [("fid", "", FID), ("kid", "subset_size = 20", KID)] {
        let [whole, half] = of_sets(name, settings, &session);
        within(name, ((half - whole) / whole).abs(), limit);
    }
    for (name, settings, limit) in [
        ("lpips", "net = 'alex'", LPIPS_ALEX),
        ("lpips", "net = 'vgg'", LPIPS_VGG),
        ("dists", "", DISTS),
        ("baseline", "", BASELINE),
    ] {
        let [largest, off] = of_pairs(name, settings, &session);
        within(
            &format!("{name} {settings}, largest {largest:.3}"),
            off,
            limit,
        );
    }
}
