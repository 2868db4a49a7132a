//! One file with LDM names, of a model with other depths than the published one, gives the same networks as the same weights
//! under their diffusers names.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test's own file may be half written, and this crate has no edge to i2am-files"
)]

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::layout::{BASE_KEY, Checkpoint, Layout, config_key, to_ldm};
use i2am_nets::unet::{ControlModel, Heads, UNet, UNetConfig, WarpBlocks};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{
    CheckpointSource, Context, ExpectedSource, FormulaSource, NoProbe, Precision, Scope,
    TensorSource, formula_weights,
};
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use names::{PARTS, PLACES};

/// Three levels with one residual block each; the last has no attention.
fn unet() -> UNetConfig {
    UNetConfig {
        in_channels: 13,
        out_channels: 4,
        block_out_channels: vec![32, 32, 64],
        layers_per_block: 1,
        down_block_types: [
            "CrossAttnDownBlock2D",
            "CrossAttnDownBlock2D",
            "DownBlock2D",
        ]
        .map(str::to_owned)
        .to_vec(),
        cross_attention_dim: 24,
        attention_head_dim: Heads::Same(8),
        norm_num_groups: 32,
        norm_eps: 1e-5,
        transformer_layers_per_block: 1,
        sample_size: None,
        cross: i2am_nets::layers::CrossAttention::Single,
    }
}

fn vae() -> VaeConfig {
    VaeConfig {
        block_out_channels: vec![32, 32, 64],
        layers_per_block: 1,
        ..VaeConfig::stable_diffusion_v1()
    }
}

fn image_encoder() -> ImageEncoderConfig {
    ImageEncoderConfig {
        hidden_size: 64,
        intermediate_size: 96,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        image_size: 28,
        patch_size: 14,
        projection_dim: 24,
        mapper_layers: 2,
        ..ImageEncoderConfig::clip_vit_l14()
    }
}

struct Networks {
    unet: UNet,
    warp: WarpBlocks,
    control_model: ControlModel,
    vae: Vae,
    image_encoder: ImageEncoder,
}

fn build(source: &dyn TensorSource) -> Networks {
    Networks {
        unet: UNet::new(&Scope::root(source, "unet"), unet()),
        warp: WarpBlocks::new(&Scope::root(source, "unet"), &unet()),
        control_model: ControlModel::new(&Scope::root(source, "control_model"), &unet(), 4),
        vae: Vae::new(&Scope::root(source, "vae"), vae()),
        image_encoder: ImageEncoder::new(&Scope::root(source, "image_encoder"), image_encoder()),
    }
}

/// The LDM name of a diffusers tensor.
fn ldm_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("control_model.cond_first_block.") {
        return format!("control_model.cond_first_block.0.{rest}");
    }
    if let Some(rest) = name.strip_prefix("control_model.") {
        let in_unet = ldm_name(&format!("unet.{rest}"));
        return in_unet.replace("model.diffusion_model.", "control_model.");
    }
    let (ldm, rest) = PLACES
        .iter()
        .find_map(|(ldm, diffusers)| name.strip_prefix(diffusers).map(|rest| (ldm, rest)))
        .unwrap_or_else(|| panic!("no place for {name}"));
    let resnet = ldm.starts_with("model.") && name.contains("resnets.");
    let applies =
        |place: &str| ldm.starts_with(place) && (place != "model.diffusion_model." || resnet);
    let part = PARTS
        .iter()
        .filter(|(place, _, _)| applies(place))
        .find_map(|(_, part, diffusers)| {
            rest.strip_prefix(diffusers)
                .map(|rest| format!("{part}{rest}"))
        });
    format!("{ldm}{}", part.unwrap_or_else(|| rest.to_owned()))
}

/// The weights under LDM names, as LDM stores them: mapper attention in one tensor, autoencoder attention as convolutions.
fn ldm_tensors() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let expected = ExpectedSource::new();
    build(&expected);
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    // Sorted names give queries, keys, values in this order: k, q, v. LDM's order is q, k, v.
    for (name, shape) in expected.shapes() {
        let values = formula_weights(&name, &shape);
        let mut shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        if let Some((block, rest)) = name.split_once(".attn1.to_")
            && name.starts_with("image_encoder.")
            && !rest.starts_with("out")
        {
            let (part, kind) = rest.split_once('.').unwrap();
            let block = ldm_name(&format!("{block}.attn.c_qkv.{kind}"));
            let at = ["q", "k", "v"]
                .iter()
                .position(|other| *other == part)
                .unwrap();
            let length = values.len();
            shape[0] *= 3;
            let whole = tensors
                .entry(block)
                .or_insert_with(|| (shape, vec![0.0; 3 * length]));
            whole.1[at * length..(at + 1) * length].copy_from_slice(&values);
            continue;
        }
        if name.starts_with("vae.") && name.contains("attentions.0.to_") && shape.len() == 2 {
            shape.extend([1, 1]);
        }
        tensors.insert(ldm_name(&name), (shape, values));
    }
    tensors
}

fn write(path: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
    write_noted(path, tensors, HashMap::new());
}

