//! What must hold of a PASD whatever its weights.

use std::path::Path;

use i2am_attribution::{LayerRecord, LocalityConfig};
use i2am_imaging::RgbImage;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{PixelKind, UNet, UNetConfig};
use i2am_nets::vae::Tiles;
use i2am_nets::{ExpectedSource, Precision, Scope};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{
    ColorFix, Generated, Model as _, PasdConfig, PasdStart, SecondNoise, family, recognise,
};
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use i2am_runner::schedule::Spacing;
use i2am_testkit::deviation;
use tempfile::TempDir;

use crate::common::values;
use crate::tiny::json;
use crate::tiny_pasd::{config, model, run, sample, sizes, write, write_tokenizer};

const KINDS: [PixelKind; 2] = [PixelKind::Modules, PixelKind::Plus];

fn tiny(kind: PixelKind) -> (PasdConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (write(kind, folder.path()), folder)
}

fn capture() -> CaptureConfig {
    CaptureConfig {
        time_groups: 2,
        locality: Some(LocalityConfig { radii: vec![0, 1] }),
        ..CaptureConfig::default()
    }
}

/// The picture without a probe, from a sample that becomes 40 × 24.
fn generated(config: &PasdConfig) -> Generated {
    run(config, &sample(10, 6), None).unwrap()
}

fn differ(a: &Generated, b: &Generated) -> bool {
    values(&a.decoded) != values(&b.decoded)
}

#[test]
fn both_kinds_are_recognised_and_complete() {
    for kind in KINDS {
        let (config, folder) = tiny(kind);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let found = recognise(&checkpoint).unwrap();
        assert_eq!(found.info().name, config.family);
        let report = found.inspect(&checkpoint).unwrap();
        assert!(report.is_complete(), "{:?}", report.missing);
        assert_eq!(report.unused, Vec::<String>::new());
        let facts = config.check(Some(&capture())).unwrap();
        // Four networks, vocabulary and merges.
        assert_eq!((facts.size, facts.steps, facts.files.len()), (None, 2, 6));
    }
}

/// Guided or not, from either start: the picture is the same bit for bit, and both directions of every pixel attention are there.
#[test]
fn recording_does_not_change_the_picture() {
    for kind in KINDS {
        let (published, _folder) = tiny(kind);
        for (guidance, start) in [
            (9.0, PasdStart::LowResolution),
            (1.0, PasdStart::LowResolution),
            (9.0, PasdStart::Noise),
        ] {
            let config = PasdConfig {
                guidance,
                start,
                ..published.clone()
            };
            let (off, on) = (
                generated(&config),
                run(&config, &sample(10, 6), Some(&capture())).unwrap(),
            );
            assert_eq!(values(&off.decoded), values(&on.decoded));
            assert_eq!(off.image, on.image);
            let record = on.record.unwrap();
            record.validate().unwrap();
            // Both sides are grids, so that there is a matching place.
            assert!(record.layers.iter().all(|layer| layer.near.is_some()));
            let grids: Vec<_> = record
                .layers
                .iter()
                .map(|layer| (layer.height, layer.width, layer.g2r.is_some()))
                .collect();
            // Two layers a level, from the lowest; the light kind has none there.
            let all = [(2, 1, true), (3, 2, true), (5, 3, true)];
            let levels = if kind == PixelKind::Plus {
                &all[1..]
            } else {
                &all
            };
            let expected: Vec<_> = levels.iter().flat_map(|&level| [level, level]).collect();
            assert_eq!(grids, expected, "{kind:?}");
        }
    }
}

/// In the first step, what the positive text's row attends to does not depend on whether there is another row.
#[test]
fn the_row_of_the_positive_text_is_recorded() {
    for kind in KINDS {
        let (guided, _folder) = tiny(kind);
        let alone = PasdConfig {
            guidance: 1.0,
            ..guided.clone()
        };
        let swapped = PasdConfig {
            added_prompt: guided.negative_prompt.clone(),
            ..alone.clone()
        };
        let first = |config: &PasdConfig| -> Vec<f32> {
            let done = run(config, &sample(10, 6), Some(&capture())).unwrap();
            let layers = done.record.unwrap().layers;
            // Inside a mask that is not there, in the first of two groups.
            let first = |layer: &LayerRecord| layer.r2g[..layer.r2g.len() / 4].to_vec();
            layers.iter().flat_map(first).collect()
        };
        let [guided, alone, swapped] = [&guided, &alone, &swapped].map(first);
        let off = deviation("recorded", &guided, &alone).relative;
        let other = deviation("recorded", &swapped, &alone).relative;
        assert!(off < 1e-5, "{kind:?}: off by {off}");
        assert!(
            other > 1e-4,
            "{kind:?}: the other text is off by {other} only"
        );
    }
}

