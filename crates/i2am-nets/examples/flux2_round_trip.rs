//! Writes the networks of a small FLUX.2 klein, filled by a formula, as a diffusers folder, with inputs and what they compute:
//! `scripts/golden/flux2_round_trip.py` lets the diffusers library compute the same.
//!
//!     cargo run --release -p i2am-nets --example flux2_round_trip -- FOLDER

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use i2am_nets::flux2::{Flux2, Flux2Config, Placed, Sequence};
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::{PackedVae, PackedVaeConfig, VaeConfig};
use i2am_nets::{
    CheckpointSource, ExpectedSource, NoProbe, Precision, Role, Scope, formula_weights,
};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// Tokens of the text.
const WORDS: i64 = 5;
/// Rows and columns of the generated image, and of a reference.
const GRIDS: [(i64, i64); 2] = [(4, 3), (3, 2)];
const SIGMA: f64 = 0.75;

fn sizes() -> (Flux2Config, PackedVaeConfig) {
    let transformer = Flux2Config {
        in_channels: 8,
        num_layers: 2,
        num_single_layers: 2,
        attention_head_dim: 16,
        num_attention_heads: 2,
        joint_attention_dim: 12,
        mlp_ratio: 2.0,
        axes_dims_rope: vec![2, 4, 4, 6],
        timestep_guidance_channels: 64,
        ..Flux2Config::klein_4b()
    };
    let published = PackedVaeConfig::flux2();
    let vae = PackedVaeConfig {
        vae: VaeConfig {
            block_out_channels: vec![4, 4, 4, 8],
            layers_per_block: 1,
            latent_channels: 2,
            norm_num_groups: 2,
            ..published.vae.clone()
        },
        ..published
    };
    (transformer, vae)
}

/// The `config.json` of the autoencoder, as diffusers reads it.
fn vae_config(config: &PackedVaeConfig) -> Value {
    let levels = config.vae.block_out_channels.len();
    json!({
        "_class_name": "AutoencoderKLFlux2",
        "in_channels": config.vae.in_channels,
        "out_channels": config.vae.out_channels,
        "block_out_channels": config.vae.block_out_channels,
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "layers_per_block": config.vae.layers_per_block,
        "latent_channels": config.vae.latent_channels,
        "norm_num_groups": config.vae.norm_num_groups,
        "batch_norm_eps": config.batch_norm_eps,
        "patch_size": [2, 2],
    })
}

fn transformer_config(config: &Flux2Config) -> Result<Value, Box<dyn Error>> {
    let mut value = serde_json::to_value(config)?;
    value["_class_name"] = "Flux2Transformer2DModel".into();
    value["guidance_embeds"] = false.into();
    Ok(value)
}

/// Values between -1 and 1 that differ.
fn wave(size: &[i64], step: f64) -> Tensor {
    let count = size.iter().product::<i64>();
    let phase = Tensor::arange(count, (Kind::Double, Device::Cpu)) * step;
    phase.sin().to_kind(Kind::Float).reshape(size)
}

fn save(
    path: &Path,
    tensors: &BTreeMap<String, (Vec<i64>, Vec<f32>)>,
) -> Result<(), Box<dyn Error>> {
    let bytes: Vec<(&String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let shape = shape.iter().map(|&n| n as usize).collect();
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, shape, bytes.collect())
        })
        .collect();
    let mut views = Vec::new();
    for (name, shape, bytes) in &bytes {
        views.push((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
    }
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(format), path)?;
    Ok(())
}

fn values(x: &Tensor) -> Result<(Vec<i64>, Vec<f32>), Box<dyn Error>> {
    Ok((x.size(), Vec::try_from(x.contiguous().view(-1))?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("expected the folder to be written")?;
    let _guard = tch::no_grad_guard();
    let (transformer_sizes, vae_sizes) = sizes();
    let expected = ExpectedSource::new();
    let _ = Flux2::new(
        &Scope::root(&expected, "transformer"),
        transformer_sizes.clone(),
    );
    let _ = PackedVae::new(&Scope::root(&expected, "vae"), vae_sizes.clone());
    for (network, config) in [
        ("transformer", transformer_config(&transformer_sizes)?),
        ("vae", vae_config(&vae_sizes)),
    ] {
        let own = folder.join(network);
        fs::create_dir_all(&own)?;
        i2am_files::write_atomic(own.join("config.json"), config.to_string())?;
        let prefix = format!("{network}.");
        let tensors = expected.shapes().into_iter().filter_map(|(name, shape)| {
            let below = name.strip_prefix(&prefix)?.to_owned();
            let mut values = formula_weights(&name, &shape);
            if below == "bn.running_var" {
                for value in &mut values {
                    *value = value.abs() + 0.5;
                }
            }
            Some((below, (shape, values)))
        });
        let weights = own.join("diffusion_pytorch_model.safetensors");
        save(&weights, &tensors.collect())?;
    }

    let checkpoint = Checkpoint::open(&folder)?;
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let transformer = Flux2::new(
        &Scope::root(&source, "transformer"),
        Flux2Config::of(&checkpoint)?,
    );
    let vae = PackedVae::new(
        &Scope::root(&source, "vae"),
        PackedVaeConfig::of(&checkpoint)?,
    );
    source.finish()?;
    let placed = |index: usize, role| Placed {
        role,
        grid: GRIDS[index],
        image: 10 * index as i64,
    };
    let images = [placed(0, Role::Generated), placed(1, Role::Reference(0))];
    let tokens: i64 = GRIDS.iter().map(|(height, width)| height * width).sum();
    let sequence = Sequence::new(
        &transformer_sizes,
        &[(Role::Text, WORDS)],
        &images,
        Device::Cpu,
    );
    let x = wave(&[1, tokens, transformer_sizes.in_channels], 0.37);
    let text = wave(&[1, WORDS, transformer_sizes.joint_attention_dim], 0.53);
    let picture = wave(&[1, 3, 48, 32], 0.11);
    let velocity = transformer.forward(&x, &text, SIGMA, &sequence, &mut NoProbe);
    let packed = vae.encode(&picture);
    let computed = BTreeMap::from([
        ("decoded".to_owned(), values(&vae.decode(&packed))?),
        ("packed".to_owned(), values(&packed)?),
        ("picture".to_owned(), values(&picture)?),
        ("sigma".to_owned(), (vec![1], vec![SIGMA as f32])),
        ("text".to_owned(), values(&text)?),
        ("velocity".to_owned(), values(&velocity)?),
        ("x".to_owned(), values(&x)?),
        (
            "grids".to_owned(),
            (
                vec![2, 2],
                GRIDS
                    .iter()
                    .flat_map(|&(height, width)| [height as f32, width as f32])
                    .collect(),
            ),
        ),
    ]);
    save(&folder.join("computed.safetensors"), &computed)?;
    Ok(())
}
