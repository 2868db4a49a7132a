//! Models made worse on purpose: by how much, and that nothing else changes.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_nets::{FormulaSource, Init, Precision, TensorSource};
use i2am_runner::capture::{CaptureConfig, InterveneConfig, ScaleRule};
use i2am_runner::damage::{Damage, Noise, NoisySource};
use i2am_runner::families::{Generated, Model, PaintByExampleConfig, Request, family};
use i2am_testkit::assert_close;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check::models;
use crate::common::values;
use crate::tiny::{SIDE, TinyModel, sample, seeded};

const DOWN: &str = "down_blocks.0.attentions.0.transformer_blocks.0.attn2";

/// `model` as a configuration with `damage` would have it, one inline table each.
pub(crate) fn damaged(settings: &Value, damage: &[&str]) -> Result<Box<dyn Model>, String> {
    let mut settings = settings.clone();
    settings
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    let text = toml::to_string(&settings).unwrap();
    let text = format!("damage = [{}]\n{text}", damage.join(", "));
    let table = DeTable::parse(&text).map_err(|error| error.to_string())?;
    let name = settings["family"].as_str().unwrap();
    let span = table.span();
    let table = Spanned::new(span, DeValue::Table(table.into_inner()));
    family(name)
        .unwrap()
        .configure(table, Path::new(""))
        .map_err(|error| error.to_string())
}

fn generate(model: &dyn Model, capture: Option<&CaptureConfig>) -> Generated {
    model.check(capture).unwrap();
    let request = Request {
        noise: &seeded(),
        capture,
        on_step: &mut |_| {},
    };
    let pipeline = model.load(Device::Cpu).unwrap();
    pipeline.generate(&sample(SIDE), request).unwrap()
}

fn decoded(model: &dyn Model) -> Vec<f32> {
    values(&generate(model, None).decoded)
}

fn tiny(folder: &Path) -> (PaintByExampleConfig, Value) {
    let mut config = TinyModel::new().write(folder);
    config.guidance = 3.0;
    let settings = config.settings();
    (config, settings)
}

fn noise(tensors: &[&str], size: f64, seed: u64) -> Damage {
    let tensors = tensors.iter().map(|&name| name.to_owned()).collect();
    Damage::Noise(Noise {
        tensors,
        size,
        seed,
    })
}

fn read(damage: &[Damage], name: &str) -> Tensor {
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    NoisySource::new(&source, damage).tensor(name, &[64, 96], Init::Zeros)
}

#[test]
fn noise_has_the_size_asked_for_and_is_the_same_each_time() {
    let name = "unet.conv_in.weight";
    let plain = read(&[], name);
    let deviation = |tensor: &Tensor| tensor.std(false).double_value(&[]);
    for size in [0.1, 0.5] {
        let noisy = read(&[noise(&["unet.*"], size, 0)], name);
        let found = deviation(&(&noisy - &plain)) / deviation(&plain);
        // 6144 draws: three standard errors are 2.7 %.
        assert!((found / size - 1.0).abs() < 0.03, "{found} for {size}");
        assert_eq!(
            values(&noisy),
            values(&read(&[noise(&["*"], size, 0)], name))
        );
    }
    let other = |damage: Damage, name: &str| values(&(read(&[damage], name) - read(&[], name)));
    let first = other(noise(&["*"], 0.1, 0), name);
    assert_ne!(first, other(noise(&["*"], 0.1, 1), name));
    assert_ne!(first, other(noise(&["*"], 0.1, 0), "unet.conv_out.weight"));
}

/// A source of ones.
struct Ones;

impl TensorSource for Ones {
    fn tensor(&self, _name: &str, shape: &[i64], _init: Init) -> Tensor {
        Tensor::ones(shape, (Kind::Float, Device::Cpu))
    }
}

#[test]
fn only_named_tensors_get_noise() {
    let (name, other) = ("unet.a.to_q.weight", "unet.a.to_k.weight");
    let damage = [noise(&["unet.*.to_q.weight"], 0.5, 0)];
    assert_ne!(values(&read(&damage, name)), values(&read(&[], name)));
    assert_eq!(values(&read(&damage, other)), values(&read(&[], other)));
    // Values that are all equal have no deviation that noise could be a share of.
    let ones = NoisySource::new(&Ones, &damage).tensor(name, &[3], Init::Ones);
    assert_eq!(values(&ones), [1.0; 3]);
}

#[test]
fn damage_of_size_0_changes_nothing_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (config, settings) = tiny(folder.path());
    let plain = decoded(&config);
    for damage in [
        "{ kind = 'noise', tensors = ['*'], size = 0.0 }",
        "{ kind = 'off', layers = ['*'], keep = 1.0 }",
        "{ kind = 'weak-reference', share = 1.0 }",
        "{ kind = 'other-reference', share = 0.0 }",
    ] {
        let model = damaged(&settings, &[damage]).unwrap();
        assert_eq!(decoded(model.as_ref()), plain, "{damage}");
    }
}