/// Without a picture in the keys, every position of the picture gets the same.
#[test]
fn conditioning_scale_reaches_the_keys() {
    for kind in KINDS {
        let (published, _folder) = tiny(kind);
        let spread = |conditioning_scale: f64| {
            let config = PasdConfig {
                conditioning_scale,
                ..published.clone()
            };
            let done = run(&config, &sample(10, 6), Some(&capture())).unwrap();
            let layers = done.record.unwrap().layers;
            let spreads = layers.iter().map(|layer| {
                let cells = layer.height * layer.width;
                let shares = &layer.g2r.as_ref().unwrap()[..cells];
                let most = shares.iter().copied().fold(f32::MIN, f32::max);
                let least = shares.iter().copied().fold(f32::MAX, f32::min);
                (most - least) / most
            });
            spreads.fold(0.0, f32::max)
        };
        assert!(spread(0.0) < 1e-5, "{kind:?}");
        assert!(spread(1.0) > 1e-2, "{kind:?}");
    }
}

#[test]
fn readings_of_the_second_noising_are_three() {
    let (published, _folder) = tiny(PixelKind::Modules);
    let with = |start, second_noise| {
        generated(&PasdConfig {
            start,
            second_noise,
            ..published.clone()
        })
    };
    let rules = [
        SecondNoise::LastVisited,
        SecondNoise::Timestep900,
        SecondNoise::None,
    ];
    let [last, old, none] = rules.map(|rule| with(PasdStart::LowResolution, rule));
    assert!(differ(&last, &old) && differ(&old, &none) && differ(&last, &none));
    // Pure noise has no first noising either.
    let [last, old, none] = rules.map(|rule| with(PasdStart::Noise, rule));
    assert!(!differ(&last, &old) && !differ(&old, &none));
}

#[test]
fn samplers_are_a_choice() {
    let (published, _folder) = tiny(PixelKind::Modules);
    let ddim = PasdConfig {
        sampler: SamplerConfig {
            kind: SamplerKind::Ddim,
            steps: 2,
            spacing: Spacing::Ldm,
            eta: 0.0,
        },
        ..published.clone()
    };
    assert!(differ(&generated(&published), &generated(&ddim)));
}

/// The sides computed at are multiples of 8, of whatever parity below; the picture has the size asked for.
#[test]
fn any_size_is_enlarged() {
    for kind in KINDS {
        let (published, _folder) = tiny(kind);
        for (height, width, upscale, least_side, computed, asked) in [
            (10, 6, 4.0, 0, [40, 24], (24, 40)),
            (11, 9, 4.0, 0, [40, 32], (36, 44)),
            (9, 26, 1.5, 0, [8, 32], (39, 14)),
            (8, 10, 2.0, 24, [24, 24], (20, 16)),
        ] {
            let config = PasdConfig {
                upscale,
                least_side,
                ..published.clone()
            };
            let done = run(&config, &sample(height, width), Some(&capture())).unwrap();
            assert_eq!(done.decoded.size()[2..], computed, "{height}x{width}");
            assert_eq!(done.image.dimensions(), asked, "{height}x{width}");
            done.record.unwrap().validate().unwrap();
        }
    }
}

#[test]
fn colors_are_those_of_the_input_unless_not_wanted() {
    let (fixed, _folder) = tiny(PixelKind::Modules);
    let plain = PasdConfig {
        color_fix: ColorFix::None,
        ..fixed.clone()
    };
    let (fixed, plain) = (generated(&fixed), generated(&plain));
    assert!(!differ(&fixed, &plain));
    let off = |image: &RgbImage| {
        let mean = |image: &RgbImage| {
            image
                .as_raw()
                .iter()
                .map(|&level| f64::from(level))
                .sum::<f64>()
                / image.as_raw().len() as f64
        };
        (mean(image) - mean(&sample(10, 6).reference)).abs()
    };
    let (fixed, plain) = (off(&fixed.image), off(&plain.image));
    assert!(fixed < plain, "{fixed} of 255 with, {plain} without");
}

