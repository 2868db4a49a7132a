//! LPIPS on backbones that are filled by formula; the fixture's script fills the reference's with the same numbers.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_imaging::RgbImage;
use i2am_metrics::{LpipsNet, MetricError, Pair, PairValue, Resources, Session};
use i2am_nets::lpips::{Backbone, Lpips};
use i2am_nets::{ExpectedSource, Precision, formula_weights};
use i2am_testkit::assert_close;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use safetensors::tensor::{Dtype, TensorView};
use tch::Device;
use tempfile::TempDir;

use crate::support::{cases, configured, families, folders, metric, value};

/// The same operations in f32; only the order of additions differs.
const VALUES: f64 = 1e-5;
/// Of the largest value of a map.
const MAPS: f64 = 1e-5;
/// Products of matrices of other sizes add up in another order.
const BATCHES: f64 = 1e-7;
const NETS: [Backbone; 3] = [Backbone::Alex, Backbone::Squeeze, Backbone::Vgg];

/// Weights of every net in files, and resources that name them.
struct Weights {
    _folder: TempDir,
    resources: Resources,
}

impl Weights {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a place for temporary files");
        let mut resources = Resources::default();
        for net in NETS {
            let path = folder.path().join(format!("{}.safetensors", net.name()));
            write_backbone(net, &path);
            resources
                .weights
                .insert(format!("lpips-{}", net.name()), path);
        }
        Self {
            _folder: folder,
            resources,
        }
    }
}

/// A file as torchvision has it: also the layers that are no part of the metric.
pub(crate) fn write_backbone(net: Backbone, path: &Path) {
    let expected = ExpectedSource::new();
    Lpips::new(&expected, net, Precision::F32, Device::Cpu);
    let mut bytes = BTreeMap::from([("classifier.1.bias".to_owned(), (vec![1], vec![0; 4]))]);
    for (name, shape) in expected.shapes() {
        let name = name
            .strip_prefix("lpips.")
            .expect("full names start with the network");
        let gain = if shape.len() > 1 {
            std::f32::consts::SQRT_2
        } else {
            1.0
        };
        let values = formula_weights(&format!("{}.{name}", net.name()), &shape);
        let shape: Vec<usize> = shape.iter().map(|&extent| extent as usize).collect();
        let values = values
            .iter()
            .flat_map(|value| (value * gain).to_le_bytes())
            .collect();
        bytes.insert(name.to_owned(), (shape, values));
    }
    let views: Vec<(String, TensorView<'_>)> = bytes
        .iter()
        .map(|(name, (shape, values))| {
            let tensor = TensorView::new(Dtype::F32, shape.clone(), values)
                .expect("as many bytes as the shape has");
            (name.clone(), tensor)
        })
        .collect();
    safetensors::serialize_to_file(views, None, path).expect("a folder that can be written");
}

#[test]
fn distances_are_lpips() {
    let weights = Weights::new();
    for family in families() {
        for net in NETS {
            let name = format!("lpips.{}", net.name());
            let lpips = metric(
                "lpips",
                &format!("net = '{}'", net.name()),
                &weights.resources,
            );
            let mut checked = 0;
            for case in &family {
                let Some(expected) = case.expected(&name) else {
                    let error = lpips.measure(&[case.pair()]).unwrap_err();
                    assert!(
                        matches!(error, MetricError::TooSmall { .. }),
                        "{}: {error}",
                        case.name
                    );
                    continue;
                };
                let off = (value(lpips.as_ref(), &case.pair()) - expected).abs();
                assert!(off <= VALUES, "{name}, {}: off by {off:e}", case.name);
                checked += 1;
            }
            assert!(checked > 0, "{name}: no value expected");
        }
    }
}

#[test]
fn maps_are_lpips() {
    let weights = Weights::new();
    for folder in folders() {
        let (expected, cases) = (folder.tensors("maps"), cases(&folder));
        for name in expected.names() {
            let (net, pair) = name.split_once('.').expect("net and pair");
            let net = NETS
                .into_iter()
                .find(|known| known.name() == net)
                .expect("a known net");
            let case = cases
                .iter()
                .find(|case| case.name == pair)
                .expect("a pair of the fixture");
            let map = LpipsNet::open(net, &weights.resources)
                .unwrap()
                .map(&case.pair())
                .unwrap();
            assert_eq!(map.size(), expected.shape(name));
            assert_close(name, map.data(), &expected.f32(name), MAPS);
        }
    }
}

#[test]
fn least_sizes_are_lpips() {
    for folder in folders() {
        let expected = folder.json("expected");
        for net in NETS {
            assert_eq!(
                expected["least"][format!("lpips.{}", net.name())],
                net.least_size()
            );
        }
    }
}

#[test]
fn weights_must_be_what_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let mut resources = Resources {
        folders: vec![folder.path().to_owned()],
        ..Resources::default()
    };
    let prepare = |table: &str, resources: &Resources| {
        let session = Session::new(resources.clone());
        let prepared = configured("lpips", table).unwrap().prepare(&session);
        prepared.err().expect("no weights").to_string()
    };
    let place = folder.path().display();
    assert_eq!(
        prepare("net = 'vgg'", &resources),
        format!(
            "no weights `lpips-vgg`: expected {place}/vgg16-397923af.pth or {place}/vgg16-convolutions-489ffb78.safetensors; \
             `scripts/setup --weights lpips` fetches it, or put torchvision's file there under its own name"
        )
    );
    let named = folder.path().join("squeezenet1_1-b8a52dc0.pth");
    write_backbone(Backbone::Squeeze, &named);
    let message = prepare("net = 'squeeze'", &resources);
    let start = format!(
        "lpips: {}: expected a sha256 that starts with b8a52dc0, as the name says, found ",
        named.display()
    );
    assert!(message.starts_with(&start), "{message}");

    let other = folder.path().join("other.safetensors");
    write_backbone(Backbone::Squeeze, &other);
    resources.weights.insert("lpips-alex".to_owned(), other);
    let message = prepare("", &resources);
    assert!(
        message.contains(
            "tensor `features.0.weight`: expected shape [64, 3, 11, 11], found [64, 3, 3, 3]"
        ),
        "{message}"
    );
}

