use std::path::Path;

use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{CheckpointSource, Precision, Scope};
use tch::Device;

use super::set::Printed;
use super::{AutoencoderZoo, train};
use crate::config::ZooConfig;
use crate::trial::{self, LIMITS};

/// A training of a few seconds from the small checkpoint's autoencoder, in `folder`.
fn tiny(folder: &Path, change: impl Fn(&str) -> String) -> AutoencoderZoo {
    let text = format!(
        r#"
schema_version = 1
family = "autoencoder"
name = "sharper"
work = "work"
output = "."
seed = 3
frozen = "{}"
snapshots = []
crop = 64
latent_channels = 6
[data]
seed = 1
count = 1
height = 64
width = 48
[evaluation]
seed = 2
count = 1
[schedule]
steps = 100
batch = 4
learning_rate = 1e-3
warm_up = 5
evaluate_every = 100
[loss]
kl_weight = 1e-6
print_weight = 10.0
average_decay = 0.95
"#,
        trial::frozen().display()
    );
    match trial::config(folder, &change(&text)).unwrap() {
        ZooConfig::Autoencoder(config) => *config,
        _ => panic!("the family is autoencoder"),
    }
}

/// On a single sample the loss falls quickly. What is saved has the wanted channels, and a scale that brings latents to unit variance.
#[test]
fn a_short_training_learns_and_its_scale_fits() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path(), str::to_owned);
    train(&config, Device::Cpu, LIMITS).unwrap();

    trial::learned(&config.work, "autoencoder", 0.8).unwrap();
    for name in ["autoencoder-000100.png", "evaluation.csv"] {
        assert!(config.work.join(name).is_file(), "no {name}");
    }

    let saved = Checkpoint::open_network(&folder.path().join("sharper"), "vae", None).unwrap();
    let sizes = VaeConfig::of(&saved).unwrap();
    assert_eq!(sizes.latent_channels, 6);
    let scale = sizes.scaling_factor;
    let source = CheckpointSource::new(&saved, Precision::F32, Device::Cpu);
    let vae = Vae::new(&Scope::root(&source, "vae"), sizes);
    let person = Printed::draw(1, 0, &config.data).person(Device::Cpu);
    let deviation = (vae.encode(&person).mean * scale).std(true);
    let deviation = deviation.double_value(&[]);
    assert!((deviation - 1.0).abs() < 0.01, "{deviation}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let refusal = |from: &str, to: &str| {
        let config = tiny(folder.path(), |text| text.replace(from, to));
        train(&config, Device::Cpu, LIMITS).unwrap_err().to_string()
    };
    let fewer = refusal("latent_channels = 6", "latent_channels = 3");
    assert!(
        fewer.starts_with("latent_channels: expected at least 4, as the autoencoder in ")
            && fewer.ends_with(", found 3"),
        "{fewer}"
    );
    assert_eq!(
        refusal("crop = 64", "crop = 30"),
        "crop: expected a multiple of 4, found 30"
    );
}
