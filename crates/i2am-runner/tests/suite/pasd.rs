//! The fixture's tiny PASD: its networks.

use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{ControlNet, Heads, PixelAttentions, PixelKind, UNet, UNetConfig};
use i2am_nets::{CheckpointSource, Precision, Scope};
use i2am_testkit::{FixtureDir, fixtures};
use serde_json::Value;
use tch::Device;

use crate::common::{committed, number};

pub(crate) fn pasd() -> Vec<FixtureDir> {
    fixtures(&committed(), "pasd")
}

fn list(sidecar: &Value, key: &str) -> Vec<i64> {
    let list = sidecar["config"][key].as_array().unwrap();
    list.iter().map(|n| n.as_i64().unwrap()).collect()
}

/// The sizes as the sidecar tells them.
pub(crate) fn unet_config(sidecar: &Value) -> UNetConfig {
    UNetConfig {
        block_out_channels: list(sidecar, "block_out_channels"),
        layers_per_block: number(sidecar, "layers_per_block") as usize,
        cross_attention_dim: number(sidecar, "cross_attention_dim"),
        attention_head_dim: Heads::Same(number(sidecar, "attention_head_dim")),
        norm_num_groups: number(sidecar, "norm_num_groups"),
        ..UNetConfig::stable_diffusion_v1(number(sidecar, "in_channels"))
    }
}

/// The trained networks, from two files in which every tensor has its use.
pub(crate) fn networks(folder: &FixtureDir) -> (UNet, PixelAttentions, ControlNet) {
    let sidecar = folder.json("sampling");
    let config = unet_config(&sidecar);
    let open = |network: &str| {
        let file = folder.path().join(format!("{network}.safetensors"));
        Checkpoint::open_single(&file, network, |name| Some(name.to_owned())).unwrap()
    };
    let checkpoint = open("unet");
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let scope = Scope::root(&source, "unet");
    let pixels = PixelAttentions::new(&scope, &config, PixelKind::Modules);
    let unet = UNet::new(&scope, config.clone());
    assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());

    let checkpoint = open("controlnet");
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let channels = list(&sidecar, "conditioning_embedding_out_channels");
    let control = ControlNet::new(
        &Scope::root(&source, "controlnet"),
        &config,
        channels.try_into().unwrap(),
    );
    assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());
    (unet, pixels, control)
}
