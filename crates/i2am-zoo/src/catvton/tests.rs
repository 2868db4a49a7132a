use std::path::Path;

use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::{Checkpoint, attention_layers};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{CheckpointSource, FreshSource, Precision, Scope};
use tch::{Device, Kind, Tensor};

use super::{CatVtonZoo, train};
use crate::config::ZooConfig;
use crate::state;
use crate::trial::{self, LIMITS};

/// A training of a few seconds around the small checkpoint's frozen autoencoder, in `folder`.
fn tiny(folder: &Path, change: impl Fn(&str) -> String) -> CatVtonZoo {
    let text = format!(
        r#"
schema_version = 1
family = "catvton"
name = "tiny"
work = "work"
output = "out/tiny"
seed = 3
frozen = "{}"
snapshots = [30]
[data]
seed = 1
count = 6
height = 64
width = 48
[evaluation]
seed = 2
count = 2
steps = 2
guidance = 2.5
[unet]
in_channels = 9
out_channels = 4
block_out_channels = [8, 8, 16]
layers_per_block = 1
down_block_types = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
cross_attention_dim = 8
attention_head_dim = 2
norm_num_groups = 4
norm_eps = 1e-5
[schedule]
steps = 100
batch = 4
learning_rate = 4e-3
warm_up = 10
evaluate_every = 50
[loss]
drop_reference = 0.1
average_decay = 0.95
high_noise_weight = 4.0
outside_weight = 0.2
"#,
        trial::frozen().display()
    );
    match trial::config(folder, &change(&text)).unwrap() {
        ZooConfig::CatVton(config) => *config,
        _ => panic!("the family is catvton"),
    }
}

/// The UNet and the self-attention of a saved folder, laid over it as the published one is.
fn opened(folder: &Path, config: &CatVtonZoo) -> Checkpoint {
    let mut checkpoint = Checkpoint::open_network(&folder.join("unet"), "unet", None).unwrap();
    let file = folder.join("attention/model.safetensors");
    let attention = Checkpoint::open_self_attention(&file, &config.keys.unet).unwrap();
    checkpoint.lay_over(attention);
    checkpoint
}

#[test]
fn a_short_training_learns_and_its_checkpoints_are_complete() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path(), str::to_owned);
    train(&config, Device::Cpu, LIMITS).unwrap();

    trial::learned(&config.work, "try-on", 0.7).unwrap();
    let table = std::fs::read_to_string(config.work.join("evaluation.csv")).unwrap();
    assert!(table.starts_with("step,hole_error,hole_error_other_garment\n50,"));
    assert!(config.work.join("try-on-000100.png").is_file());

    for name in ["tiny", "tiny-000030"] {
        let folder = config.output.with_file_name(name);
        let checkpoint = opened(&folder, &config);
        let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
        let _ = UNet::new(&Scope::root(&source, "unet"), config.keys.unet.clone());
        source.finish().unwrap();
        assert!(folder.join("scheduler/scheduler_config.json").is_file());
        assert!(
            !folder.join("vae").exists(),
            "the autoencoder is another one's"
        );
    }
}

/// Names, and which layer is behind them: the folder's own self-attention equals that of the file, layer by layer.
#[test]
fn the_attention_file_has_the_published_names_and_the_middle_last() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let config = tiny(folder.path(), |text| {
        text.replace("steps = 100", "steps = 1")
            .replace("snapshots = [30]", "snapshots = []")
    });
    train(&config, Device::Cpu, LIMITS).unwrap();
    let read = |file: &str| state::read(&config.output.join(file)).unwrap().0;
    let attention = read("attention/model.safetensors");
    let unet = read("unet/diffusion_pytorch_model.safetensors");
    assert!(unet.keys().all(|name| !name.contains(".attn2.")));
    assert!(unet.keys().any(|name| name.contains(".norm2.")));

    // Two levels of one layer down and two up, and the middle.
    let layers = attention_layers(&config.keys.unet);
    assert_eq!(layers.len(), 7);
    assert_eq!(attention.len(), 7 * 5);
    for (k, layer) in layers.iter().enumerate() {
        for rest in [
            "to_q.weight",
            "to_k.weight",
            "to_v.weight",
            "to_out.0.weight",
            "to_out.0.bias",
        ] {
            let stored = &attention[&format!("{}.{rest}", 8 * k)];
            assert!(*stored == unet[&format!("{layer}.attn1.{rest}")], "{layer}");
        }
    }
    assert_eq!(attention["48.to_q.weight"].size(), [16, 16]);
    let config_json = i2am_files::read_text(config.output.join("unet/config.json")).unwrap();
    assert!(config_json.contains("\"in_channels\": 9"), "{config_json}");
}