#[test]
fn a_damaged_model_generates_the_same_picture_each_time_and_another_one_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let (config, settings) = tiny(folder.path());
    let plain = decoded(&config);
    for damage in [
        "{ kind = 'noise', tensors = ['unet.*'], size = 0.2 }",
        "{ kind = 'off', layers = ['down_blocks.*'] }",
        "{ kind = 'weak-reference', share = 0.5 }",
    ] {
        let model = damaged(&settings, &[damage]).unwrap();
        let first = decoded(model.as_ref());
        assert_ne!(first, plain, "{damage}");
        assert_eq!(decoded(model.as_ref()), first, "{damage}");
    }
}

#[test]
fn heads_are_off_as_a_rule_of_intervene_switches_them_off() {
    let folder = tempfile::tempdir().unwrap();
    let (config, settings) = tiny(folder.path());
    let damage = format!("{{ kind = 'off', layers = ['{DOWN}'], heads = [1], keep = 0.25 }}");
    let model = damaged(&settings, &[&damage]).unwrap();
    let plain = CaptureConfig {
        time_groups: 2,
        ..CaptureConfig::default()
    };
    let rule = ScaleRule {
        models: None,
        layers: vec![DOWN.to_owned()],
        heads: Some(vec![1]),
        time_groups: None,
        factor: 0.25,
    };
    let intervene = InterveneConfig {
        scale: vec![rule],
        ..InterveneConfig::default()
    };
    let by_rule = generate(
        &config,
        Some(&CaptureConfig {
            intervene,
            ..plain.clone()
        }),
    );
    let by_damage = generate(model.as_ref(), Some(&plain));
    assert_eq!(values(&by_damage.decoded), values(&by_rule.decoded));
    assert_eq!(by_damage.record, by_rule.record);
    // The recorder that is needed for this leaves nothing that was not asked for.
    let unrecorded = generate(model.as_ref(), None);
    assert!(unrecorded.record.is_none());
    assert_eq!(values(&unrecorded.decoded), values(&by_rule.decoded));
}

/// `without + 2 (without + s (with - without) - without)`, from passes of other guidance scales.
#[test]
fn a_weak_reference_is_a_share_of_what_the_reference_adds() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, _) = tiny(folder.path());
    config.sampler.steps = 1;
    let latent = |config: &PaintByExampleConfig, damage: &[&str]| {
        let model = damaged(&config.settings(), damage).unwrap();
        generate(model.as_ref(), None).latent
    };
    // After one step a latent is an affine function of the predicted noise.
    let at = |guidance: f64| {
        let config = PaintByExampleConfig {
            guidance,
            ..config.clone()
        };
        latent(&config, &[])
    };
    let (without, with) = (at(0.0), at(1.0));
    config.guidance = 2.0;
    let weak = latent(&config, &["{ kind = 'weak-reference', share = 0.3 }"]);
    let expected = &without + (&with - &without) * 0.3 * 2.0;
    assert_close("latent", &values(&weak), &values(&expected), 1e-5);
}

#[test]
fn families_whose_reference_enters_otherwise_refuse_a_weak_one() {
    let mut found = BTreeMap::new();
    for (model, _, _folder) in models() {
        let weak = ["{ kind = 'weak-reference', share = 0.5 }"];
        let damaged = damaged(&model.settings(), &weak).unwrap();
        let family = model.settings()["family"].as_str().unwrap().to_owned();
        let refused = damaged.check(None).err().map(|error| error.to_string());
        let at_load = damaged
            .load(Device::Cpu)
            .err()
            .map(|error| error.to_string());
        assert_eq!(refused, at_load);
        found.insert(family, refused);
    }
    let accepted = found.iter().filter(|(_, refused)| refused.is_none());
    let accepted: Vec<&str> = accepted.map(|(family, _)| family.as_str()).collect();
    assert_eq!(accepted, ["catvton", "paint-by-example"]);
    for (family, refused) in &found {
        if let Some(message) = refused {
            let start = format!("damage.0: a {family} model cannot have a weak reference: its ");
            assert!(message.starts_with(&start), "{message}");
        }
    }
}

