//! Layouts in which the transformer of FLUX.2 is published.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use i2am_nets::flux2::{Flux2, Flux2Config};
use i2am_nets::layout::{Checkpoint, Opening};
use i2am_nets::{CheckpointSource, Precision, Scope};
use i2am_testkit::FixtureDir;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use crate::flux2::{klein, values, write};

/// The tensors of the fixture's transformer by name, f32.
fn stored(fixture: &FixtureDir) -> BTreeMap<String, Tensor> {
    let path = fixture.path().join("transformer.safetensors");
    let file = Checkpoint::open_single(&path, "own", |name| Some(name.to_owned())).unwrap();
    let read = |name: &str| {
        let tensor = file.tensor(name).unwrap().to_kind(Kind::Float);
        (name["own.".len()..].to_owned(), tensor)
    };
    file.names().map(read).collect()
}

fn save(path: &Path, dtype: Dtype, tensors: &BTreeMap<String, Tensor>) {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, tensor)| {
            let bytes = |value: f32| match dtype {
                // Cut off instead of rounded.
                Dtype::BF16 => value.to_le_bytes()[2..].to_vec(),
                _ => value.to_le_bytes().to_vec(),
            };
            (name, values(tensor).into_iter().flat_map(bytes).collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, bytes)| {
        let shape = tensors[*name].size().iter().map(|&n| n as usize).collect();
        (*name, TensorView::new(dtype, shape, bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, path).unwrap();
}

/// The tensors under the names of the authors.
fn under_own_names(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let mut own = BTreeMap::new();
    for (name, tensor) in tensors {
        let joined = |parts: [&str; 3], first: &str| {
            let parts = parts.map(|part| &tensors[&name.replace(first, part)]);
            Tensor::cat(&parts, 0)
        };
        let tensor = match name.as_str() {
            "norm_out.linear.weight" => {
                let halves = tensor.chunk(2, 0);
                Tensor::cat(&[&halves[1], &halves[0]], 0)
            }
            name if name.contains("to_q.") => joined(["to_q", "to_k", "to_v"], "to_q"),
            name if name.contains("add_q_proj.") => {
                joined(["add_q_proj", "add_k_proj", "add_v_proj"], "add_q_proj")
            }
            name if ["to_k.", "to_v.", "add_k_proj.", "add_v_proj."]
                .iter()
                .any(|n| name.contains(n)) =>
            {
                continue;
            }
            _ => tensor.shallow_clone(),
        };
        let single = name.starts_with("single_transformer");
        let mut new = name.clone();
        for (ours, theirs) in [
            ("single_transformer_blocks.", "single_blocks."),
            ("transformer_blocks.", "double_blocks."),
            (
                "time_guidance_embed.timestep_embedder.linear_1",
                "time_in.in_layer",
            ),
            (
                "time_guidance_embed.timestep_embedder.linear_2",
                "time_in.out_layer",
            ),
            ("norm_out.linear", "final_layer.adaLN_modulation.1"),
            ("x_embedder", "img_in"),
            ("context_embedder", "txt_in"),
            ("proj_out", "final_layer.linear"),
            ("modulation_img.linear", "modulation_img.lin"),
            ("modulation_txt.linear", "modulation_txt.lin"),
            ("stream_modulation.linear", "stream_modulation.lin"),
            ("attn.to_qkv_mlp_proj", "linear1"),
            ("attn.to_out.0", "img_attn.proj"),
            ("attn.to_out", "linear2"),
            ("attn.to_add_out", "txt_attn.proj"),
            ("attn.to_q", "img_attn.qkv"),
            ("attn.add_q_proj", "txt_attn.qkv"),
            ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
            ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
            (
                "attn.norm_q.weight",
                if single {
                    "norm.query_norm.scale"
                } else {
                    "img_attn.norm.query_norm.scale"
                },
            ),
            (
                "attn.norm_k.weight",
                if single {
                    "norm.key_norm.scale"
                } else {
                    "img_attn.norm.key_norm.scale"
                },
            ),
            ("ff_context.linear_in", "txt_mlp.0"),
            ("ff_context.linear_out", "txt_mlp.2"),
            ("ff.linear_in", "img_mlp.0"),
            ("ff.linear_out", "img_mlp.2"),
        ] {
            new = new.replace(ours, theirs);
        }
        own.insert(new, tensor);
    }
    own
}

/// Every tensor of the transformer at `path`, which asks for all that there are.
fn read(path: &Path, precision: Precision) -> BTreeMap<String, Tensor> {
    let opening = Opening {
        networks: Some(&["transformer"]),
        ..Opening::default()
    };
    let checkpoint = Checkpoint::open_as(path, opening).unwrap();
    let config = Flux2Config::of(&checkpoint).unwrap();
    let source = CheckpointSource::new(&checkpoint, precision, Device::Cpu);
    let _ = Flux2::new(&Scope::root(&source, "transformer"), config);
    let report = source.finish().unwrap();
    assert_eq!(report.unused, Vec::<String>::new());
    let read = |name: &str| {
        let tensor = checkpoint.tensor(name).unwrap();
        (name["transformer.".len()..].to_owned(), tensor)
    };
    checkpoint.names().map(read).collect()
}

/// One file with the names of the authors holds the same network, with and without a prefix; sizes come from shapes.
#[test]
fn files_with_the_names_of_the_authors() {
    for fixture in klein() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flux-2-klein.safetensors");
        let expected = stored(&fixture);
        let own = under_own_names(&expected);
        let prefixed = own.iter().map(|(name, tensor)| {
            (
                format!("model.diffusion_model.{name}"),
                tensor.shallow_clone(),
            )
        });
        for tensors in [
            own.iter()
                .map(|(n, t)| (n.clone(), t.shallow_clone()))
                .collect(),
            prefixed.collect(),
        ] {
            save(&path, Dtype::F32, &tensors);
            let found = read(&path, Precision::F32);
            assert!(found.keys().eq(expected.keys()));
            for (name, tensor) in &found {
                assert!(tensor.equal(&expected[name]), "{name}");
            }
        }
        let checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!(checkpoint.layout().to_string(), "flux2");
        write(&fixture, folder.path());
        let of_folder = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(
            Flux2Config::of(&checkpoint).unwrap(),
            Flux2Config::of(&of_folder).unwrap()
        );
        let mut more = own;
        more.insert(
            "guidance_in.in_layer.weight".to_owned(),
            Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)),
        );
        save(&path, Dtype::F32, &more);
        let checkpoint = Checkpoint::open(&path).unwrap();
        let report = checkpoint.compare(&BTreeMap::new());
        assert!(
            report
                .unused
                .contains(&"guidance_in.in_layer.weight".to_owned())
        );
    }
}

