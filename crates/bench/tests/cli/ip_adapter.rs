//! An IP-Adapter drawn up by formula on the UNet of the committed PASD, as the command meets it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoderConfig};
use i2am_nets::image_projection::{ImageProjection, ImageProjectionConfig};
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::{Checkpoint, attention_layers};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{ExpectedSource, Scope, formula_weights};
use safetensors::tensor::{Dtype, TensorView};

use crate::common::{SYNTH, root, run, write_model_config};

/// Width of the image encoder's states.
const STATES: i64 = 16;
/// As many as the drawn set has.
const SAMPLES: usize = 3;
/// Cross-attentions outside the middle.
const LAYERS: usize = 3;

fn encoder() -> ImageEncoderConfig {
    ImageEncoderConfig {
        hidden_size: STATES,
        intermediate_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        image_size: 28,
        patch_size: 7,
        projection_dim: STATES,
        ..ImageEncoderConfig::clip_vit_h14()
    }
}

/// Writes tensors of `shapes` by their names, filled by formula.
fn write(path: &Path, shapes: &BTreeMap<String, Vec<i64>>) {
    let bytes = |(name, shape): (&String, &Vec<i64>)| -> Vec<u8> {
        let values = formula_weights(name, shape);
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let stored: Vec<Vec<u8>> = shapes.iter().map(bytes).collect();
    let views = shapes.iter().zip(&stored).map(|((name, shape), bytes)| {
        let shape = shape.iter().map(|&n| n as usize).collect();
        (name, TensorView::new(Dtype::F32, shape, bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, path).unwrap();
}

/// Writes the adapter and its image encoder into `folder`, and a configuration that runs them.
fn prepare(folder: &Path, projection: ImageProjectionConfig) {
    let checkpoint = root().join("datasets/zoo/pasd");
    let unet = UNetConfig {
        cross: CrossAttention::Decoupled,
        ..UNetConfig::of(&Checkpoint::open(&checkpoint).unwrap()).unwrap()
    };
    let source = ExpectedSource::new();
    drop(UNet::new(&Scope::root(&source, "unet"), unet.clone()));
    drop(ImageProjection::new(
        &Scope::root(&source, "image_proj"),
        &projection,
    ));
    drop(ClipEmbedder::new(
        &Scope::root(&source, "image_encoder"),
        encoder(),
    ));
    let all = source.shapes();
    let mut adapter = all.clone();
    adapter.retain(|name, _| name.starts_with("image_proj."));
    for (index, block) in attention_layers(&unet).iter().enumerate() {
        for end in ["to_k", "to_v"] {
            let shape = all[&format!("unet.{block}.attn2_ip.{end}.weight")].clone();
            let name = format!("ip_adapter.{}.{end}_ip.weight", 2 * index + 1);
            adapter.insert(name, shape);
        }
    }
    write(&folder.join("adapter.safetensors"), &adapter);
    let images = folder.join("image_encoder");
    std::fs::create_dir_all(&images).unwrap();
    let config = serde_json::to_string(&encoder()).unwrap();
    let file = images.join("config.json");
    i2am_files::write_atomic(&file, config.as_bytes()).unwrap();
    let own = |(name, shape): (String, Vec<i64>)| {
        Some((name.strip_prefix("image_encoder.")?.to_owned(), shape))
    };
    let encoder: BTreeMap<String, Vec<i64>> = all.into_iter().filter_map(own).collect();
    write(&images.join("model.safetensors"), &encoder);
    let model = format!(
        r#"name = "adapted"
family = "ip-adapter"
checkpoint = "{}"
adapter = "adapter.safetensors"
size = [64, 64]"#,
        checkpoint.display()
    );
    write_model_config(folder, SYNTH, &model);
}

fn rows(folder: &Path) -> String {
    let stages = "generate,score,measure,correlate,report";
    let (code, text) = run(folder, &["--config", "run.toml", "--stages", stages]);
    assert_eq!(code, 0, "{text}");
    std::fs::read_to_string(folder.join("out/samples.csv")).unwrap()
}

fn count(rows: &str, parts: &[&str]) -> usize {
    let has_all = |row: &&str| parts.iter().all(|part| row.contains(part));
    rows.lines().filter(has_all).count()
}

#[test]
fn pooled_tokens_have_maps_of_the_image_only() {
    let folder = tempfile::tempdir().unwrap();
    let projection = ImageProjectionConfig::Pooled {
        tokens: 4,
        features: STATES,
        width: 32,
    };
    prepare(folder.path(), projection);
    let rows = rows(folder.path());
    assert_eq!(
        count(&rows, &["imacs_g", ",unified,", ",ok,"]),
        SAMPLES,
        "{rows}"
    );
    let layers = count(&rows, &["imacs_g", ",layer:", ".attn2_ip,", ",ok,"]);
    assert_eq!(layers, LAYERS * SAMPLES, "{rows}");
    assert_eq!(count(&rows, &["imacs_r", ",ok,"]), 0, "{rows}");
}

#[test]
fn tokens_of_patches_have_maps_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let projection = ImageProjectionConfig::Full {
        features: STATES,
        inner: STATES,
        width: 32,
    };
    prepare(folder.path(), projection);
    let rows = rows(folder.path());
    for metric in ["imacs_g", "imacs_r"] {
        assert_eq!(
            count(&rows, &[metric, ",unified,", ",ok,"]),
            SAMPLES,
            "{rows}"
        );
        let layers = count(&rows, &[metric, ",layer:", ".attn2_ip,", ",ok,"]);
        assert_eq!(layers, LAYERS * SAMPLES, "{rows}");
    }
}