/// PASD's files beside those of Stable Diffusion, whose own UNet is not looked at.
#[test]
fn two_folders_are_as_good_as_one() {
    let (whole, _whole) = tiny(PixelKind::Modules);
    let (base, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = |name: &str| name.starts_with("unet.") || name.starts_with("controlnet.");
    let mut pasd = model(PixelKind::Modules);
    pasd.configs.retain(|name, _| own(&format!("{name}.")));
    pasd.shapes.retain(|name, _| own(name));
    pasd.write_networks(over.path());
    let mut rest = model(PixelKind::Modules);
    rest.shapes.retain(|name, _| !own(name));
    rest.configs.remove("controlnet");
    let other = UNetConfig {
        block_out_channels: vec![4, 4, 4],
        ..sizes(PixelKind::Modules).unet
    };
    let source = ExpectedSource::new();
    drop(UNet::new(&Scope::root(&source, "unet"), other.clone()));
    rest.shapes.extend(source.shapes());
    rest.configs.insert("unet", json(other));
    rest.write_networks(base.path());
    write_tokenizer(base.path());
    let two = PasdConfig {
        pasd: Some(over.path().to_owned()),
        ..config(PixelKind::Modules, base.path())
    };
    assert!(!differ(&generated(&whole), &generated(&two)));
}

/// Smaller than the picture on both sides.
fn small_tiles() -> Tiles {
    Tiles {
        encoder: 16,
        encoder_border: 0,
        decoder: 2,
        decoder_border: 0,
    }
}

/// Larger pictures than a tile: all of it is there, near the picture in one piece.
#[test]
fn tiles_are_a_setting() {
    let (published, _folder) = tiny(PixelKind::Modules);
    let tiled = PasdConfig {
        tiles: small_tiles(),
        ..published.clone()
    };
    let (whole, tiled) = (generated(&published), generated(&tiled));
    assert!(differ(&whole, &tiled));
    assert_eq!(whole.image.dimensions(), tiled.image.dimensions());
}

/// As in `precision`: without guidance, which would multiply the distance, runs were measured to end up to 9 (f16) and 20 (bf16)
/// roundings away, and 25 are allowed.
#[test]
fn half_precisions_stay_near_single_precision() {
    let (published, _folder) = tiny(PixelKind::Modules);
    for tiles in [Tiles::default(), small_tiles()] {
        let at = |precision: Precision| {
            let config = PasdConfig {
                precision,
                guidance: 1.0,
                tiles: tiles.clone(),
                ..published.clone()
            };
            let done = run(&config, &sample(10, 6), Some(&capture())).unwrap();
            assert_eq!(done.decoded.kind(), precision.kind());
            done.record.unwrap().validate().unwrap();
            values(&done.decoded)
        };
        let single = at(Precision::F32);
        for (precision, allowed) in [
            (Precision::F16, 25.0 / 2048.0),
            (Precision::Bf16, 25.0 / 256.0),
        ] {
            let off = deviation("decoded", &at(precision), &single).relative;
            assert!(0.0 < off && off < allowed, "{precision:?}: off by {off}");
        }
    }
}

#[test]
fn settings_are_read_from_toml_with_the_published_defaults() {
    let configure = |text: &str| {
        let table = toml::de::DeTable::parse(text).unwrap();
        let value = toml::Spanned::new(table.span(), toml::de::DeValue::Table(table.into_inner()));
        family("pasd-light")
            .unwrap()
            .configure(value, Path::new("/runs"))
    };
    let text = "name = \"a\"\nfamily = \"pasd-light\"\ncheckpoint = \"sd\"\npasd = \"light\"\n";
    let defaults = PasdConfig {
        pasd: Some("/runs/light".into()),
        ..PasdConfig::new("a", "pasd-light", "/runs/sd".into())
    };
    assert_eq!(
        configure(text).unwrap().settings(),
        serde_json::to_value(defaults).unwrap()
    );
    let some = configure(&format!(
        "{text}second_noise = \"timestep-900\"\ntiles.decoder = 64\n"
    ));
    let settings = some.unwrap().settings();
    assert_eq!(settings["second_noise"], "timestep-900");
    assert_eq!(settings["tiles"]["decoder"], 64);
    assert_eq!(settings["tiles"]["encoder"], 1024);
    for (given, kind, spacing, steps) in [
        ("steps = 7", "uni-pc", "linspace", 7),
        ("kind = \"ddim\"", "ddim", "ldm", 20),
    ] {
        let settings = configure(&format!("{text}[sampler]\n{given}\n"))
            .unwrap()
            .settings();
        let sampler = &settings["sampler"];
        assert_eq!(
            (&sampler["kind"], &sampler["spacing"]),
            (&kind.into(), &spacing.into())
        );
        assert_eq!(sampler["steps"], steps);
    }
    let error = configure(&format!("{text}upscal = 2\n")).err().unwrap();
    assert!(error.to_string().contains("unknown field `upscal`"));
}