/// As published: bfloat16 in several files with an index.
#[test]
fn shards_in_bfloat16() {
    let fixture = &klein()[0];
    let folder = tempfile::tempdir().unwrap();
    write(fixture, folder.path());
    let network = folder.path().join("transformer");
    fs::remove_file(network.join("diffusion_pytorch_model.safetensors")).unwrap();
    let tensors = stored(fixture);
    let mut shards = [BTreeMap::new(), BTreeMap::new()];
    let mut places = serde_json::Map::new();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        let shard = index % 2;
        let file = format!(
            "diffusion_pytorch_model-{:05}-of-00002.safetensors",
            shard + 1
        );
        places.insert(name.clone(), file.into());
        shards[shard].insert(name.clone(), tensor.shallow_clone());
    }
    for (index, shard) in shards.iter().enumerate() {
        let file = format!(
            "diffusion_pytorch_model-{:05}-of-00002.safetensors",
            index + 1
        );
        save(&network.join(file), Dtype::BF16, shard);
    }
    let index = serde_json::json!({"metadata": {}, "weight_map": places}).to_string();
    i2am_files::write_atomic(
        network.join("diffusion_pytorch_model.safetensors.index.json"),
        index,
    )
    .unwrap();
    let found = read(folder.path(), Precision::Bf16);
    for (name, tensor) in &found {
        assert_eq!(tensor.kind(), Kind::BFloat16, "{name}");
        let off = (tensor.to_kind(Kind::Float) - &tensors[name]).abs().max();
        let largest = tensors[name].abs().max().double_value(&[]);
        assert!(off.double_value(&[]) <= largest / 128.0, "{name}");
    }
}
