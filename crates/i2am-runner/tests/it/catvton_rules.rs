//! What `CatVTON`'s files may be, and what is refused.

use std::collections::BTreeMap;

use crate::catvton::{Stored, attention, catvton, load, model, noise, sample, write_attention};
use crate::tiny::seeded;
use i2am_attribution::Source;
use i2am_nets::ExpectedSource;
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_runner::capture::{CaptureConfig, ForbidRule, InterveneConfig, Positions, Region};
use i2am_runner::families::{
    CatVtonConfig, CatVtonInputs, CatVtonPreprocess, CatVtonSizes, Model as _, Pipeline as _,
    Posterior, Request, recognise,
};

/// The network reads less than the published base has: its cross-attention is not read.
#[test]
fn the_published_networks_are_those_of_stable_diffusion_without_cross_attention() {
    let expected = ExpectedSource::new();
    CatVtonSizes::published().build(&expected);
    let shapes = expected.shapes();
    let of = |network: &str| {
        shapes
            .keys()
            .filter(|name| name.starts_with(network))
            .count()
    };
    assert_eq!((of("unet."), of("vae.")), (686 - 16 * 5, 248));
    assert!(!shapes.keys().any(|name| name.contains(".attn2.")));
    assert!(shapes.contains_key("unet.mid_block.attentions.0.transformer_blocks.0.norm2.weight"));
}

/// The attention of the fixture with names made by `rename`.
fn renamed(rename: impl Fn(usize, &str) -> Vec<String>) -> BTreeMap<String, Stored> {
    let fixture = &catvton()[0];
    let stored = attention(fixture).into_iter().flat_map(|(name, stored)| {
        let (number, rest) = name.split_once('.').unwrap();
        let names = rename(number.parse().unwrap(), rest).into_iter();
        names.map(|name| (name, stored.clone())).collect::<Vec<_>>()
    });
    stored.collect()
}

/// The name by the module that holds the tensor.
fn by_layer(number: usize, rest: &str) -> String {
    let (module, kind) = rest.rsplit_once('.').unwrap();
    let inner = match module {
        "to_q" => 1,
        "to_k" => 2,
        "to_v" => 3,
        "to_out.0" => 5,
        other => panic!("{other}"),
    };
    format!("{}.{kind}", number + inner)
}

/// The settings with `tensors` for trained attention, and what `check` says of them.
fn check(tensors: &BTreeMap<String, Stored>) -> Result<(), String> {
    let (config, folder) = model(&catvton()[0]);
    let path = write_attention(folder.path(), tensors);
    let config = CatVtonConfig {
        attention: path.clone(),
        ..config
    };
    let prefix = format!("{}: ", path.display());
    let refused = |error: i2am_runner::RunnerError| {
        let message = error.to_string();
        let reason = message.strip_prefix(&prefix);
        reason.unwrap_or_else(|| panic!("{message}")).to_owned()
    };
    config.check(None).map(drop).map_err(refused)
}

#[test]
fn every_name_of_a_tensor_is_accepted() {
    let fixture = &catvton()[0];
    let whole = |number: usize, rest: &str| format!("{number}.{rest}");
    let alphabetical = |number: usize, rest: &str| {
        let to_out = rest.strip_prefix("to_out.");
        let middle = to_out.map(|rest| format!("{}.{rest}", number + 4));
        let names = [whole(number, rest), by_layer(number, rest)];
        vec![names.into_iter().chain(middle).min().unwrap()]
    };
    let (config, folder) = model(fixture);
    let noise = noise(fixture);
    let run = |tensors: &BTreeMap<String, Stored>| {
        let config = CatVtonConfig {
            attention: write_attention(folder.path(), tensors),
            ..config.clone()
        };
        let request = Request {
            noise: &noise,
            capture: None,
            on_step: &mut |_| {},
        };
        load(&config)
            .generate(&sample(fixture), request)
            .unwrap()
            .latent
    };
    let published = run(&attention(fixture));
    for names in [
        renamed(|number, rest| vec![by_layer(number, rest)]),
        renamed(alphabetical),
        renamed(|number, rest| vec![whole(number, rest), by_layer(number, rest)]),
    ] {
        check(&names).unwrap();
        assert!(run(&names).equal(&published));
    }
}

