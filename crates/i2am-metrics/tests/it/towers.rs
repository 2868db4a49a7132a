//! Metrics of vision transformers against cmmd-pytorch, `DINOv2`'s authors' code and transformers (fixture `towers`), on small networks that
//! are filled by formula and the pictures of the fixture `sets`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;

use i2am_metrics::{Pair, PairValue, PictureFiles, Pictures, Region, Resources, Session};
use i2am_nets::dino::{Dino, DinoConfig};
use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoderConfig};
use i2am_nets::layers::Activation;
use i2am_nets::{ExpectedSource, Precision, Scope, formula_weights};
use i2am_testkit::{FixtureDir, fixtures};
use safetensors::tensor::{Dtype, TensorView};
use tch::Device;
use tempfile::TempDir;

use crate::sets::{assert_relative, configured, folders, metric, score, set};

/// What the script multiplies learned positions with.
const POSITIONS: f32 = 16.0;

pub(crate) fn fixture() -> FixtureDir {
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    fixtures(place, "towers").remove(0)
}

/// The networks of the fixture in files, and resources that name them.
pub(crate) fn weights() -> (TempDir, Resources) {
    let folder = tempfile::tempdir().unwrap();
    let mut resources = Resources {
        folders: Vec::new(),
        ..Resources::default()
    };
    let clip = |expected: &ExpectedSource| {
        let config = ImageEncoderConfig {
            hidden_size: 128,
            intermediate_size: 192,
            num_hidden_layers: 3,
            num_attention_heads: 2,
            image_size: 56,
            patch_size: 14,
            layer_norm_eps: 1e-5,
            projection_dim: 48,
            hidden_act: Activation::QuickGelu,
            mapper_layers: 0,
        };
        ClipEmbedder::new(&Scope::root(expected, "clip"), config);
    };
    let dino = |registers: i64| {
        move |expected: &ExpectedSource| {
            let config = DinoConfig {
                width: 128,
                patch: 14,
                learned: 5,
                registers,
                depth: 2,
                inner: 192,
            };
            Dino::new(&Scope::root(expected, "dino"), config);
        }
    };
    let mut put = |names: &[&str], network: &str, build: &dyn Fn(&ExpectedSource)| {
        let path = folder.path().join(format!("{}.safetensors", names[0]));
        write(&path, network, build);
        for name in names {
            resources.weights.insert((*name).to_owned(), path.clone());
        }
    };
    put(
        &["clip-vit-l-14-336", "clip-vit-b-32", "clip-vit-l-14"],
        "clip",
        &clip,
    );
    put(&["dinov2-vitl14", "dinov2-vits14"], "dino", &dino(0));
    put(&["dinov2-vitl14-reg4"], "dino", &dino(4));
    (folder, resources)
}