fn write_noted(
    path: &Path,
    tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    notes: HashMap<String, String>,
) {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, values))| {
            (
                name,
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            )
        })
        .collect();
    let view = |(name, (shape, _)): (&String, &(Vec<usize>, Vec<f32>))| {
        (
            name.clone(),
            TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap(),
        )
    };
    safetensors::serialize_to_file(tensors.iter().map(view), Some(notes), path).unwrap();
}

#[test]
fn sizes_are_inferred_and_every_tensor_finds_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut tensors = ldm_tensors();
    // What published files carry besides.
    tensors.insert("betas".to_owned(), (vec![2], vec![0.0; 2]));
    tensors.insert("model_ema.decay".to_owned(), (vec![1], vec![0.0]));
    tensors.insert(
        "cond_stage_model.transformer.vision_model.embeddings.position_ids".to_owned(),
        (vec![1], vec![0.0]),
    );
    tensors.insert("scale_factor".to_owned(), (vec![], vec![0.25]));
    tensors.insert("lastzc.bias".to_owned(), (vec![4], vec![0.0; 4]));
    tensors.insert(
        "safety_model.input_blocks.0.0.bias".to_owned(),
        (vec![1], vec![0.0]),
    );
    write(&path, &tensors);

    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.layout(), Layout::Ldm);
    assert_eq!(UNetConfig::of(&checkpoint).unwrap(), unet());
    let scaled = VaeConfig {
        scaling_factor: 0.25,
        ..vae()
    };
    assert_eq!(VaeConfig::of(&checkpoint).unwrap(), scaled);
    assert_eq!(
        ImageEncoderConfig::of(&checkpoint).unwrap(),
        image_encoder()
    );

    let expected = ExpectedSource::new();
    build(&expected);
    let report = checkpoint.compare(&expected.shapes());
    assert_eq!(report.loaded, expected.shapes().len());
    assert!(
        report.is_complete(),
        "missing {:?}, wrong {:?}",
        report.missing,
        report.wrong
    );
    assert_eq!(report.unused, ["safety_model.input_blocks.0.0.bias"]);
    let names: BTreeSet<&str> = checkpoint.names().collect();
    assert_eq!(names.len(), report.loaded + ["vae.scale_factor"].len());
}

/// A snapshot without the frozen networks, which lie in a file beside it, and both with what shapes do not tell.
#[test]
fn a_base_fills_gaps_and_configurations_are_read_from_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let (frozen, trained): (BTreeMap<_, _>, BTreeMap<_, _>) = ldm_tensors()
        .into_iter()
        .partition(|(name, _)| name.starts_with("first_stage_model."));
    let vae = VaeConfig {
        norm_num_groups: 4,
        scaling_factor: 0.5,
        ..vae()
    };
    let note = |key: &str, text: String| (key.to_owned(), text);
    let base = folder.path().join("frozen.safetensors");
    let vae_note = note(&config_key("vae"), serde_json::to_string(&vae).unwrap());
    write_noted(&base, &frozen, [vae_note].into());
    let snapshot = folder.path().join("snapshot.safetensors");
    let base_note = note(BASE_KEY, "frozen.safetensors".to_owned());
    write_noted(&snapshot, &trained, [base_note].into());

    let checkpoint = Checkpoint::open(&snapshot).unwrap();
    let files: Vec<&Path> = checkpoint.files().collect();
    assert_eq!(files, [snapshot.as_path(), base.as_path()]);
    assert_eq!(VaeConfig::of(&checkpoint).unwrap(), vae);
    assert_eq!(UNetConfig::of(&checkpoint).unwrap(), unet());
    let expected = ExpectedSource::new();
    build(&expected);
    let report = checkpoint.compare(&expected.shapes());
    assert!(report.is_complete() && report.unused.is_empty());
    let decoded = checkpoint.tensor("vae.post_quant_conv.bias").unwrap();
    let values: Vec<f32> = Vec::try_from(decoded).unwrap();
    assert_eq!(values, frozen["first_stage_model.post_quant_conv.bias"].1);

    for elsewhere in [
        "../frozen.safetensors",
        "/frozen.safetensors",
        "snapshot.safetensors",
        "",
    ] {
        let base_note = note(BASE_KEY, elsewhere.to_owned());
        write_noted(&snapshot, &trained, [base_note].into());
        let refused = Checkpoint::open(&snapshot).unwrap_err().to_string();
        assert!(
            refused.ends_with(&format!(
                "expected the name of another file or folder in the same folder, found `{elsewhere}`"
            )),
            "{refused}"
        );
    }
}

