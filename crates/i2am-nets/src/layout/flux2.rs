//! The transformer of FLUX.2 in one file with the names of its authors, who keep queries, keys and values of a double block as the rows of one
//! tensor, and the shift of the last normalization before its scale; diffusers has them the other way round.

use std::path::Path;

use super::part::Part;
use super::view::View;
use super::{Checkpoint, ConfigFile, Entry, Layout, config_key};
use crate::NetError;

const NETWORK: &str = "transformer";

/// A tensor that only files of this layout have, once it is without a prefix.
const OWN: &str = "single_stream_modulation.lin.weight";

/// What some programs put before every name.
const PREFIX: &str = "model.diffusion_model.";

/// Names that stand once.
const WHOLE: [(&str, &str); 8] = [
    ("img_in.weight", "x_embedder.weight"),
    ("txt_in.weight", "context_embedder.weight"),
    (
        "time_in.in_layer.weight",
        "time_guidance_embed.timestep_embedder.linear_1.weight",
    ),
    (
        "time_in.out_layer.weight",
        "time_guidance_embed.timestep_embedder.linear_2.weight",
    ),
    (
        "double_stream_modulation_img.lin.weight",
        "double_stream_modulation_img.linear.weight",
    ),
    (
        "double_stream_modulation_txt.lin.weight",
        "double_stream_modulation_txt.linear.weight",
    ),
    (OWN, "single_stream_modulation.linear.weight"),
    ("final_layer.linear.weight", "proj_out.weight"),
];

/// Names in a double block.
const DOUBLE: [(&str, &str); 10] = [
    ("img_attn.norm.query_norm.scale", "attn.norm_q.weight"),
    ("img_attn.norm.key_norm.scale", "attn.norm_k.weight"),
    ("img_attn.proj.weight", "attn.to_out.0.weight"),
    ("img_mlp.0.weight", "ff.linear_in.weight"),
    ("img_mlp.2.weight", "ff.linear_out.weight"),
    ("txt_attn.norm.query_norm.scale", "attn.norm_added_q.weight"),
    ("txt_attn.norm.key_norm.scale", "attn.norm_added_k.weight"),
    ("txt_attn.proj.weight", "attn.to_add_out.weight"),
    ("txt_mlp.0.weight", "ff_context.linear_in.weight"),
    ("txt_mlp.2.weight", "ff_context.linear_out.weight"),
];

/// Three equal runs of rows in a double block.
const JOINED: [(&str, [&str; 3]); 2] = [
    (
        "img_attn.qkv.weight",
        ["attn.to_q.weight", "attn.to_k.weight", "attn.to_v.weight"],
    ),
    (
        "txt_attn.qkv.weight",
        [
            "attn.add_q_proj.weight",
            "attn.add_k_proj.weight",
            "attn.add_v_proj.weight",
        ],
    ),
];

/// Names in a single block.
const SINGLE: [(&str, &str); 4] = [
    ("linear1.weight", "attn.to_qkv_mlp_proj.weight"),
    ("linear2.weight", "attn.to_out.weight"),
    ("norm.query_norm.scale", "attn.norm_q.weight"),
    ("norm.key_norm.scale", "attn.norm_k.weight"),
];

fn bare(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Whether files are of this layout.
pub(super) fn is_flux2(parts: &[Part]) -> bool {
    let mut names = parts.iter().flat_map(Part::names);
    names.any(|(name, _)| bare(name) == OWN)
}

/// The checkpoint at `path`, whose files are `parts`. Its configuration may stand in the metadata.
pub(super) fn open(path: &Path, parts: Vec<Part>) -> Result<Checkpoint, NetError> {
    let mut checkpoint = Checkpoint::empty(path, Layout::Flux2);
    for (file, part) in parts.iter().enumerate() {
        for (name, stored) in part.names() {
            let renamed = rename(bare(name));
            if renamed.is_empty() {
                checkpoint.strangers.push(stored.to_owned());
            }
            for (below, view) in renamed {
                let name = stored.to_owned();
                let entry = Entry { file, name, view };
                let full = format!("{NETWORK}.{below}");
                checkpoint.entries.insert(full, entry);
            }
        }
        if let Some(text) = part.file.metadata(&config_key(NETWORK)) {
            let config = ConfigFile::of_text(part.file.path(), text)?;
            checkpoint.configs.insert(NETWORK.to_owned(), config);
        }
    }
    checkpoint.parts = parts;
    Ok(checkpoint)
}

/// The names of diffusers for one of the authors, and how each comes out of it; none for an unknown one.
fn rename(name: &str) -> Vec<(String, View)> {
    if name == "final_layer.adaLN_modulation.1.weight" {
        return vec![("norm_out.linear.weight".to_owned(), View::SwappedHalves)];
    }
    if let Some(new) = renamed(&WHOLE, name) {
        return vec![(new.to_owned(), View::Whole)];
    }
    let below = |blocks: &str| {
        let (index, rest) = name.strip_prefix(blocks)?.split_once('.')?;
        index.parse::<usize>().ok()?;
        Some((index, rest))
    };
    if let Some((index, rest)) = below("double_blocks.") {
        let new = |own: &str| format!("transformer_blocks.{index}.{own}");
        if let Some(own) = renamed(&DOUBLE, rest) {
            return vec![(new(own), View::Whole)];
        }
        let joined = JOINED.iter().find(|(joined, _)| *joined == rest);
        let parts = joined.into_iter().flat_map(|(_, parts)| (0..).zip(parts));
        return parts
            .map(|(part, own)| (new(own), View::Third { part }))
            .collect();
    }
    below("single_blocks.")
        .and_then(|(index, rest)| {
            let own = renamed(&SINGLE, rest)?;
            Some((
                format!("single_transformer_blocks.{index}.{own}"),
                View::Whole,
            ))
        })
        .into_iter()
        .collect()
}

fn renamed<'a>(names: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let found = names.iter().find(|(old, _)| *old == name);
    found.map(|(_, new)| *new)
}