#[test]
fn the_batch_does_not_matter() {
    let mut weights = Weights::new();
    let family = families().remove(0);
    let large = family
        .iter()
        .filter(|case| case.real.width().min(case.real.height()) >= 31);
    let cases: Vec<_> = large.collect();
    // Ten pairs of one size, with pairs of other sizes among them.
    let alike = cases
        .iter()
        .find(|case| case.name == "blurred")
        .expect("a pair of the fixture");
    let turned = |by: u32| {
        let (width, height) = alike.real.dimensions();
        RgbImage::from_fn(width, height, |x, y| {
            *alike.generated.get_pixel((x + by) % width, y)
        })
    };
    let pictures: Vec<_> = (0..10).map(turned).collect();
    let mut pairs: Vec<Pair<'_>> = pictures
        .iter()
        .map(|picture| Pair::new(picture, &alike.real).unwrap())
        .collect();
    for (place, case) in cases.iter().enumerate() {
        pairs.insert(2 * place, case.pair());
    }
    for net in NETS {
        let table = format!("net = '{}'", net.name());
        let mut values = Vec::new();
        for batch in [1, 2, 5] {
            weights.resources.batch = 2 * batch;
            values.push(
                metric("lpips", &table, &weights.resources)
                    .measure(&pairs)
                    .unwrap(),
            );
        }
        let number = |value: &PairValue| match value {
            PairValue::Value(value) => *value,
            none => panic!("{none:?}"),
        };
        for other in &values[1..] {
            for (a, b) in values[0].iter().zip(other) {
                assert!(
                    (number(a) - number(b)).abs() <= BATCHES,
                    "{}: {a:?}, {b:?}",
                    net.name()
                );
            }
        }
    }
}

#[test]
fn equal_pictures_are_at_no_distance() {
    let weights = Weights::new();
    for net in NETS {
        let lpips = metric(
            "lpips",
            &format!("net = '{}'", net.name()),
            &weights.resources,
        );
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(4)
        });
        let pictures = prop::collection::vec(any::<u8>(), 33 * 40 * 3);
        let checked = runner.run(&pictures, |levels| {
            let picture = RgbImage::from_raw(33, 40, levels).expect("as many levels as pixels");
            let pair = Pair::new(&picture, &picture).expect("one size");
            prop_assert_eq!(value(lpips.as_ref(), &pair).to_bits(), 0.0_f64.to_bits());
            Ok(())
        });
        checked.unwrap();
    }
}
