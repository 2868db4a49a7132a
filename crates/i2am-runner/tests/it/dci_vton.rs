//! Runs of DCI-VTON on Paint-by-Example's fixture and a tiny model; its settings and its files.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use i2am_datasets::{Part, Pose, Sample};
use i2am_imaging::{GrayImage, RgbImage};
use i2am_nets::layout::{Checkpoint, config_key, to_ldm};
use i2am_nets::{Context, NoProbe, formula_weights};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    DataVersion, DciVton, DciVtonConfig, DciVtonInputs, DciVtonPipeline, Family as _, Generated,
    Model as _, PaintByExample, Pipeline as _, Posterior, Request, recognise,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::pictures::{self, Quantise};
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_runner::schedule::Schedule;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use crate::common::{close, config as paint_by_example_config, paint_by_example, tensor, values};
use crate::tiny::{SIDE, TinyModel, seeded};

/// A sample for the tiny model: as high and wide as it works.
pub(crate) fn tiny_sample() -> Sample {
    let picture = |seed: u32| {
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            [x * 13 + seed, y * 29 + seed, (x + y) * 7]
                .map(|level| (level % 256) as u8)
                .into()
        })
    };
    let mask =
        |inside: fn(u32, u32) -> u8| GrayImage::from_fn(SIDE, SIDE, |x, y| [inside(x, y)].into());
    let mut joints = [[0.0; 2]; 25];
    for (joint, place) in [
        (1, [8.0, 4.0]),
        (2, [5.0, 5.0]),
        (5, [11.0, 5.0]),
        (9, [6.0, 11.0]),
        (12, [10.0, 11.0]),
    ] {
        joints[joint] = place;
    }
    Sample {
        id: "drawn".to_owned(),
        image: picture(3),
        mask: mask(|x, y| {
            if (4..12).contains(&x) && (4..12).contains(&y) {
                255
            } else {
                0
            }
        }),
        reference: picture(101),
        reference_mask: Some(mask(|x, y| {
            if (2..14).contains(&x) && y > 3 {
                255
            } else {
                0
            }
        })),
        parse: Some(mask(|x, y| {
            if (5..11).contains(&x) && (5..12).contains(&y) {
                5
            } else {
                0
            }
        })),
        agnostic_parse: Some(mask(|x, y| if x == 11 && y == 11 { 14 } else { 0 })),
        pose: Some(Pose::new(joints)),
        warped: Some(picture(57)),
        warped_mask: Some(mask(|x, _| if (5..11).contains(&x) { 255 } else { 0 })),
        ..Sample::default()
    }
}

fn run(
    config: &DciVtonConfig,
    sample: &Sample,
    noise: &NoiseSource,
    capture: Option<&CaptureConfig>,
) -> Result<Generated, RunnerError> {
    let pipeline = DciVtonPipeline::load(config, Device::Cpu)?;
    let request = Request {
        noise,
        capture,
        on_step: &mut |_| {},
    };
    pipeline.generate(sample, request)
}

/// The tiny model, and settings that load it.
pub(crate) fn tiny(folder: &Path) -> DciVtonConfig {
    let written = TinyModel::new().write(folder);
    let defaults = DciVtonConfig::new("tiny", written.checkpoint, DataVersion::V1);
    DciVtonConfig {
        sampler: SamplerConfig {
            steps: 4,
            ..defaults.sampler.clone()
        },
        size: Some([i64::from(SIDE), i64::from(SIDE)]),
        ..defaults
    }
}

