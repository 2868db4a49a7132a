use std::path::Path;

use anyhow::Context as _;
use i2am_nets::layout::Checkpoint;
use i2am_runner::families::recognise;
use tch::Device;

use crate::config::ZooConfig;
use crate::paint_by_example::{UNetZoo, train_unet as train};
use crate::trial::{self, LIMITS};

/// A training of a few seconds around the small checkpoint's frozen networks, in `folder`.
fn tiny(folder: &Path, change: impl Fn(&str) -> String) -> anyhow::Result<UNetZoo> {
    let text = format!(
        r#"
schema_version = 1
family = "paint-by-example"
name = "tiny"
work = "work"
output = "out/tiny"
seed = 3
frozen = "{}"
snapshots = [40]
[data]
seed = 1
count = 8
height = 64
width = 48
[diffusion]
drop_reference = 0.1
average_decay = 0.95
high_noise_weight = 4.0
[diffusion.unet]
in_channels = 9
out_channels = 4
block_out_channels = [8, 8, 16]
layers_per_block = 1
down_block_types = ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
cross_attention_dim = 96
attention_head_dim = 2
norm_num_groups = 4
norm_eps = 1e-5
[diffusion.schedule]
steps = 120
batch = 4
learning_rate = 4e-3
warm_up = 10
evaluate_every = 100
"#,
        trial::frozen().display()
    );
    match trial::config(folder, &change(&text))? {
        ZooConfig::PaintByExampleUNet(config) => Ok(*config),
        other => panic!("a paint-by-example with frozen networks, found {other:?}"),
    }
}

#[test]
fn a_short_training_learns_and_leaves_the_frozen_networks_alone() -> anyhow::Result<()> {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir()?;
    let config = tiny(folder.path(), str::to_owned)?;
    train(&config, Device::Cpu, LIMITS)?;

    trial::learned(&config.work, "diffusion", 0.8)?;
    assert!(config.work.join("diffusion-000100.png").is_file());

    let snapshot = config.output.with_file_name("tiny-000040.safetensors");
    for path in [&snapshot, &config.output] {
        let checkpoint = Checkpoint::open(path)?;
        let family = recognise(&checkpoint).context("no family knows it")?;
        assert_eq!(family.info().name, "paint-by-example");
        let report = family.inspect(&checkpoint)?;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.unused, Vec::<String>::new());
    }
    for name in [
        "vae/diffusion_pytorch_model.safetensors",
        "image_encoder/model.safetensors",
        "vae/config.json",
    ] {
        let [before, after] = [trial::frozen(), config.output.clone()].map(|root| root.join(name));
        assert!(
            i2am_files::read(&before)? == i2am_files::read(&after)?,
            "{name}"
        );
    }
    let first = |path: &Path| Checkpoint::open(path)?.tensor("unet.conv_in.weight");
    assert!(first(&snapshot)? != first(&config.output)?);

    // Around its own output: the bytes are the same again.
    let again = UNetZoo {
        frozen: config.output.clone(),
        ..config.clone()
    };
    let files = || -> anyhow::Result<Vec<Vec<u8>>> {
        let checkpoint = Checkpoint::open(&config.output)?;
        Ok(checkpoint
            .files()
            .map(i2am_files::read)
            .collect::<Result<_, _>>()?)
    };
    let before = files()?;
    train(&again, Device::Cpu, LIMITS)?;
    assert!(before == files()?);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() -> anyhow::Result<()> {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir()?;
    let refusal = |from: &str, to: &str| {
        let read = tiny(folder.path(), |text| text.replace(from, to));
        let done = read.and_then(|config| train(&config, Device::Cpu, LIMITS));
        done.map_err(|error| error.to_string()).unwrap_err()
    };
    assert_eq!(
        refusal("in_channels = 9", "in_channels = 13"),
        "diffusion.unet: expected 9 input and 4 output channels, found 13 and 4"
    );
    assert_eq!(
        refusal("cross_attention_dim = 96", "cross_attention_dim = 64"),
        "diffusion.unet.cross_attention_dim: expected 96, the width of the frozen encoder's token, found 64"
    );
    let beyond = refusal("snapshots = [40]", "snapshots = [121]");
    assert!(
        beyond.ends_with("snapshots: expected steps from 1 to 120, found 121"),
        "{beyond}"
    );
    Ok(())
}
