//! What must hold of a `StableVITON` whatever its weights.

use std::collections::BTreeMap;

use i2am_attribution::{AttentionRecord, Source};
use i2am_datasets::Sample;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{Context, NoProbe, Precision};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    ClothPosterior, Family as _, Model as _, Posterior, StableViton, StableVitonConfig,
    StableVitonPipeline, Start, recognise,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerKind;
use tch::{Device, Kind, Tensor};

use crate::common::{sampler, values};
use crate::tiny::{TinyModel, seeded};
use crate::tiny_viton::{SIZE, run, sample, tensors, write};

fn capture() -> CaptureConfig {
    CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    }
}

/// `(settings, folder to keep)` of the model filled by formula, with posterior means.
fn tiny() -> (StableVitonConfig, tempfile::TempDir) {
    changed(|_| {})
}

fn changed(
    change: impl FnOnce(&mut BTreeMap<String, Tensor>),
) -> (StableVitonConfig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut all = tensors();
    change(&mut all);
    let config = StableVitonConfig {
        posterior: Posterior::Mean,
        ..write(folder.path(), &all)
    };
    (config, folder)
}

fn recorded(config: &StableVitonConfig) -> AttentionRecord {
    let done = run(config, &sample(), &seeded(), Some(&capture())).unwrap();
    done.record.unwrap()
}

#[test]
fn a_smaller_model_with_other_heads_loads_through_the_same_code() {
    let (config, _folder) = tiny();
    let checkpoint = Checkpoint::open(&config.checkpoint).unwrap();
    let found = recognise(&checkpoint).map(|family| family.info().name);
    assert_eq!(found, Some("stable-viton"));
    let report = StableViton.inspect(&checkpoint).unwrap();
    assert!(report.is_complete(), "{:?}", report.missing);
    assert_eq!(report.unused, Vec::<String>::new());
    let facts = config.check(Some(&capture())).unwrap();
    assert_eq!((facts.size, facts.steps), (Some((32, 24)), 2));

    let record = recorded(&config);
    record.validate().unwrap();
    let names: Vec<&str> = record
        .layers
        .iter()
        .map(|layer| {
            layer
                .name
                .strip_suffix(".transformer_blocks.0.attn2")
                .unwrap()
        })
        .collect();
    // In the order in which they run: every warp block before the layer whose skip it precedes.
    assert_eq!(
        names,
        [
            "down_blocks.0.attentions.0",
            "down_blocks.1.attentions.0",
            "warp_flow_blks.0",
            "up_blocks.1.attentions.0",
            "warp_flow_blks.1",
            "up_blocks.1.attentions.1",
            "warp_flow_blks.2",
            "up_blocks.2.attentions.0",
            "warp_flow_blks.3",
            "up_blocks.2.attentions.1",
        ]
    );
    for layer in &record.layers {
        assert_eq!(layer.heads, 4);
        let expected = if layer.name.starts_with("warp") {
            Source::Spatial {
                height: layer.height,
                width: layer.width,
            }
        } else {
            Source::Tokens { count: 1 }
        };
        assert_eq!(layer.source, expected, "{}", layer.name);
    }
}

fn wave(size: &[i64]) -> Tensor {
    let count: i64 = size.iter().product();
    (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.37)
        .sin()
        .reshape(size)
}

/// Predicted noise with and without warp blocks.
fn both_ways(config: &StableVitonConfig) -> [Tensor; 2] {
    let _guard = tch::no_grad_guard();
    let pipeline = StableVitonPipeline::load(config, Device::Cpu).unwrap();
    let networks = pipeline.networks();
    let (x, hint) = (wave(&[2, 13, 16, 12]), wave(&[2, 4, 16, 12]));
    let context = Context::pooled(wave(&[2, 1, 24]));
    let t = networks.unet.timesteps(301, 2, Device::Cpu);
    let features = networks.control_model.features(&x, &hint, &t, &context);
    let warp = &networks.warp;
    [
        networks
            .unet
            .forward_warped(&x, &t, &context, warp, features, &mut NoProbe),
        networks.unet.forward(&x, &t, &context, &mut NoProbe),
    ]
}

#[test]
fn zeroed_convolutions_make_the_plain_unet() {
    let (config, _folder) = changed(|tensors| {
        for (name, tensor) in tensors {
            if name.starts_with("unet.warp_zero_convs.") {
                let _ = tensor.zero_();
            }
        }
    });
    let [warped, plain] = both_ways(&config);
    assert_eq!(warped, plain);
    let (config, _folder) = tiny();
    let [warped, plain] = both_ways(&config);
    assert_ne!(warped, plain);
}