/// Every family reads damage, and puts it into its settings.
#[test]
fn every_family_can_be_damaged() {
    for (model, _, _folder) in models() {
        let settings = model.settings();
        // FLUX.2 has no UNet.
        let tensors = match settings["family"].as_str() {
            Some("flux2-klein") => "transformer.*",
            _ => "unet.*",
        };
        let damage = format!("{{ kind = 'noise', tensors = ['{tensors}'], size = 0.1 }}");
        let damage = [damage.as_str()];
        let damaged = damaged(&settings, &damage).unwrap();
        damaged.check(None).unwrap();
        let mut expected = settings.clone();
        expected["damage"] =
            json!([{ "kind": "noise", "tensors": [tensors], "size": 0.1, "seed": 0 }]);
        assert_eq!(damaged.settings(), expected);
        assert_eq!(damaged.name(), model.name());
        assert_eq!(damaged.needs(), model.needs());
    }
}

#[test]
fn what_cannot_be_damaged_is_refused_by_check_and_load_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (_, settings) = tiny(folder.path());
    let good = "{ kind = 'noise', tensors = ['unet.*'], size = 0.1 }";
    let weak = "{ kind = 'weak-reference', share = 0.5 }";
    for (damage, expected) in [
        (
            vec![
                good,
                "{ kind = 'noise', tensors = ['unet.*', 'unit.*'], size = 0.1 }",
            ],
            "damage.1: no tensor `unit.*`; the model has ",
        ),
        (
            vec!["{ kind = 'noise', tensors = [], size = 0.1 }"],
            "damage.0: tensors: expected at least one name, found none",
        ),
        (
            vec!["{ kind = 'noise', tensors = ['*'], size = -0.1 }"],
            "damage.0: size: expected a finite number of at least 0, found -0.1",
        ),
        (
            vec!["{ kind = 'noise', tensors = ['*'], size = inf }"],
            "damage.0: size: expected a finite number of at least 0, found inf",
        ),
        (
            vec!["{ kind = 'off', layers = ['warp.*'] }"],
            "damage.0: no layer `warp.*`; the model has ",
        ),
        (
            vec!["{ kind = 'off', layers = ['*'], heads = [7] }"],
            "damage.0: head 7 does not exist: layer ",
        ),
        (
            vec!["{ kind = 'off', layers = [] }"],
            "damage.0: expected at least one layer, found none",
        ),
        (
            vec!["{ kind = 'off', layers = ['*'], keep = 1.5 }"],
            "damage.0: keep: expected 0 to 1, found 1.5",
        ),
        (
            vec!["{ kind = 'other-reference', share = 1.5 }"],
            "damage.0: share: expected 0 to 1, found 1.5",
        ),
        (
            vec!["{ kind = 'weak-reference', share = nan }"],
            "damage.0: share: expected 0 to 1, found NaN",
        ),
        (vec![weak, weak], "damage.1: this kind is there twice"),
    ] {
        let model = damaged(&settings, &damage).unwrap();
        let by_check = model.check(None).unwrap_err().to_string();
        assert!(by_check.starts_with(expected), "{by_check}");
        let by_load = model.load(Device::Cpu).err().unwrap().to_string();
        assert_eq!(by_load, by_check);
    }
}

#[test]
fn unknown_keys_and_kinds_are_errors_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_, settings) = tiny(folder.path());
    for (damage, expected) in [
        (
            "{ kind = 'noisy' }",
            "unknown variant `noisy`, expected one of `noise`, `off`",
        ),
        ("{ kind = 'off', layer = ['*'] }", "unknown field `layer`"),
        ("{ layers = ['*'] }", "missing field `kind`"),
        (
            "{ kind = 'noise', tensors = ['*'] }",
            "missing field `size`",
        ),
        ("3", "expected struct Head"),
    ] {
        let message = damaged(&settings, &[damage]).err().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

/// A softmax over one token is 1 whatever queries and keys are: their weights make the map, and cannot touch the image. So such a map says
/// nothing of what the image depends on (`docs/faithfulness.md`).
#[test]
fn queries_and_keys_of_one_token_make_the_map_and_not_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let (config, settings) = tiny(folder.path());
    let capture = CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    };
    let noise = "{ kind = 'noise', size = 2.0, tensors = ['unet.*attn2.to_q.weight', 'unet.*attn2.to_k.weight'] }";
    let damaged = damaged(&settings, &[noise]).unwrap();
    let [own, damaged] =
        [&config as &dyn Model, damaged.as_ref()].map(|model| generate(model, Some(&capture)));
    assert_eq!(
        values(&own.decoded),
        values(&damaged.decoded),
        "bit for bit"
    );
    let [own, damaged] = [own, damaged].map(|generated| generated.record.unwrap());
    for (own, damaged) in own.layers.iter().zip(&damaged.layers) {
        let moved = own.r2g.iter().zip(&damaged.r2g).map(|(a, b)| (a - b).abs());
        let largest = own.r2g.iter().copied().fold(0.0, f32::max);
        assert!(moved.fold(0.0, f32::max) > 0.05 * largest, "{}", own.name);
    }
}
