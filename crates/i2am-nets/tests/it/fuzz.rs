//! Mutated configurations, indices and names: sizes that can be built, or an error.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoder, ImageEncoderConfig};
use i2am_nets::image_projection::{ImageProjection, ImageProjectionConfig};
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::unet::{
    ControlModel, ControlNet, PixelAttentions, PixelKind, UNet, UNetConfig, WarpBlocks,
};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{ExpectedSource, Scope};
use i2am_testkit::{fuzz, workspace_root};
use i2am_weights::WeightFile;

/// Lists what every network would need whose sizes `checkpoint` tells, and compares.
fn build(checkpoint: &Checkpoint) {
    let expected = ExpectedSource::new();
    let scope = |network: &str| Scope::root(&expected, network);
    if let Ok(config) = UNetConfig::of(checkpoint) {
        drop(UNet::new(&scope("unet"), config.clone()));
        if WarpBlocks::check(&config).is_ok() {
            drop(WarpBlocks::new(&scope("unet"), &config));
            drop(ControlModel::new(&scope("control_model"), &config, 4));
        }
        if PixelAttentions::check(&config, PixelKind::Modules).is_ok() {
            drop(PixelAttentions::new(
                &scope("unet"),
                &config,
                PixelKind::Modules,
            ));
            drop(ControlNet::new(&scope("controlnet"), &config, &[16, 32]));
        }
        assert!(config.size_multiple() > 0 && config.time_width() > 0);
    }
    if let Ok(config) = VaeConfig::of(checkpoint) {
        assert!(config.factor() > 0);
        drop(Vae::new(&scope("vae"), config));
    }
    if let Ok(config) = ImageEncoderConfig::of(checkpoint) {
        drop(ImageEncoder::new(&scope("image_encoder"), config));
    }
    if let Ok(Some(config)) = ImageEncoderConfig::of_embedder(checkpoint) {
        drop(ClipEmbedder::new(&scope("image_encoder"), config));
    }
    if let Ok(config) = ImageProjectionConfig::of(checkpoint) {
        drop(ImageProjection::new(&scope("image_proj"), &config));
        drop(checkpoint.ip_adapter_tensors(config.width()));
    }
    if let Ok(Some(config)) = TextEncoderConfig::of(checkpoint) {
        drop(TextEncoder::new(&scope("text_encoder"), config));
    }
    for shape in expected.shapes().values() {
        let elements = shape
            .iter()
            .try_fold(1_i64, |product, &length| product.checked_mul(length));
        assert!(elements.is_some_and(|elements| elements > 0), "{shape:?}");
    }
    drop(checkpoint.compare(&expected.shapes()));
    drop(checkpoint.examine(&expected));
}