#[test]
fn one_token_maps_cannot_change_the_picture() {
    let is_one_token = |name: &str| {
        name.contains(".attn2.to_q.") || name.contains(".attn2.to_k.") || name.contains(".norm2.")
    };
    let (config, _folder) = tiny();
    let (other, _other_folder) = changed(|tensors| {
        for (name, tensor) in tensors {
            let transformer = name.contains(".transformer_blocks.");
            if transformer && !name.contains("warp_") && is_one_token(name) {
                *tensor = tensor.flip([0]) * 1.5;
            }
        }
    });
    let run = |config| run(config, &sample(), &seeded(), Some(&capture())).unwrap();
    let (one, two) = (run(&config), run(&other));
    assert_eq!(values(&one.decoded), values(&two.decoded));
    for (a, b) in one
        .record
        .unwrap()
        .layers
        .iter()
        .zip(two.record.unwrap().layers)
    {
        let differs = a.r2g != b.r2g;
        assert_eq!(differs, a.is_one_token(), "{}", a.name);
    }
}

/// Whatever is inside or outside a mask: every token's shares sum to 1 over the positions, every position's over the reference.
#[test]
fn shares_sum_to_one() {
    let (config, _folder) = tiny();
    let record = recorded(&config);
    let steps = 2.0;
    let spatial = record.layers.iter().filter(|layer| !layer.is_one_token());
    for layer in spatial {
        let g2r = layer.g2r.as_ref().unwrap();
        for (sums, counts) in [(&layer.r2g, layer.r2g_counts), (g2r, layer.g2r_counts)] {
            assert!(
                counts.iter().all(|&count| count > 0),
                "{}: {counts:?}",
                layer.name
            );
            let cells = sums.len() / (2 * layer.heads);
            for (index, head) in sums.chunks_exact(cells).enumerate() {
                let sum: f64 = head.iter().map(|&v| f64::from(v)).sum();
                let expected = steps * counts[index / layer.heads] as f64;
                assert!(
                    (sum / expected - 1.0).abs() < 1e-5,
                    "{}: {sum} instead of {expected}",
                    layer.name
                );
            }
        }
    }
}

#[test]
fn capture_does_not_change_a_bit() {
    let (config, _folder) = tiny();
    for kind in [SamplerKind::Ddim, SamplerKind::Plms] {
        for guidance in [1.0, 3.0] {
            let config = StableVitonConfig {
                sampler: sampler(kind, 2),
                guidance,
                posterior: Posterior::Sample,
                ..config.clone()
            };
            let off = run(&config, &sample(), &seeded(), None).unwrap();
            let on = run(&config, &sample(), &seeded(), Some(&capture())).unwrap();
            assert_eq!(
                values(&off.decoded),
                values(&on.decoded),
                "{kind:?} {guidance}"
            );
            assert_eq!(off.image.as_raw(), on.image.as_raw());
        }
    }
}

/// In a first step both passes see the same latent, so the record is that of a run without guidance.
#[test]
fn only_the_pass_with_the_reference_is_recorded() {
    let (config, _folder) = tiny();
    let config = StableVitonConfig {
        sampler: sampler(SamplerKind::Ddim, 1),
        ..config
    };
    let guided = StableVitonConfig {
        guidance: 4.0,
        ..config.clone()
    };
    assert_eq!(recorded(&config), recorded(&guided));
    let latent = |config| run(config, &sample(), &seeded(), None).unwrap().latent;
    assert_ne!(latent(&config), latent(&guided));
}