/// A file with the tensors that `build` asks for, under their published names, and some that files have and the network has not.
fn write(path: &Path, network: &str, build: &dyn Fn(&ExpectedSource)) {
    let expected = ExpectedSource::new();
    build(&expected);
    let mut tensors = vec![
        ("mask_token".to_owned(), vec![1], vec![0; 4]),
        (
            "text_model.final_layer_norm.bias".to_owned(),
            vec![1],
            vec![0; 4],
        ),
    ];
    if network == "clip" {
        tensors.remove(0);
    } else {
        tensors.remove(1);
    }
    for (full, shape) in expected.shapes() {
        let name = full.strip_prefix(&format!("{network}.")).unwrap();
        let gain = if name == "pos_embed" { POSITIONS } else { 1.0 };
        let values = formula_weights(&full, &shape);
        let bytes = values.iter().flat_map(|value| (value * gain).to_le_bytes());
        let shape = shape.iter().map(|&extent| extent as usize).collect();
        tensors.push((name.to_owned(), shape, bytes.collect()));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

#[test]
fn distances_of_sets_are_those_of_the_tools() {
    let (_folder, resources) = weights();
    let session = Session::new(resources);
    let expected = fixture().json("expected");
    let pictures = &folders()[0];
    let (generated, real) = (set(pictures, "generated"), set(pictures, "real"));
    let measured = |name: &str, settings: &str| {
        score(metric(name, settings, &session).as_ref(), &generated, &real)
    };
    for (net, key) in [("vitl14", "dinov2"), ("vitl14-reg4", "dinov2-reg4")] {
        let found = measured("fd-dinov2", &format!("net = '{net}'"));
        assert_relative(key, found.value, &expected[key], 1e-4);
        assert_eq!((found.n_generated, found.n_real), (Some(20), Some(24)));
        assert!(
            found.notes[0].contains("FD-DINOv2 is biased upwards"),
            "{:?}",
            found.notes
        );
    }
    let cmmd = measured("cmmd", "");
    assert_relative("cmmd", cmmd.value, &expected["cmmd"]["exact"], 1e-4);
    assert_relative("cmmd", cmmd.value, &expected["cmmd"]["peer"], 1e-3);
}

#[test]
fn the_class_token_is_the_authors() {
    let (_folder, resources) = weights();
    let expected = fixture().tensors("features");
    let pictures = set(&folders()[0], "real");
    for (weights, key) in [
        ("dinov2-vitl14", "dinov2.real"),
        ("dinov2-vitl14-reg4", "dinov2-reg4.real"),
    ] {
        let path = &resources.weights[weights];
        let dino = Dino::open(path, Precision::F32, Device::Cpu).unwrap();
        let mut found = Vec::new();
        for index in 0..expected.shape(key)[0] {
            let image = Pictures::load(&pictures, index).unwrap();
            let image = i2am_imaging::pillow_bicubic_rgb(&image, 224, 224);
            let levels =
                tch::Tensor::from_data_size(image.as_raw(), &[224, 224, 3], tch::Kind::Uint8);
            let unit = levels
                .to_kind(tch::Kind::Float)
                .permute([2, 0, 1])
                .unsqueeze(0)
                / 255.0;
            let of = |values: [f32; 3]| tch::Tensor::from_slice(&values).reshape([1, 3, 1, 1]);
            let x = (unit - of([0.485, 0.456, 0.406])) / of([0.229, 0.224, 0.225]);
            let row = tch::no_grad(|| dino.forward(&x)).reshape([-1]);
            found.extend(Vec::<f32>::try_from(row).unwrap());
        }
        i2am_testkit::assert_close(key, &found, &expected.f32(key), 1e-5);
    }
}

#[test]
fn features_of_a_network_are_kept_apart_from_those_of_others() {
    let (_folder, mut resources) = weights();
    let scratch = tempfile::tempdir().unwrap();
    resources.cache = Some(scratch.path().to_owned());
    let pictures = set(&folders()[0], "generated");
    let values = || {
        let session = Session::new(resources.clone());
        let of = |net: &str| {
            let metric = metric("fd-dinov2", &format!("net = '{net}'"), &session);
            score(metric.as_ref(), &pictures, &set(&folders()[0], "real")).value
        };
        [of("vitl14"), of("vitl14-reg4")]
    };
    let first = values();
    assert!((first[0] - first[1]).abs() > 1e-3, "{first:?}");
    // A folder for each file of weights, with both sides in it.
    let folders = i2am_files::sorted_entries(scratch.path()).unwrap();
    let counts = folders
        .iter()
        .map(|folder| i2am_files::sorted_entries(folder).unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [2, 2]);
    assert_eq!(first.map(f64::to_bits), values().map(f64::to_bits));
}

#[test]
fn a_missing_or_other_file_is_told() {
    let (_folder, resources) = weights();
    let message = |name: &str, resources: &Resources| {
        let prepared = configured(name, "").prepare(&Session::new(resources.clone()));
        prepared.err().expect("no weights").to_string()
    };
    let nothing = Resources {
        weights: std::collections::BTreeMap::new(),
        ..resources.clone()
    };
    assert_eq!(
        message("cmmd", &nothing),
        "no weights `clip-vit-l-14-336`: expected .weights/clip-vit-large-patch14-336/model.safetensors or \
         .weights/clip-vit-large-patch14-336/pytorch_model.bin; it is in openai/clip-vit-large-patch14-336 on Hugging Face; give it \
         with --weights clip-vit-l-14-336=FILE"
    );
    assert!(message("fd-dinov2", &nothing).contains("dinov2_vitl14_pretrain.pth; the README of"));
    let mut swapped = resources.clone();
    for (name, other) in [
        ("dinov2-vitl14", "clip-vit-b-32"),
        ("clip-vit-l-14-336", "dinov2-vits14"),
    ] {
        swapped
            .weights
            .insert(name.to_owned(), resources.weights[other].clone());
    }
    assert!(
        message("fd-dinov2", &swapped).contains("pos_embed"),
        "{}",
        message("fd-dinov2", &swapped)
    );
    let of_clip = message("cmmd", &swapped);
    assert!(of_clip.contains("vision_model.embeddings"), "{of_clip}");
}

#[test]
fn cosines_are_those_of_the_authors_processors_and_networks() {
    let (_folder, resources) = weights();
    let expected = fixture().json("expected");
    let pictures = &folders()[0];
    let (generated, real) = (set(pictures, "generated"), set(pictures, "real"));
    let load = |side: &PictureFiles, index| Pictures::load(side, index).unwrap();
    for name in ["clip-i", "dino-i"] {
        let whole = crate::support::metric(name, "", &resources);
        let masked = crate::support::metric(name, "region = 'masked'", &resources);
        for (index, expected) in expected[name].as_array().unwrap().iter().enumerate() {
            let (generated, reference) = (load(&generated, index), load(&real, index));
            let pair = Pair::with_reference(&generated, &reference, None);
            let found = crate::support::value(whole.as_ref(), &pair);
            let off = (found - expected.as_f64().unwrap()).abs();
            assert!(off < 1e-6, "{name} {index}: {found} is off by {off:e}");
            let none = crate::support::measure(masked.as_ref(), &pair);
            assert_eq!(
                none,
                PairValue::Undefined("there is no masked region to look at")
            );
        }
        // A part of the generated image is compared as an image of its own.
        let (image, reference) = (load(&generated, 16), load(&real, 20));
        let region = Region {
            left: 31,
            top: 40,
            width: 120,
            height: 90,
        };
        let pair = Pair::with_reference(&image, &reference, Some(region));
        let part = region.cut(&image);
        let alone = Pair::with_reference(&part, &reference, None);
        let [of_region, of_part, of_whole] = [(&masked, &pair), (&whole, &alone), (&whole, &pair)]
            .map(|(metric, pair)| crate::support::value(metric.as_ref(), pair));
        assert_eq!(of_region.to_bits(), of_part.to_bits());
        assert!(
            (of_region - of_whole).abs() > 1e-4,
            "{of_region} {of_whole}"
        );
        let same = Pair::with_reference(&part, &part, None);
        assert!((crate::support::value(whole.as_ref(), &same) - 1.0).abs() < 1e-12);
        assert!(
            configured(name, "region = 'masked'")
                .variant()
                .ends_with(", masked")
        );
    }
}
