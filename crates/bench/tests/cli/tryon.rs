//! Families whose self-attention reads the garment, as a user meets them: with the small models of their fixtures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::common::{root, run, write_model_config};

fn fixture(name: &str) -> PathBuf {
    root().join("crates/i2am-runner/tests/fixtures").join(name)
}

fn sidecar(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

const SET: &str = "kind = \"synth\"\nseed = 9\ncount = 2\nheight = 128\nwidth = 64\nroot = \"set\"";
const SAMPLES: usize = 2;

/// `CatVTON` in three places, and the table that names them.
fn write_catvton(folder: &Path) -> String {
    for (network, place) in [("unet", "base/unet"), ("vae", "vae")] {
        let place = folder.join(place);
        std::fs::create_dir_all(&place).unwrap();
        let config = sidecar(&format!("catvton/{network}.json"))["diffusers_config"].to_string();
        i2am_files::write_atomic(place.join("config.json"), config.as_bytes()).unwrap();
        std::fs::copy(
            fixture(&format!("catvton/{network}.safetensors")),
            place.join("diffusion_pytorch_model.safetensors"),
        )
        .unwrap();
    }
    let attention = fixture("catvton/attention.safetensors");
    format!(
        "name = \"catvton\"\nfamily = \"catvton\"\ncheckpoint = \"base\"\nvae = \"vae\"\nattention = '{}'\nsize = [128, 64]",
        attention.display()
    )
}

/// Leffa as one file, and the table that names it. What no shape tells stands in the metadata.
fn write_leffa(folder: &Path) -> String {
    let bytes = std::fs::read(fixture("leffa/weights.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let sizes = sidecar("leffa/weights.json");
    let with = |config: &str, keys: Value| {
        let mut config = sizes[config].as_object().unwrap().clone();
        config.extend(keys.as_object().unwrap().clone());
        Value::Object(config).to_string()
    };
    let unet = |channels: i64| {
        let keys = json!({"in_channels": channels, "norm_eps": 1e-5});
        with("unet_config", keys)
    };
    let colors = json!({"in_channels": 3, "out_channels": 3});
    let metadata = HashMap::from([
        ("unet/config.json".to_owned(), unet(12)),
        ("unet_encoder/config.json".to_owned(), unet(4)),
        ("vae/config.json".to_owned(), with("vae_config", colors)),
    ]);
    let path = folder.join("leffa.safetensors");
    safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();
    "name = \"leffa\"\nfamily = \"leffa\"\ncheckpoint = \"leffa.safetensors\"\nsize = [128, 64]"
        .to_owned()
}

#[test]
fn inspect_tells_files_of_both_families() {
    let folder = tempfile::tempdir().unwrap();
    for (file, family, layout, used) in [
        ("catvton/attention", "catvton", "numbered", 80),
        // 1,612 tensors, of which those of cross-attention are read by nothing.
        ("leffa/weights", "leffa", "joined", 1_452),
    ] {
        let path = fixture(&format!("{file}.safetensors"));
        let path = path.to_str().unwrap();
        let (code, text) = run(folder.path(), &["inspect", path]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(&format!("family      {family}")), "{text}");
        let tensors = format!("tensors     {used} used, 0 missing, 0 wrong, 0 unused");
        assert!(text.contains(&tensors), "{text}");
        let (_, text) = run(folder.path(), &["inspect", path, "--json"]);
        let object: Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(object["layout"], layout);
    }
}

/// A file of trained attention that lacks a tensor says which.
#[test]
fn inspect_tells_what_trained_attention_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(fixture("catvton/attention.safetensors")).unwrap();
    let mut tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.retain(|(name, _)| name != "40.to_q.weight");
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let (code, text) = run(folder.path(), &["inspect", "model.safetensors"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("79 used, 1 missing"), "{text}");
    let lacking = "unet.down_blocks.2.attentions.1.transformer_blocks.0.attn1.to_q.weight";
    assert!(text.contains(lacking), "{text}");
}

#[test]
fn a_run_scores_both_directions_in_self_attention() {
    for write in [write_catvton, write_leffa] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let model = write(path);
        write_model_config(path, SET, &model);
        let (code, text) = run(path, &["check", "--config", "run.toml"]);
        assert_eq!(code, 0, "{text}");
        let stages = "generate,score,report";
        let (code, text) = run(path, &["--config", "run.toml", "--stages", stages]);
        assert_eq!(code, 0, "{text}");
        let rows = std::fs::read_to_string(path.join("out/samples.csv")).unwrap();
        let count = |parts: &[&str]| {
            let has_all = |row: &&str| parts.iter().all(|part| row.contains(part));
            rows.lines().filter(has_all).count()
        };
        for metric in ["imacs_g", "imacs_r"] {
            assert_eq!(count(&[metric, ",unified,"]), SAMPLES, "{metric}: {rows}");
            let layers = count(&[metric, ",layer:", ".attn1"]);
            assert_eq!(layers, 15 * SAMPLES, "{metric}: {rows}");
        }
        assert_eq!(count(&["layer:mid_block"]), 0, "{rows}");
        assert_eq!(count(&["one-token"]), 0, "{rows}");
    }
}

/// The three places of a model can move: they are no settings.
#[test]
fn a_run_continues_where_its_files_have_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let model = write_catvton(path);
    write_model_config(path, SET, &model);
    let (code, text) = run(path, &["--config", "run.toml", "--stages", "generate"]);
    assert_eq!(code, 0, "{text}");
    for (old, new) in [("base", "elsewhere"), ("vae", "ft-mse")] {
        std::fs::rename(path.join(old), path.join(new)).unwrap();
    }
    std::fs::copy(
        fixture("catvton/attention.safetensors"),
        path.join("moved.safetensors"),
    )
    .unwrap();
    let attention = model.lines().find(|line| line.starts_with("attention"));
    let model = model
        .replace("checkpoint = \"base\"", "checkpoint = \"elsewhere\"")
        .replace("vae = \"vae\"", "vae = \"ft-mse\"")
        .replace(attention.unwrap(), "attention = \"moved.safetensors\"");
    write_model_config(path, SET, &model);
    let (code, text) = run(path, &["--config", "run.toml", "--stages", "score"]);
    assert_eq!(code, 0, "{text}");
}