/// A safetensors file of tensors that have a name and a shape, but no bytes: of a type that is not read.
pub(crate) fn write_names(path: &Path, tensors: &[(String, Vec<u64>)]) {
    let entry = |(name, shape): &(String, Vec<u64>)| {
        let tensor = serde_json::json!({ "dtype": "X", "shape": shape, "data_offsets": [0, 0] });
        (name.clone(), tensor)
    };
    let header: serde_json::Map<_, _> = tensors.iter().map(entry).collect();
    let header = serde_json::Value::Object(header).to_string();
    write(
        path,
        &[&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat(),
    );
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a writable folder");
    file.write_all(bytes).expect("a writable file");
}

fn zoo(name: &str) -> PathBuf {
    workspace_root().join("datasets/zoo").join(name)
}

#[test]
fn configurations() {
    let networks = ["unet", "vae", "image_encoder", "text_encoder", "controlnet"];
    let folder = tempfile::tempdir().unwrap();
    for network in networks {
        let folder = folder.path().join(network);
        std::fs::create_dir(&folder).unwrap();
        let stem = match network {
            "image_encoder" | "text_encoder" => "model",
            _ => "diffusion_pytorch_model",
        };
        let tensors = [("w".to_owned(), vec![1])];
        write_names(&folder.join(format!("{stem}.safetensors")), &tensors);
    }
    let texts = [
        "paint-by-example/unet",
        "paint-by-example/vae",
        "paint-by-example/image_encoder",
        "pasd/text_encoder",
    ]
    .map(|name| std::fs::read(zoo(name).join("config.json")).unwrap());
    let mut corpus: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    corpus.extend([
        &b"{}"[..],
        b"[1]",
        b"\xff\xfe{\0}\0",
        b"version https://git-lfs.github.com/spec/v1\n",
    ]);
    fuzz("configurations", &corpus, |text| {
        for network in networks {
            write(&folder.path().join(network).join("config.json"), text);
        }
        if let Ok(checkpoint) = Checkpoint::open(folder.path()) {
            build(&checkpoint);
        }
    });
}

/// Lines of a name and a shape, as in `conv_in.weight 24 9 3 3`.
#[test]
fn ldm_names() {
    let file = WeightFile::open(zoo("stable-viton-000500.safetensors")).unwrap();
    let mut published = String::new();
    for (name, info) in file.tensors() {
        let shape: Vec<String> = info.shape.iter().map(ToString::to_string).collect();
        let _ = writeln!(published, "{name} {}", shape.join(" "));
    }
    let corpus = [
        published.as_bytes(),
        b"model.diffusion_model.input_blocks.1.0.in_layers.0.weight 8\nmodel.diffusion_model.input_blocks.2.0.op.weight 8 8 3 3\n",
        b"first_stage_model.decoder.up.3.block.0.conv1.weight 8 8 3 3\nfirst_stage_model.encoder.down.0.block.0.conv1.weight 8 8 3 3\n",
        b"module.model.diffusion_model.out.2.weight 4 8 3 3\nmodule.control_model.input_blocks.0.0.weight 8 4 3 3\n",
        b"cond_stage_model.mapper.resblocks.0.attn.c_qkv.weight 24 8\nproj_out.weight 8 8\nlearnable_vector 1 1 8\nscale_factor\n",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.safetensors");
    fuzz("ldm-names", &corpus, |text| {
        write_names(&path, &names_of(text));
        if let Ok(checkpoint) = Checkpoint::open(&path) {
            build(&checkpoint);
        }
    });
}

/// Tensors as lines tell them.
fn names_of(text: &[u8]) -> Vec<(String, Vec<u64>)> {
    let text = String::from_utf8_lossy(text);
    let tensors = text.lines().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        (name, words.filter_map(|word| word.parse().ok()).collect())
    });
    tensors.collect()
}

/// Lines as in `image_proj.proj.weight 96 28`: the three kinds of projections, with two layers each.
#[test]
fn ip_adapters() {
    let added = "ip_adapter.1.to_k_ip.weight 16 24\nip_adapter.1.to_v_ip.weight 16 24\nip_adapter.3.to_k_ip.weight 32 24\n";
    let corpus = [
        "image_proj.proj.weight 96 28\nimage_proj.proj.bias 96\nimage_proj.norm.weight 24\nimage_proj.norm.bias 24\n",
        "image_proj.proj.0.weight 32 32\nimage_proj.proj.2.weight 24 32\nimage_proj.proj.3.weight 24\n",
        "image_proj.latents 1 16 32\nimage_proj.proj_in.weight 32 32\nimage_proj.proj_out.weight 24 32\nimage_proj.layers.0.0.to_q.weight 128 32\nimage_proj.layers.0.1.1.weight 128 32\n",
    ]
    .map(|projection| format!("{projection}{added}"));
    let corpus = corpus.each_ref().map(String::as_bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    fuzz("ip-adapters", &corpus, |text| {
        write_names(&path, &names_of(text));
        if let Ok(checkpoint) = Checkpoint::open_ip_adapter(&path) {
            build(&checkpoint);
            drop(checkpoint.of_ip_adapter(&UNetConfig::stable_diffusion_v1(9)));
        }
    });
}

#[test]
fn indices_of_shards() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let name = |n: u32| format!("model.diffusion_model.input_blocks.0.0.{n}");
    for shard in 1..=2 {
        let tensors = [(name(shard), vec![1]), (name(shard + 2), vec![2])];
        write_names(
            &path(&format!("m-0000{shard}-of-00002.safetensors")),
            &tensors,
        );
    }
    let place =
        |n: u32, shard: u32| format!(r#""{}":"m-0000{shard}-of-00002.safetensors""#, name(n));
    let index = format!(
        r#"{{"metadata":{{"total_size":4}},"weight_map":{{{},{},{},{}}}}}"#,
        place(1, 1),
        place(2, 2),
        place(3, 1),
        place(4, 2)
    );
    let corpus = [
        index.as_bytes(),
        b"{\"weight_map\":{}}",
        b"{\"weight_map\":{\"a\":\"../m\"}}",
        b"[]",
    ];
    fuzz("indices", &corpus, |text| {
        let index = path("m.safetensors.index.json");
        write(&index, text);
        if let Ok(checkpoint) = Checkpoint::open(&index) {
            let files = checkpoint.files().count();
            assert!((1..=2).contains(&files), "{files} files");
            build(&checkpoint);
        }
    });
}