#[test]
fn a_file_of_trained_attention_is_whole_or_refused() {
    let whole = attention(&catvton()[0]);
    let mut tensors = whole.clone();
    tensors.remove("120.to_out.0.bias");
    assert_eq!(
        check(&tensors).unwrap_err(),
        "expected 80 tensors, found 79: `120.to_out.0.bias`, of mid_block.attentions.0.transformer_blocks.0.attn1, is missing"
    );
    for (name, more) in [
        ("128.to_q.weight", ""),
        ("7.weight", ""),
        ("to_q.weight", ""),
    ] {
        let mut tensors = whole.clone();
        tensors.insert(name.to_owned(), whole["0.to_q.weight"].clone());
        let expected = "expected the numbered self-attention of 16 layers, `0.to_q.weight` to `120.to_out.0.bias`, found";
        let message = check(&tensors).unwrap_err();
        assert_eq!(message, format!("{expected} `{name}`{more}"));
    }
    let mut tensors = whole.clone();
    tensors.insert("1.weight".to_owned(), whole["0.to_k.weight"].clone());
    assert_eq!(
        check(&tensors).unwrap_err(),
        "expected the same values in `0.to_q.weight` and `1.weight`, which are two names of one tensor, found others"
    );
    let mut tensors = whole.clone();
    tensors.insert("16.to_v.weight".to_owned(), whole["0.to_v.weight"].clone());
    assert_eq!(
        check(&tensors).unwrap_err(),
        "tensor `16.to_v.weight`: expected shape [32, 32], as `down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_v.weight` of the UNet has it, found [16, 16]"
    );
    check(&whole).unwrap();
}

/// By itself the file tells what it is and whether it is whole.
#[test]
fn a_file_of_trained_attention_is_recognized() {
    let fixture = &catvton()[0];
    let path = fixture.path().join("attention.safetensors");
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.layout(), Layout::Numbered);
    let family = recognise(&checkpoint).unwrap();
    assert_eq!(family.info().name, "catvton");
    let report = family.inspect(&checkpoint).unwrap();
    assert_eq!((report.loaded, report.is_sound()), (80, true), "{report:?}");
    assert!(report.unused.is_empty());
    let mut tensors = attention(fixture);
    tensors.remove("8.to_k.weight");
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write_attention(folder.path(), &tensors)).unwrap();
    let report = family.inspect(&checkpoint).unwrap();
    let layer = "unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_k.weight";
    assert_eq!(report.missing, [layer]);
}

/// The trained attention is loaded in place of the base's, and both stand in what is known of the model.
#[test]
fn files_of_all_places_are_those_of_the_model() {
    let (config, _folder) = model(&catvton()[0]);
    let facts = config.check(None).unwrap();
    let vae = config.vae.clone().unwrap();
    let weights = "diffusion_pytorch_model.safetensors";
    let expected = [
        config.checkpoint.join("unet").join(weights),
        vae.join(weights),
        config.attention.clone(),
    ];
    assert_eq!(facts.files, expected);
    assert_eq!(facts.size, Some((128, 64)));
    // Without the other autoencoder the base has none here.
    let config = CatVtonConfig {
        vae: None,
        ..config
    };
    let message = config.check(None).unwrap_err().to_string();
    let expected = format!(
        "{}: expected a catvton checkpoint, found no UNet with an autoencoder",
        config.checkpoint.display()
    );
    assert_eq!(message, expected);
}

#[test]
fn a_seam_within_a_row_of_tokens_is_refused() {
    let (config, _folder) = model(&catvton()[0]);
    let config = CatVtonConfig {
        size: [96, 64],
        ..config
    };
    assert_eq!(
        config.check(None).unwrap_err().to_string(),
        "model.size: expected a height in multiples of 64, so that the seam between person and garment cuts no row of tokens, found [96, 64]"
    );
}

