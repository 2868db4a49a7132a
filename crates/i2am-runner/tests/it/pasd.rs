//! The fixture's tiny PASD: its networks.

use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{Heads, PixelKind, UNetConfig};
use i2am_nets::{CheckpointSource, Init, Precision, TensorSource};
use i2am_runner::families::PasdDenoiser;
use i2am_testkit::{FixtureDir, fixtures};
use serde_json::Value;
use tch::{Device, Tensor};

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

fn read(folder: &FixtureDir, network: &str) -> Checkpoint {
    let file = folder.path().join(format!("{network}.safetensors"));
    Checkpoint::open_single(&file, network, |name| Some(name.to_owned())).unwrap()
}

/// Two files as one source of tensors.
struct Pair<'a> {
    unet: CheckpointSource<'a>,
    controlnet: CheckpointSource<'a>,
}

impl TensorSource for Pair<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let file = if name.starts_with("unet.") {
            &self.unet
        } else {
            &self.controlnet
        };
        file.tensor(name, shape, init)
    }
}

/// The networks that run at every step, from two files in which every tensor has its use.
pub(crate) fn denoiser(folder: &FixtureDir) -> PasdDenoiser {
    let sidecar = folder.json("sampling");
    let [unet, controlnet] = ["unet", "controlnet"].map(|network| read(folder, network));
    let source = |checkpoint| CheckpointSource::new(checkpoint, Precision::F32, Device::Cpu);
    let pair = Pair {
        unet: source(&unet),
        controlnet: source(&controlnet),
    };
    let channels = list(&sidecar, "conditioning_embedding_out_channels");
    let denoiser = PasdDenoiser::new(&pair, &unet_config(&sidecar), PixelKind::Modules, &channels);
    for source in [pair.unet, pair.controlnet] {
        assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());
    }
    denoiser
}
