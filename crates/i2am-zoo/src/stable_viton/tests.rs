use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::VaeConfig;
use i2am_runner::families::{Model as _, Request, StableVitonConfig, Start, recognise};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::SamplerConfig;
use tch::{Device, Kind, Tensor};

use super::set::Drawn;
use super::{StableVitonZoo, train};
use crate::config::ZooConfig;
use crate::state;
use crate::trial::{self, LIMITS};

/// A training of a few seconds around the small checkpoint's frozen networks, in `folder`.
fn tiny(folder: &Path, change: impl Fn(&str) -> String) -> StableVitonZoo {
    let text = format!(
        r#"
schema_version = 1
family = "stable-viton"
name = "tiny"
work = "work"
output = "out"
seed = 3
frozen = "{}"
snapshots = [40]
[data]
seed = 1
count = 6
height = 64
width = 48
[evaluation]
seed = 2
count = 1
steps = 2
slot = 3
[unet]
in_channels = 13
out_channels = 4
block_out_channels = [8, 8, 16]
layers_per_block = 1
down_block_types = ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
cross_attention_dim = 96
attention_head_dim = 2
norm_num_groups = 4
norm_eps = 1e-5
[schedule]
steps = 120
batch = 4
learning_rate = 4e-3
warm_up = 10
evaluate_every = 100
[loss]
drop_reference = 0.1
average_decay = 0.95
high_noise_weight = 4.0
outside_weight = 0.2
"#,
        trial::frozen().display()
    );
    match trial::config(folder, &change(&text)).unwrap() {
        ZooConfig::StableViton(config) => *config,
        _ => panic!("the family is stable-viton"),
    }
}

fn snapshot(config: &StableVitonZoo, step: u64) -> PathBuf {
    config.output.join(format!("tiny-{step:06}.safetensors"))
}

#[test]
fn a_short_training_learns_and_its_checkpoints_load() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path(), str::to_owned);
    train(&config, Device::Cpu, LIMITS).unwrap();

    trial::learned(&config.work, "try-on", 0.8).unwrap();
    for name in ["try-on.svg", "try-on-000100.png", "evaluation.csv"] {
        assert!(config.work.join(name).is_file(), "no {name}");
    }

    for step in [40, 120] {
        let checkpoint = Checkpoint::open(&snapshot(&config, step)).unwrap();
        let family = recognise(&checkpoint).unwrap();
        assert_eq!(family.info().name, "stable-viton");
        let report = family.inspect(&checkpoint).unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.unused, Vec::<String>::new());
    }
    let settings = StableVitonConfig {
        start: Start::Noise,
        size: [64, 48],
        sampler: SamplerConfig {
            steps: 2,
            ..SamplerConfig::default()
        },
        ..StableVitonConfig::new("tiny", snapshot(&config, 120))
    };
    let drawn = Drawn::of(9, 0, &config.data);
    let noise = NoiseSource::Seeded {
        seed: 1,
        dataset: "drawn".to_owned(),
        sample: "0".to_owned(),
    };
    let request = Request {
        noise: &noise,
        capture: None,
        on_step: &mut |_| {},
    };
    let pipeline = settings.load(Device::Cpu).unwrap();
    let generated = pipeline.generate(&drawn.sample, request).unwrap();
    assert_eq!(generated.image.dimensions(), (48, 64));

    // The frozen networks come out as they went in.
    let original = Checkpoint::open(&config.frozen).unwrap();
    let exported = Checkpoint::open(&snapshot(&config, 120)).unwrap();
    for name in ["vae.encoder.conv_in.weight", "image_encoder.uncond_vector"] {
        assert!(
            original.tensor(name).unwrap() == exported.tensor(name).unwrap(),
            "{name}"
        );
    }
    refined(folder.path(), &snapshot(&config, 120));
}

/// Goes on from a snapshot under the loss on attention: after no more than a step almost nothing has changed.
fn refined(folder: &Path, start: &Path) {
    let config = tiny(&folder.join("refined"), |text| {
        text.replace(
            "seed = 3",
            &format!("seed = 4\nstart = \"{}\"", start.display()),
        )
        .replace("steps = 120", "steps = 1")
        .replace("snapshots = [40]", "snapshots = []")
        .replace("learning_rate = 4e-3", "learning_rate = 1e-6")
            + "[attention]\nloss = \"variation\"\nweight = 0.1\nlayers = [\"warp_flow_blks.2\", \"warp_flow_blks.3\"]\n"
    });
    train(&config, Device::Cpu, LIMITS).unwrap();
    let read = |path: &Path| state::read(path).unwrap().0;
    let (before, after) = (read(start), read(&snapshot(&config, 1)));
    assert!(before.keys().eq(after.keys()));
    let differences: BTreeMap<&String, f64> = before
        .iter()
        .map(|(name, tensor)| {
            let difference = (tensor.to_kind(Kind::Float) - after[name].to_kind(Kind::Float)).abs();
            (name, difference.max().double_value(&[]))
        })
        .collect();
    let worst = differences.values().copied().fold(0.0, f64::max);
    assert!(worst < 2e-3, "{differences:?}");
}

