use std::path::Path;

use anyhow::Context as _;
use i2am_nets::layout::Checkpoint;
use i2am_runner::families::{Model as _, PasdConfig, Request, Tokenizer, recognise};
use i2am_runner::noise::NoiseSource;
use tch::Device;

use super::set::Drawn;
use super::{PasdZoo, tokenizer, train};
use crate::config::ZooConfig;
use crate::trial::{self, LIMITS};

/// A training of a few seconds around the small checkpoint's autoencoder, in `folder`.
fn tiny(folder: &Path, change: impl Fn(&str) -> String) -> anyhow::Result<PasdZoo> {
    let text = format!(
        r#"
schema_version = 1
family = "pasd"
name = "tiny"
work = "work"
output = "out/tiny"
seed = 3
frozen = "{}"
snapshots = [40]
prompt = "clean"
upscale = 4
conditioning = [4, 4, 8]
[data]
seed = 1
count = 8
height = 64
width = 48
[evaluation]
seed = 2
count = 1
steps = 2
radius = 2.0
timesteps = [500]
[text_encoder]
hidden_size = 8
intermediate_size = 16
num_hidden_layers = 1
num_attention_heads = 2
vocab_size = 526
max_position_embeddings = 77
[unet]
in_channels = 4
out_channels = 4
block_out_channels = [8, 8, 8]
layers_per_block = 1
down_block_types = ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
cross_attention_dim = 8
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
drop_text = 0.5
drop_additions = 0.5
small_pictures = 0.1
average_decay = 0.95
high_noise_weight = 4.0
[crops]
share = 0.5
height = 32
width = 32
"#,
        trial::frozen().display()
    );
    match trial::config(folder, &change(&text))? {
        ZooConfig::Pasd(config) => Ok(*config),
        other => panic!("the family is pasd, found {other:?}"),
    }
}

#[test]
fn a_short_training_learns_and_its_checkpoints_load() -> anyhow::Result<()> {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir()?;
    let config = tiny(folder.path(), str::to_owned)?;
    train(&config, Device::Cpu, LIMITS)?;

    trial::learned(&config.work, "pasd", 0.8)?;
    assert!(config.work.join("pasd-000100.png").is_file());
    let table = std::fs::read_to_string(config.work.join("evaluation.csv"))?;
    let columns = "step,psnr_bicubic,psnr,psnr_autoencoder,near_16,shuffled_16,near_8,shuffled_8,near_4,shuffled_4";
    assert_eq!(table.lines().next(), Some(columns));

    let checkpoint = Checkpoint::open(&config.output)?;
    let family = recognise(&checkpoint).context("no family knows it")?;
    assert_eq!(family.info().name, "pasd");
    let report = family.inspect(&checkpoint)?;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.unused, Vec::<String>::new());
    for name in ["vae/diffusion_pytorch_model.safetensors", "vae/config.json"] {
        let [before, after] = [trial::frozen(), config.output.clone()].map(|root| root.join(name));
        assert!(
            i2am_files::read(&before)? == i2am_files::read(&after)?,
            "{name}"
        );
    }
    let snapshot = config.output.with_file_name("tiny-000040");
    for pasd in [None, Some(snapshot)] {
        let settings = PasdConfig {
            pasd,
            ..config.settings("pasd")
        };
        let drawn = Drawn::of(9, 0, &config);
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
        let pipeline = settings.load(Device::Cpu)?;
        let generated = pipeline.generate(&drawn.sample, request)?;
        assert_eq!(generated.image.dimensions(), (48, 64));
    }
    same_again(&config)
}

/// What is saved does not depend on when the training was interrupted: the text encoder, too, is the one that was trained with.
fn same_again(config: &PasdZoo) -> anyhow::Result<()> {
    let files = || -> anyhow::Result<Vec<Vec<u8>>> {
        let checkpoint = Checkpoint::open(&config.output)?;
        let files = checkpoint.files().map(i2am_files::read);
        Ok(files.collect::<Result<_, _>>()?)
    };
    let before = files()?;
    train(config, Device::Cpu, LIMITS)?;
    assert!(before == files()?);
    Ok(())
}

/// Numbers as the transformers library gives them for these files.
#[test]
fn the_tokenizer_joins_what_it_knows() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    tokenizer::write(folder.path())?;
    let tokenizer = Tokenizer::open(folder.path())?;
    let vocabulary = tokenizer::vocabulary();
    let texts = |text: &str| -> anyhow::Result<Vec<String>> {
        let numbers = tokenizer.encode(text, 8)?;
        Ok(numbers
            .iter()
            .map(|&number| vocabulary[number as usize].clone())
            .collect())
    };
    let (start, end) = ("<|startoftext|>", "<|endoftext|>");
    assert_eq!(texts("")?, [&[start][..], &[end; 7]].concat());
    assert_eq!(
        texts("The thing é")?,
        [start, "the</w>", "th", "ing</w>", "Ã", "©</w>", end, end]
    );
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
        refusal("in_channels = 4", "in_channels = 9"),
        "unet: expected 4 input and output channels, found 9 and 4"
    );
    assert_eq!(
        refusal("cross_attention_dim = 8", "cross_attention_dim = 64"),
        "unet.cross_attention_dim: expected 8, the width of the text encoder, found 64"
    );
    assert_eq!(
        refusal("vocab_size = 526", "vocab_size = 49408"),
        "text_encoder.vocab_size: expected 526, found 49408"
    );
    assert_eq!(
        refusal("conditioning = [4, 4, 8]", "conditioning = [4, 4, 8, 8]"),
        "conditioning: expected channels for the autoencoder's 3 resolutions, found 4"
    );
    assert_eq!(
        refusal("channels = [8, 8, 8]", "channels = [8, 8, 16]"),
        "unet.block_out_channels: expected two equal ones last, found [8, 8, 16]"
    );
    assert_eq!(
        refusal("height = 32", "height = 72"),
        "crops: expected multiples of 16 up to 64 and 48 for height and width, found 72 and 32"
    );
    let same = refusal("seed = 2", "seed = 1");
    assert!(
        same.ends_with("evaluation.seed: expected another one than data.seed, found 1 for both"),
        "{same}"
    );
    Ok(())
}