/// Every purpose that a run draws noise for, in order: each is given when it is missed.
fn purposes(config: &StableVitonConfig) -> Vec<String> {
    let mut given = BTreeMap::new();
    let mut order = Vec::new();
    loop {
        match run(config, &sample(), &NoiseSource::Injected(given), None) {
            Ok(_) => return order,
            Err(RunnerError::Noise {
                purpose, expected, ..
            }) => {
                order.push(purpose);
                let zeros = |name: &String| {
                    let shape = expected.as_slice();
                    (
                        name.clone(),
                        Tensor::zeros(shape, (Kind::Float, Device::Cpu)),
                    )
                };
                given = order.iter().map(zeros).collect();
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn noise_is_drawn_where_the_settings_say() {
    let (mean, _folder) = tiny();
    let drawn = StableVitonConfig {
        posterior: Posterior::Sample,
        ..mean.clone()
    };
    let pictures = [
        "start",
        "posterior.image",
        "posterior.agnostic",
        "posterior.densepose",
    ];
    let with = |more: &[&str]| -> Vec<String> {
        pictures
            .iter()
            .chain(more)
            .map(ToString::to_string)
            .collect()
    };
    let every_call = ["posterior.cloth.0", "posterior.cloth.1"];
    assert_eq!(purposes(&drawn), with(&every_call));

    // PLMS makes one more call than there are steps.
    let plms = StableVitonConfig {
        sampler: sampler(SamplerKind::Plms, 2),
        ..drawn.clone()
    };
    assert_eq!(
        purposes(&plms),
        with(&[every_call[0], every_call[1], "posterior.cloth.2"])
    );

    let guided = StableVitonConfig {
        guidance: 2.0,
        ..drawn.clone()
    };
    let two_passes = [
        "posterior.cloth.0",
        "posterior.cloth.0.unconditional",
        "posterior.cloth.1",
        "posterior.cloth.1.unconditional",
    ];
    assert_eq!(purposes(&guided), with(&two_passes));

    let once = StableVitonConfig {
        cloth_posterior: ClothPosterior::Once,
        ..guided
    };
    assert_eq!(purposes(&once), with(&["posterior.cloth"]));

    assert_eq!(purposes(&mean), ["start"]);
    let noise = StableVitonConfig {
        start: Start::Noise,
        ..drawn
    };
    let mut expected = with(&every_call);
    expected.retain(|purpose| purpose != "posterior.image");
    assert_eq!(purposes(&noise), expected);
}

#[test]
fn the_start_is_the_noised_person_or_noise() {
    let (config, _folder) = tiny();
    let noise = StableVitonConfig {
        start: Start::Noise,
        ..config.clone()
    };
    let mut other = sample();
    other.image = other.reference.clone();
    let latent = |config: &StableVitonConfig, sample: &Sample| {
        run(config, sample, &seeded(), None).unwrap().latent
    };
    assert_ne!(latent(&config, &sample()), latent(&config, &other));
    assert_eq!(latent(&noise, &sample()), latent(&noise, &other));
}

#[test]
fn the_garment_reaches_the_picture_and_its_mask_does_not() {
    let (config, _folder) = tiny();
    let done = |sample: &Sample| run(&config, sample, &seeded(), Some(&capture())).unwrap();
    let plain = done(&sample());
    let mut other = sample();
    other.reference_mask = None;
    let unmasked = done(&other);
    assert_eq!(values(&plain.decoded), values(&unmasked.decoded));
    assert_ne!(plain.record, unmasked.record);
    other.reference = other.image.clone();
    assert_ne!(values(&plain.decoded), values(&done(&other).decoded));
}

#[test]
fn repaint_puts_the_person_back_outside_the_hole() {
    let (config, _folder) = tiny();
    let repaint = StableVitonConfig {
        repaint: true,
        ..config.clone()
    };
    let sample = sample();
    let run = |config| run(config, &sample, &seeded(), None).unwrap().image;
    let (painted, repainted) = (run(&config), run(&repaint));
    for (x, y, pixel) in repainted.enumerate_pixels() {
        let in_hole = sample.mask.get_pixel(x, y).0[0] == 255;
        if in_hole {
            assert_eq!(pixel, painted.get_pixel(x, y));
        } else {
            // The person goes through [-1, 1] and back, truncated: a level may be lost.
            let person = sample.image.get_pixel(x, y);
            assert!(
                pixel
                    .0
                    .iter()
                    .zip(person.0)
                    .all(|(a, b)| a.abs_diff(b) <= 1)
            );
        }
    }
}

#[test]
fn half_precision_runs() {
    let (config, _folder) = tiny();
    let low = StableVitonConfig {
        precision: Precision::Bf16,
        guidance: 2.0,
        ..config
    };
    let done = run(&low, &sample(), &seeded(), Some(&capture())).unwrap();
    assert_eq!(done.latent.kind(), Kind::BFloat16);
    done.record.unwrap().validate().unwrap();
}

#[test]
fn what_cannot_work_is_named() {
    let (config, _folder) = tiny();
    let message = |config: &StableVitonConfig, sample: &Sample| {
        run(config, sample, &seeded(), None)
            .unwrap_err()
            .to_string()
    };
    let mut bare = sample();
    bare.densepose = None;
    assert_eq!(
        message(&config, &bare),
        "sample drawn: a stable-viton model needs its densepose, which the data set does not give"
    );
    let odd = StableVitonConfig {
        size: [32, 20],
        ..config.clone()
    };
    let expected = "model.size: expected [height, width] in multiples of 8, found [32, 20]";
    assert_eq!(message(&odd, &sample()), expected);
    assert_eq!(odd.check(None).unwrap_err().to_string(), expected);

    let folder = tempfile::tempdir().unwrap();
    TinyModel::new().write(folder.path());
    let other = StableVitonConfig {
        checkpoint: folder.path().to_owned(),
        ..config.clone()
    };
    let message = message(&other, &sample());
    let expected =
        "expected a stable-viton checkpoint, found a UNet with 9 input channels instead of 13";
    assert!(message.ends_with(expected), "{message}");

    let (headless, _folder) = changed(|tensors| {
        tensors.remove("unet.warp_zero_convs.3.weight");
    });
    let message = headless.check(None).unwrap_err().to_string();
    let expected = "missing tensor `unet.warp_zero_convs.3.weight`";
    assert!(message.contains(expected), "{message}");
    assert_eq!(config.size, SIZE);
}