/// A stopped training goes on where it was, and what was encoded is not encoded again for it.
#[test]
fn the_encoded_set_is_kept_for_the_same_data_only() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let short = |text: &str| {
        text.replace("steps = 120", "steps = 1")
            .replace("snapshots = [40]", "snapshots = []")
    };
    let config = tiny(folder.path(), short);
    train(&config, Device::Cpu, LIMITS).unwrap();
    let cache = config.work.join("encoded.safetensors");
    let (mut tensors, metadata) = state::read(&cache).unwrap();
    let marked = Tensor::zeros_like(&tensors["tokens"]);
    tensors.insert("tokens".to_owned(), marked);
    state::write(&cache, &tensors, Kind::Half, &metadata).unwrap();
    let largest = || {
        let (tensors, _) = state::read(&cache).unwrap();
        tensors["tokens"].abs().max().double_value(&[])
    };
    train(&config, Device::Cpu, LIMITS).unwrap();
    assert!(largest() < f64::MIN_POSITIVE);
    let other = tiny(folder.path(), |text| {
        short(text).replace("count = 6", "count = 5")
    });
    train(&other, Device::Cpu, LIMITS).unwrap();
    assert!(largest() > 0.0);
}

/// An autoencoder of its own takes the place of the frozen one, and goes into the snapshot.
#[test]
fn an_autoencoder_of_its_own_is_used_and_saved() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let short = |text: &str| {
        text.replace("steps = 120", "steps = 1")
            .replace("snapshots = [40]", "snapshots = []")
    };
    let frozen = tiny(folder.path(), short).frozen;
    let own = folder.path().join("own");
    let (sizes, weights) = ("config.json", "diffusion_pytorch_model.safetensors");
    let (mut tensors, metadata) = state::read(&frozen.join("vae").join(weights)).unwrap();
    let bias = tensors["decoder.conv_out.bias"].ones_like();
    tensors.insert("decoder.conv_out.bias".to_owned(), bias);
    state::write(&own.join(weights), &tensors, Kind::Half, &metadata).unwrap();
    let text = i2am_files::read_text(frozen.join("vae").join(sizes)).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["scaling_factor"] = 0.5.into();
    i2am_files::write_atomic(own.join(sizes), config.to_string().as_bytes()).unwrap();

    let vae = format!("frozen = \"{}\"", frozen.display());
    let with_own = |text: &str| short(text).replace(&vae, &format!("vae = \"own\"\n{vae}"));
    let config = tiny(folder.path(), with_own);
    train(&config, Device::Cpu, LIMITS).unwrap();
    let saved = Checkpoint::open(&snapshot(&config, 1)).unwrap();
    let report = recognise(&saved).unwrap().inspect(&saved).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.unused, Vec::<String>::new());
    let scale = VaeConfig::of(&saved).unwrap().scaling_factor;
    assert!((scale - 0.5).abs() < f64::EPSILON, "{scale}");
    let bias = saved.tensor("vae.decoder.conv_out.bias").unwrap();
    assert!(bias == bias.ones_like(), "{bias}");
    // What is encoded by another autoencoder is not used.
    let key = |config: &StableVitonZoo| crate::frozen::identity(config).unwrap();
    assert_ne!(key(&config), key(&tiny(folder.path(), short)));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let refusal = |from: &str, to: &str| {
        let config = tiny(folder.path(), |text| text.replace(from, to));
        train(&config, Device::Cpu, LIMITS).unwrap_err().to_string()
    };
    assert_eq!(
        refusal("in_channels = 13", "in_channels = 9"),
        "unet: expected 13 input and 4 output channels, found 9 and 4"
    );
    assert_eq!(
        refusal("slot = 3", "slot = 4"),
        "slot 4: the UNet has 4 warp blocks"
    );
    assert_eq!(
        refusal("cross_attention_dim = 96", "cross_attention_dim = 64"),
        "unet.cross_attention_dim: expected 96, the width of the frozen encoder's token, found 64"
    );
    let file = refusal(
        "zoo/paint-by-example",
        "zoo/stable-viton-000500.safetensors",
    );
    assert!(
        file.ends_with("expected a diffusers folder, found the layout ldm"),
        "{file}"
    );
}