/// The tiny model as an LDM file with the tensors of a loss network, if `with_loss_network`.
fn ldm_file(folder: &Path, with_loss_network: bool) -> DciVtonConfig {
    let model = TinyModel::new();
    let tensors = model.shapes.iter().map(|(name, shape)| {
        let values = formula_weights(name, shape);
        (name.clone(), Tensor::from_slice(&values).reshape(shape))
    });
    let mut named = to_ldm(&tensors.collect()).unwrap();
    if with_loss_network {
        let name = "vgg.slice1.0.weight".to_owned();
        named.insert(name, Tensor::ones([2, 3], (Kind::Float, Device::Cpu)));
    }
    let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> = named
        .into_iter()
        .map(|(name, tensor)| {
            let shape = tensor.size().iter().map(|&n| n as usize).collect();
            let bytes = values(&tensor).into_iter().flat_map(f32::to_le_bytes);
            (name, (shape, bytes.collect()))
        })
        .collect();
    let views = bytes.iter().map(|(name, (shape, bytes))| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let path = folder.join("model.safetensors");
    // The groups of its normalizations are not those of published files.
    let configs = model.configs.iter().map(|(network, config)| {
        let text = serde_json::to_string(config).unwrap();
        (config_key(network), text)
    });
    let metadata: HashMap<String, String> = configs.collect();
    safetensors::serialize_to_file(views, Some(metadata), &path).unwrap();
    DciVtonConfig {
        checkpoint: path,
        ..tiny(folder)
    }
}

/// The networks are Paint-by-Example's: loaded by this family, its fixture gives the same noise.
#[test]
fn parity_networks_are_those_of_paint_by_example() {
    for folder in paint_by_example() {
        let _guard = tch::no_grad_guard();
        let parts = folder.tensors("parts");
        let same = paint_by_example_config(&folder, SamplerConfig::default(), 1.0);
        let config = DciVtonConfig {
            size: same.size,
            unet_heads: same.unet_heads,
            clip_heads: same.clip_heads,
            ..DciVtonConfig::new("fixture", same.checkpoint, DataVersion::V1)
        };
        let pipeline = DciVtonPipeline::load(&config, Device::Cpu).unwrap();
        let eps = pipeline.networks().unet.forward(
            &tensor(&parts, "single.x9"),
            &Tensor::from_slice(&parts.i64("single.t")),
            &Context::pooled(tensor(&parts, "single.context")),
            &mut NoProbe,
        );
        close(&folder.name(), &eps, &parts, "single.eps", 3e-5);
    }
}

/// One step of DDIM by hand: channels in order, the start from the noised composite, the picture pasted back.
#[test]
fn a_run_is_what_its_description_says() {
    let folder = tempfile::tempdir().unwrap();
    for version in [DataVersion::V1, DataVersion::V2] {
        let _guard = tch::no_grad_guard();
        let config = DciVtonConfig {
            data: version,
            crop_enlargement: Some(0.15),
            posterior: Posterior::Mean,
            sampler: SamplerConfig {
                kind: SamplerKind::Ddim,
                steps: 1,
                ..SamplerConfig::default()
            },
            ..tiny(folder.path())
        };
        let sample = tiny_sample();
        let start = Tensor::arange(4 * 8 * 8, (Kind::Float, Device::Cpu))
            .sin()
            .reshape([1, 4, 8, 8]);
        let given = [("start".to_owned(), start.shallow_clone())];
        let noise = NoiseSource::Injected(given.into());
        let done = run(&config, &sample, &noise, None).unwrap();

        let pipeline = DciVtonPipeline::load(&config, Device::Cpu).unwrap();
        let networks = pipeline.networks();
        let side = i64::from(SIDE);
        let inputs = DciVtonInputs::of(&sample, version, (side, side), 0.15).unwrap();
        let scale = networks.vae.config().scaling_factor;
        let latent = |picture: &Tensor| networks.vae.encode(picture).mean * scale;
        // Signal and noise left at timestep 999, as published.
        let x = latent(&inputs.composite) * 0.068_264_91 + start * 0.997_667_23;
        let channels = [&x, &latent(&inputs.inpaint_image), &inputs.latent_keep(2)];
        let token = networks.image_encoder.forward(&inputs.clip(8));
        let t = networks.unet.timesteps(1, 1, Device::Cpu);
        let eps = networks.unet.forward(
            &Tensor::cat(&channels, 1),
            &t,
            &Context::pooled(token),
            &mut NoProbe,
        );
        let schedule = Schedule::default();
        let (now, next) = (schedule.alpha(1), schedule.first_alpha());
        let clean = (x - &eps * (1.0 - now).sqrt()) / now.sqrt();
        let last = clean * next.sqrt() + eps * (1.0 - next).sqrt();
        let worst = (&last - &done.latent).abs().max().double_value(&[]);
        assert!(
            worst < 1e-4 * last.abs().max().double_value(&[]),
            "off by {worst}"
        );

        let picture = inputs.finish(&done.decoded, true, (side, side * 3 / 4));
        assert!(pictures::unit_to_rgb(&picture, Quantise::Truncate) == done.image);
        assert_eq!(done.image.dimensions(), (SIDE * 3 / 4, SIDE));
    }
}

/// Without pasting back, the generated picture is all there is; with it, what is kept is the person's.
#[test]
fn known_pixels_are_pasted_back_unless_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let config = DciVtonConfig {
        output: Some([i64::from(SIDE); 2]),
        ..tiny(folder.path())
    };
    let sample = tiny_sample();
    let pasted = run(&config, &sample, &seeded(), None).unwrap();
    // Cut off after rounding in f32, as published: a level may be lost.
    let corner = |image: &RgbImage| image.get_pixel(0, 0).0.map(i16::from);
    let mut kept = corner(&sample.image).into_iter().zip(corner(&pasted.image));
    assert!(kept.all(|(given, kept)| (0..=1).contains(&(given - kept))));
    let bare = DciVtonConfig {
        paste_back: false,
        ..config
    };
    let bare = run(&bare, &sample, &seeded(), None).unwrap();
    assert!(bare.image == pictures::to_rgb(&bare.decoded, Quantise::Truncate));
    assert!(values(&bare.decoded) == values(&pasted.decoded) && bare.image != pasted.image);
}

