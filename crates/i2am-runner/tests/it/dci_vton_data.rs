//! The data path of DCI-VTON against its description (fixture `dci-vton`).

use i2am_datasets::{Pose, Sample};
use i2am_imaging::GrayImage;
use i2am_runner::families::{DataVersion, DciVtonInputs};
use i2am_runner::pictures::{self, Quantise};
use i2am_testkit::{FixtureDir, Tensors, fixtures};
use tch::Tensor;

use crate::common::{close, committed, rgb, tensor};

/// Additions in another order.
const TENSORS: f64 = 1e-6;
const ENLARGEMENT: f64 = 0.137;
const VERSIONS: [(DataVersion, &str); 2] = [(DataVersion::V1, "v1"), (DataVersion::V2, "v2")];

fn data() -> Vec<FixtureDir> {
    fixtures(&committed(), "dci-vton")
}

fn gray(tensors: &Tensors, name: &str) -> GrayImage {
    let size = tensors.shape(name);
    GrayImage::from_raw(size[1] as u32, size[0] as u32, tensors.u8(name)).unwrap()
}

/// Joints are stored in hundredths of a pixel.
fn pose(tensors: &Tensors, name: &str) -> Pose {
    let numbers = tensors.i64(name);
    Pose::new(std::array::from_fn(|joint| {
        [2 * joint, 2 * joint + 1].map(|place| numbers[place] as f64 / 100.0)
    }))
}

fn sample_of(inputs: &Tensors) -> Sample {
    Sample {
        id: "fixture".to_owned(),
        image: rgb(inputs, "image"),
        reference: rgb(inputs, "cloth"),
        reference_mask: Some(gray(inputs, "cloth_mask")),
        parse: Some(gray(inputs, "parse")),
        agnostic_parse: Some(gray(inputs, "agnostic_parse")),
        pose: Some(pose(inputs, "pose")),
        warped: Some(rgb(inputs, "warped")),
        warped_mask: Some(gray(inputs, "warped_mask")),
        ..Sample::default()
    }
}

fn work_sizes(expected: &Tensors) -> Vec<(String, (i64, i64))> {
    let size = |name: &str| {
        let shape = expected.shape(&format!("v1.{name}.keep"));
        (name.to_owned(), (shape[1] as i64, shape[2] as i64))
    };
    ["square", "narrow"].map(size).to_vec()
}

#[test]
fn parity_tensors_of_both_data_versions() {
    for folder in data() {
        let (inputs, expected) = (folder.tensors("inputs"), folder.tensors("expected"));
        let sample = sample_of(&inputs);
        for (version, prefix) in VERSIONS {
            for (name, size) in work_sizes(&expected) {
                let got = DciVtonInputs::of(&sample, version, size, ENLARGEMENT).unwrap();
                let of = |key: &str| format!("{prefix}.{name}.{key}");
                let check = |key: &str, got: &Tensor, tolerance: f64| {
                    close(
                        &folder.name(),
                        &got.squeeze_dim(0),
                        &expected,
                        &of(key),
                        tolerance,
                    );
                };
                check("keep", &got.keep, 0.0);
                check("person", &got.person, TENSORS);
                check("composite", &got.composite, TENSORS);
                check("inpaint_image", &got.inpaint_image, TENSORS);
                check("latent_keep", &got.latent_keep(8), TENSORS);
                check("clip", &got.clip(32), TENSORS);
            }
        }
    }
}