/// A UNet that starts from a Paint-by-Example computes, for a person alone and before its own attention is there, what that computes without
/// cross-attention: mask and masked latent have changed places and the mask its polarity.
#[test]
fn a_start_from_paint_by_example_reads_its_input_in_the_new_order() {
    let _draws = crate::trial::alone();
    let path = crate::trial::frozen();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let config = UNetConfig {
        cross: CrossAttention::Absent,
        ..UNetConfig::of(&checkpoint).unwrap()
    };
    let fresh = FreshSource::new(Device::Cpu);
    let _ = UNet::new(&Scope::root(&fresh, "unet"), config);
    let variables = fresh.variables();
    super::start::draw(&variables);
    let taken = super::start::take_over(&variables, &checkpoint).unwrap();
    assert_eq!(taken, variables.len());
    assert!(variables.keys().all(|name| !name.contains("attn2")));

    let own = |name: &str| {
        let tensor = checkpoint.tensor(&format!("unet.conv_in.{name}")).unwrap();
        tensor.to_kind(Kind::Float)
    };
    let x = Tensor::randn([1, 4, 6, 5], (Kind::Float, Device::Cpu));
    let masked = Tensor::randn([1, 4, 6, 5], (Kind::Float, Device::Cpu));
    let keep = Tensor::rand([1, 1, 6, 5], (Kind::Float, Device::Cpu)).round();
    // Without padding, since outside of the picture neither mask is anything.
    let conv = |x: &Tensor, weight: &Tensor, bias: &Tensor| {
        x.conv2d(weight, Some(bias), [1, 1], [0, 0], [1, 1], 1)
    };
    let before = conv(
        &Tensor::cat(&[&x, &masked, &keep], 1),
        &own("weight"),
        &own("bias"),
    );
    let after = conv(
        &Tensor::cat(&[&x, &(-&keep + 1.0), &masked], 1),
        &variables["unet.conv_in.weight"],
        &variables["unet.conv_in.bias"],
    );
    let worst = (before - after).abs().max().double_value(&[]);
    assert!(worst < 1e-5, "{worst}");
    for (name, variable) in &variables {
        let is_replaced = name.contains(".norm2.") && name.contains(".transformer_blocks.");
        let largest = variable.abs().max().double_value(&[]);
        assert!(
            !is_replaced || largest < f64::MIN_POSITIVE,
            "{name}: {largest}"
        );
    }
}

/// What a dropped garment leaves, and what the mask and the two pictures are: every channel of a batch has its place.
#[test]
fn channels_and_halves_are_where_the_published_model_has_them() {
    let ones = |value: f64| Tensor::full([1, 4, 2, 3], value, (Kind::Float, Device::Cpu));
    let mask = Tensor::full([1, 1, 2, 3], 1.0, (Kind::Float, Device::Cpu));
    let fixed = super::stage::fixed_channels(&mask, &ones(5.0), &ones(7.0));
    assert_eq!(fixed.size(), [1, 5, 4, 3]);
    let value = |channel, row| fixed.double_value(&[0, channel, row, 0]).round() as i64;
    assert_eq!([value(0, 1), value(0, 2)], [1, 0]);
    for channel in 1..5 {
        assert_eq!([value(channel, 1), value(channel, 2)], [5, 7]);
    }
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
        refusal("in_channels = 9", "in_channels = 13"),
        "unet: expected 9 input and 4 output channels, found 13 and 4"
    );
    let error = refusal("height = 64", "height = 72");
    assert!(error.contains("expected multiples of 16"), "{error}");
}