/// A snapshot of the UNet alone, beside a diffusers folder with the autoencoder and a UNet of another training.
#[test]
fn a_folder_as_base_adds_the_networks_that_lack() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("whole");
    let expected = ExpectedSource::new();
    build(&expected);
    let shapes = expected.shapes();
    let below = |network: &str| -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let own = shapes.iter().filter_map(|(name, shape)| {
            let sizes = shape.iter().map(|&n| n as usize).collect();
            let rest = name.strip_prefix(network)?.to_owned();
            Some((rest, (sizes, formula_weights(name, shape))))
        });
        own.collect()
    };
    let other: BTreeMap<_, _> = [("conv_out.extra".to_owned(), (vec![1], vec![7.0]))].into();
    let vae = VaeConfig {
        norm_num_groups: 4,
        scaling_factor: 0.5,
        ..vae()
    };
    let vae_json = serde_json::to_string(&vae).unwrap();
    for (network, tensors, config) in [
        ("unet", other, "{}".to_owned()),
        ("vae", below("vae."), vae_json),
    ] {
        let network = root.join(network);
        std::fs::create_dir_all(&network).unwrap();
        write(
            &network.join("diffusion_pytorch_model.safetensors"),
            &tensors,
        );
        std::fs::write(network.join("config.json"), config).unwrap();
    }
    let trained: BTreeMap<_, _> = ldm_tensors()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("first_stage_model."))
        .collect();
    let snapshot = folder.path().join("snapshot.safetensors");
    let note = (BASE_KEY.to_owned(), "whole".to_owned());
    write_noted(&snapshot, &trained, [note].into());

    let checkpoint = Checkpoint::open(&snapshot).unwrap();
    let files: Vec<&Path> = checkpoint.files().collect();
    let added = root.join("vae/diffusion_pytorch_model.safetensors");
    assert_eq!(files, [snapshot.as_path(), added.as_path()]);
    assert_eq!(checkpoint.layout(), Layout::Ldm);
    assert_eq!(VaeConfig::of(&checkpoint).unwrap(), vae);
    assert_eq!(UNetConfig::of(&checkpoint).unwrap(), unet());
    let report = checkpoint.compare(&shapes);
    assert!(report.is_complete() && report.unused.is_empty());
    let name = "vae.post_quant_conv.bias";
    let values: Vec<f32> = Vec::try_from(checkpoint.tensor(name).unwrap()).unwrap();
    assert_eq!(values, formula_weights(name, &shapes[name]));
}

/// The way back: the same weights under diffusers names give the tensors that were written out by hand.
#[test]
fn names_and_shapes_go_back_to_ldm() {
    let expected = ExpectedSource::new();
    build(&expected);
    let own = expected.shapes().into_iter().map(|(name, shape)| {
        let values = Tensor::from_slice(&formula_weights(&name, &shape)).reshape(shape);
        (name, values)
    });
    let stored = to_ldm(&own.collect()).unwrap();
    let by_hand = ldm_tensors();
    assert!(stored.keys().eq(by_hand.keys()));
    for (name, (shape, values)) in &by_hand {
        let size: Vec<usize> = stored[name].size().iter().map(|&n| n as usize).collect();
        assert_eq!(&size, shape, "{name}");
        let flat: Vec<f32> = Vec::try_from(stored[name].view(-1)).unwrap();
        assert_eq!(&flat, values, "{name}");
    }
    let stranger = [("unet.pixel_attentions.0.bias".to_owned(), Tensor::from(1.0))];
    assert_eq!(
        to_ldm(&stranger.into()).unwrap_err().to_string(),
        "tensor `unet.pixel_attentions.0.bias`: LDM files have no place for it alone"
    );
}

fn assert_same(what: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.size(), want.size(), "{what}");
    assert!(
        want.abs().max().double_value(&[]) > 0.0,
        "{what}: nothing to compare"
    );
    assert!(
        got == want,
        "{what}: differs by up to {}",
        (got - want).abs().max().double_value(&[])
    );
}

#[test]
fn networks_compute_the_same_from_either_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, &ldm_tensors());
    let checkpoint = Checkpoint::open(&path).unwrap();
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let from_file = build(&source);
    assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());
    let direct = build(&FormulaSource::new(Precision::F32, Device::Cpu));

    let _guard = tch::no_grad_guard();
    let wave = |size: &[i64]| {
        (Tensor::arange(size.iter().product::<i64>(), (Kind::Float, Device::Cpu)) * 0.37)
            .sin()
            .reshape(size)
    };
    let eps = |networks: &Networks| {
        let context = Context::pooled(wave(&[1, 1, 24]));
        let t = networks.unet.timesteps(301, 1, Device::Cpu);
        let x = wave(&[1, 13, 8, 8]);
        let features = networks
            .control_model
            .features(&x, &wave(&[1, 4, 8, 8]), &t, &context);
        networks
            .unet
            .forward_warped(&x, &t, &context, &networks.warp, features, &mut NoProbe)
    };
    assert_same("predicted noise", &eps(&from_file), &eps(&direct));
    let picture = wave(&[1, 3, 16, 16]);
    assert_same(
        "moments",
        &from_file.vae.moments(&picture),
        &direct.vae.moments(&picture),
    );
    let latent = wave(&[1, 4, 4, 4]);
    assert_same(
        "decoded",
        &from_file.vae.decode(&latent),
        &direct.vae.decode(&latent),
    );
    let pixels = wave(&[1, 3, 28, 28]);
    let token = |networks: &Networks| networks.image_encoder.forward(&pixels);
    assert_same("token", &token(&from_file), &token(&direct));
    assert_same(
        "no reference",
        from_file.image_encoder.unconditional(),
        direct.image_encoder.unconditional(),
    );
}