/// Known pixels come back, and the picture is unsquashed; a value at the edge of a level may fall to either side.
#[test]
fn parity_finished_pictures() {
    for folder in data() {
        let (inputs, expected) = (folder.tensors("inputs"), folder.tensors("expected"));
        let sample = sample_of(&inputs);
        for (version, prefix) in VERSIONS {
            for (name, size) in work_sizes(&expected) {
                let key = format!("{prefix}.{name}.picture");
                let shape = expected.shape(&key);
                let output = (shape[0] as i64, shape[1] as i64);
                let prepared = DciVtonInputs::of(&sample, version, size, ENLARGEMENT).unwrap();
                let decoded = tensor(&inputs, &format!("decoded.{name}"));
                let picture = prepared.finish(&decoded, true, output);
                let picture = pictures::unit_to_rgb(&picture, Quantise::Truncate);
                let off = picture
                    .iter()
                    .zip(expected.u8(&key))
                    .map(|(a, b)| a.abs_diff(b));
                let off: Vec<u8> = off.filter(|&off| off > 0).collect();
                assert!(
                    off.iter().all(|&off| off == 1) && off.len() * 1000 < picture.len(),
                    "{key}: {} levels differ",
                    off.len()
                );
            }
        }
    }
}

/// At the picture's own size nothing is resized, so that the strokes themselves are compared; also of a person of whom joints were
/// not found.
#[test]
fn parity_hole_painted_along_the_joints() {
    for folder in data() {
        let (inputs, expected) = (folder.tensors("inputs"), folder.tensors("expected"));
        let mut sample = sample_of(&inputs);
        let size = (
            i64::from(sample.image.height()),
            i64::from(sample.image.width()),
        );
        let hole = |sample: &Sample| {
            let inputs = DciVtonInputs::of(sample, DataVersion::V2, size, 0.1).unwrap();
            let hole = (-inputs.keep + 1.0) * 255.0;
            let hole: Vec<f32> = Vec::try_from(hole.reshape(-1)).unwrap();
            hole.into_iter()
                .map(|level| level as u8)
                .collect::<Vec<u8>>()
        };
        assert!(hole(&sample) == expected.u8("hole_of_joints"), "all joints");
        sample.pose = Some(pose(&inputs, "pose.partly"));
        assert!(
            hole(&sample) == expected.u8("hole_of_joints.partly"),
            "some joints"
        );
    }
}

/// At 512 x 512 the square of the morphology has 10 pixels.
#[test]
fn parity_hole_of_the_parse_map_at_the_published_size() {
    for folder in data() {
        let (inputs, expected) = (folder.tensors("inputs"), folder.tensors("expected"));
        let sample = sample_of(&inputs);
        let inputs = DciVtonInputs::of(&sample, DataVersion::V1, (512, 512), 0.1).unwrap();
        let keep: Vec<f32> = Vec::try_from(inputs.keep.reshape(-1)).unwrap();
        let packed = expected.u8("hole_of_parse.published");
        let agrees = |(place, &keep): (usize, &f32)| {
            let hole = packed[place / 8] >> (7 - place % 8) & 1 == 1;
            hole == (keep == 0.0)
        };
        assert!(keep.iter().enumerate().all(agrees));
    }
}

#[test]
fn a_sample_that_lacks_something_is_refused_by_name() {
    let folder = data().remove(0);
    let whole = sample_of(&folder.tensors("inputs"));
    let refused = |change: &dyn Fn(&mut Sample)| {
        let mut sample = whole.clone();
        change(&mut sample);
        let made = DciVtonInputs::of(&sample, DataVersion::V1, (64, 48), 0.1);
        made.unwrap_err().to_string()
    };
    let needs = refused(&|sample| sample.agnostic_parse = None);
    assert!(
        needs.contains("dci-vton") && needs.contains("agnostic_parse"),
        "{needs}"
    );
    assert!(refused(&|sample| sample.warped = None).contains("warped"));
    let hips = refused(&|sample| sample.pose = Some(Pose::new([[0.0; 2]; 25])));
    assert_eq!(
        hips,
        "sample fixture: pose: both hips are at one place, or neither was found"
    );
    let empty = refused(&|sample| {
        sample.reference_mask = Some(GrayImage::new(110, 150));
    });
    assert!(
        empty.contains("reference_mask: it shows no garment"),
        "{empty}"
    );
}