/// The crop's enlargement depends on run, data set and sample alone, and lies in the published range.
#[test]
fn the_crop_is_drawn_by_seed_and_can_be_fixed() {
    let draw = |seed, sample: &str| {
        let source = NoiseSource::Seeded {
            seed,
            dataset: "d".to_owned(),
            sample: sample.to_owned(),
        };
        source.uniform("crop_enlargement").unwrap()
    };
    let bits = |seed, sample| draw(seed, sample).to_bits();
    assert_eq!(bits(1, "a"), bits(1, "a"));
    let many: Vec<f64> = (0..500).map(|seed| draw(seed, "a")).collect();
    assert!(many.iter().all(|value| (0.0..1.0).contains(value)));
    let mean = many.iter().sum::<f64>() / 500.0;
    assert!((mean - 0.5).abs() < 0.06, "{mean}");
    assert!(bits(1, "a") != bits(1, "b") && bits(1, "a") != bits(2, "a"));

    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path());
    let latents = |crop| {
        let config = DciVtonConfig {
            crop_enlargement: crop,
            ..config.clone()
        };
        values(
            &run(&config, &tiny_sample(), &seeded(), None)
                .unwrap()
                .latent,
        )
    };
    assert!(latents(None) == latents(None));
    let drawn = 0.1 + 0.1 * seeded().uniform("crop_enlargement").unwrap();
    assert!(latents(None) == latents(Some(drawn)));
}

#[test]
fn attention_is_recorded_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path());
    let capture = CaptureConfig {
        time_groups: 2,
        ..CaptureConfig::default()
    };
    let with = run(&config, &tiny_sample(), &seeded(), Some(&capture)).unwrap();
    let without = run(&config, &tiny_sample(), &seeded(), None).unwrap();
    assert!(with.image == without.image && values(&with.decoded) == values(&without.decoded));
    assert!(with.record.is_some() && without.record.is_none());
}

/// A file with a loss network is told from Paint-by-Example's; without it, it loads as well but looks like one.
#[test]
fn files_are_told_apart_by_the_loss_network() {
    let folder = tempfile::tempdir().unwrap();
    for (with_loss_network, expected) in [(true, "dci-vton"), (false, "paint-by-example")] {
        let config = ldm_file(folder.path(), with_loss_network);
        let checkpoint = Checkpoint::open(&config.checkpoint).unwrap();
        let family = recognise(&checkpoint).unwrap();
        assert_eq!(family.info().name, expected);
        let report = DciVton.inspect(&checkpoint).unwrap();
        assert!(
            report.is_complete() && report.unused.is_empty(),
            "{:?}",
            report.unused
        );
        assert_eq!(DciVton.recognise(&checkpoint).is_ok(), with_loss_network);
        assert_eq!(PaintByExample.lookalikes(&checkpoint), ["dci-vton"]);
        let facts = config.check(None).unwrap();
        assert_eq!((facts.size, facts.steps), (Some((16, 12)), 4));
    }
}

#[test]
fn what_each_version_needs() {
    let needs = |version| DciVtonConfig::new("x", "x".into(), version).needs();
    assert!(needs(DataVersion::V1).contains(&Part::AgnosticParse));
    assert!(!needs(DataVersion::V2).contains(&Part::AgnosticParse));
    for version in [DataVersion::V1, DataVersion::V2] {
        for part in [Part::Parse, Part::Pose, Part::Warped, Part::WarpedMask] {
            assert!(needs(version).contains(&part));
        }
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_loading() {
    let folder = tempfile::tempdir().unwrap();
    let good = tiny(folder.path());
    let complaint = |config: DciVtonConfig| config.check(None).unwrap_err().to_string();
    let crop = DciVtonConfig {
        crop_enlargement: Some(-0.1),
        ..good.clone()
    };
    assert!(complaint(crop).contains("model.crop_enlargement: expected 0"));
    let output = DciVtonConfig {
        output: Some([16, 0]),
        ..good.clone()
    };
    assert!(complaint(output).contains("model.output"));
    let configure = |text: &str| {
        let table = toml::de::DeTable::parse(text).unwrap();
        let value = toml::Spanned::new(table.span(), toml::de::DeValue::Table(table.into_inner()));
        DciVton.configure(value, Path::new("/runs"))
    };
    let text = "name = \"a\"\nfamily = \"dci-vton\"\ncheckpoint = \"viton512.ckpt\"\n";
    let error = configure(text).err().unwrap().to_string();
    assert!(error.contains("missing field `data`"), "{error}");
    let model = configure(&format!("{text}data = \"v2\"\n")).unwrap();
    let defaults = DciVtonConfig::new("a", "/runs/viton512.ckpt".into(), DataVersion::V2);
    assert_eq!(model.settings(), serde_json::to_value(defaults).unwrap());
    let fewer = configure(&format!(
        "{text}data = \"v2\"\nsampler = {{ steps = 20 }}\n"
    ))
    .unwrap();
    let sampler = &fewer.settings()["sampler"];
    assert_eq!(
        (sampler["kind"].as_str(), sampler["steps"].as_u64()),
        (Some("plms"), Some(20))
    );
    let misspelt = configure(&format!("{text}data = \"v2\"\nsampler = {{ step = 20 }}\n"));
    assert!(
        misspelt
            .err()
            .unwrap()
            .to_string()
            .contains("unknown field `step`")
    );
}
