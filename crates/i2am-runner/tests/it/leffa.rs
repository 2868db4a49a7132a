//! The fixture's tiny Leffa: its file and settings. Sample and noise are as those of `CatVTON`'s fixture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use i2am_nets::layout::config_key;
use i2am_runner::families::{LeffaConfig, LeffaPipeline};
use i2am_runner::samplers::SamplerConfig;
use i2am_testkit::{FixtureDir, fixtures};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tch::Device;
use tempfile::TempDir;

use crate::common::{committed, number};

pub(crate) fn leffa() -> Vec<FixtureDir> {
    fixtures(&committed(), "leffa")
}

/// The configurations of the networks, which published files have no need of.
fn configs(fixture: &FixtureDir) -> HashMap<String, String> {
    let sidecar = fixture.json("weights");
    let with = |config: &Value, keys: Value| {
        let mut config = config.as_object().unwrap().clone();
        config.extend(keys.as_object().unwrap().clone());
        Value::Object(config).to_string()
    };
    let unet = |key: &str| {
        let channels = number(&sidecar, key);
        let keys = json!({"in_channels": channels, "norm_eps": 1e-5});
        with(&sidecar["unet_config"], keys)
    };
    let vae = with(
        &sidecar["vae_config"],
        json!({"in_channels": 3, "out_channels": 3}),
    );
    [
        ("unet", unet("in_channels")),
        ("unet_encoder", unet("reference_in_channels")),
        ("vae", vae),
    ]
    .map(|(network, config)| (config_key(network), config))
    .into()
}

/// Writes the fixture's weights with `rename`d names; what has none is left out.
pub(crate) fn write(
    fixture: &FixtureDir,
    folder: &Path,
    rename: impl Fn(&str) -> Option<String>,
) -> PathBuf {
    let bytes = std::fs::read(fixture.path().join("weights.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let path = folder.join("leffa.safetensors");
    let views = tensors.tensors().into_iter();
    let views = views.filter_map(|(name, view)| Some((rename(&name)?, view)));
    safetensors::serialize_to_file(views, Some(configs(fixture)), &path).unwrap();
    path
}

/// The fixture as one file, and the settings that its run had.
pub(crate) fn model(fixture: &FixtureDir) -> (LeffaConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(fixture, folder.path(), |name| Some(name.to_owned()));
    let sizes = fixture.json("sampling");
    let published = LeffaConfig::new("fixture", path);
    let config = LeffaConfig {
        sampler: SamplerConfig {
            steps: number(&sizes, "steps") as u32,
            ..published.sampler.clone()
        },
        size: [
            number(&sizes, "image_height"),
            number(&sizes, "image_width"),
        ],
        ..published
    };
    (config, folder)
}

pub(crate) fn load(config: &LeffaConfig) -> LeffaPipeline {
    LeffaPipeline::load(config, Device::Cpu).unwrap()
}