/// The generated half is the image: the record has its size, and the middle block is not in it.
#[test]
fn a_record_is_of_the_generated_half() {
    let fixture = &catvton()[0];
    let (config, _folder) = model(fixture);
    let request = Request {
        noise: &noise(fixture),
        capture: Some(&CaptureConfig::default()),
        on_step: &mut |_| {},
    };
    let done = load(&config).generate(&sample(fixture), request).unwrap();
    assert_eq!(done.latent.size(), [1, 4, 32, 8]);
    assert_eq!(done.decoded.size(), [1, 3, 128, 64]);
    let record = done.record.unwrap();
    record.validate().unwrap();
    assert_eq!((record.latent_height, record.latent_width), (16, 8));
    assert_eq!(record.steps, [1; 5]);
    assert_eq!(record.layers.len(), 15);
    for layer in &record.layers {
        assert!(!layer.name.starts_with("mid_block."), "{}", layer.name);
        let Source::Spatial { height, width } = layer.source else {
            panic!("{}: {:?}", layer.name, layer.source);
        };
        assert_eq!((height, width), (layer.height, layer.width));
    }
    let top = &record.layers[0];
    assert_eq!((top.height, top.width), (16, 8));
}

/// A rule for the middle block alone works too, though that is not recorded.
#[test]
fn the_middle_block_can_be_changed() {
    let (config, _folder) = model(&catvton()[0]);
    let rule = ForbidRule {
        models: None,
        layers: vec!["mid_block.*".to_owned()],
        heads: None,
        time_groups: None,
        from: Positions::All,
        region: Region::OutsideReferenceMask,
    };
    let capture = CaptureConfig {
        intervene: InterveneConfig {
            forbid: vec![rule],
            ..InterveneConfig::default()
        },
        ..CaptureConfig::default()
    };
    config.check(Some(&capture)).unwrap();
}

#[test]
fn preparations_differ_and_repainting_keeps_the_surroundings() {
    let fixture = &catvton()[0];
    let (config, _folder) = model(fixture);
    // A person too wide for the model, and a garment too high for it.
    let whole = sample(fixture);
    let crop = |rows: u32| {
        let part = i2am_imaging::RgbImage::from_fn(64, rows, |x, y| *whole.image.get_pixel(x, y));
        let mask = i2am_imaging::GrayImage::from_fn(64, rows, |x, y| {
            [if (20..40).contains(&x) && (20..60).contains(&y) {
                255
            } else {
                0
            }]
            .into()
        });
        (part, mask)
    };
    let (image, mask) = crop(96);
    let wide = i2am_datasets::Sample {
        image,
        mask,
        ..whole
    };
    let size = config.size.into();
    let prepared = |preprocess| CatVtonInputs::of(&wide, preprocess, size).unwrap();
    let [script, demo] = [CatVtonPreprocess::Script, CatVtonPreprocess::Demo].map(prepared);
    // Columns of the mask in a row through its middle, of the 20 it has of 64: as many if it is stretched, a third more of the 48 that
    // are left if it is cropped, of which the blur takes a little.
    let columns = |inputs: &CatVtonInputs| {
        let row = inputs.hole.select(2, 53).sum(tch::Kind::Double);
        row.double_value(&[])
    };
    assert!(
        (columns(&script) - 20.0).abs() <= 1.0,
        "{}",
        columns(&script)
    );
    assert!((columns(&demo) - 26.0).abs() <= 2.0, "{}", columns(&demo));

    let run = |repaint: bool| {
        let config = CatVtonConfig {
            repaint,
            posterior: Posterior::Mean,
            ..config.clone()
        };
        let request = Request {
            noise: &seeded(),
            capture: None,
            on_step: &mut |_| {},
        };
        load(&config)
            .generate(&sample(fixture), request)
            .unwrap()
            .image
    };
    let person = sample(fixture).image;
    let (plain, repainted) = (run(false), run(true));
    let corner = |image: &i2am_imaging::RgbImage| image.get_pixel(0, 127).0;
    assert_ne!(corner(&plain), corner(&person));
    assert_eq!(corner(&repainted), corner(&person));
    // In the middle of the mask the generated pixels stay.
    let hole = sample(fixture).mask;
    let inside = hole
        .enumerate_pixels()
        .filter(|(_, _, level)| level.0[0] == 255);
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for (x, y, _) in inside {
        columns.push(x);
        rows.push(y);
    }
    let middle = |mut places: Vec<u32>| {
        places.sort_unstable();
        places[places.len() / 2]
    };
    let (x, y) = (middle(columns), middle(rows));
    assert_eq!(repainted.get_pixel(x, y), plain.get_pixel(x, y));
}
