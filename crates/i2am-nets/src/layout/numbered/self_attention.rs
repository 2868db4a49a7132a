//! The trained self-attention that `CatVTON` publishes: a list of all modules within the UNet's `attn1`, by number. Every `attn1` has eight
//! of them: itself, `to_q`, `to_k`, `to_v`, `to_out`, the two of `to_out`, and what runs it; so the `attn1` of the `k`-th block is number `8k`.
//!
//! A tensor has a name by every module that it is in. The published files have the one by `attn1` itself; programs that save the list anew
//! keep another, or all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::attention_layers;
use crate::NetError;
use crate::layers::CrossAttention;
use crate::layout::part::Part;
use crate::layout::view::View;
use crate::layout::{Checkpoint, Entry, Layout, Shapes};
use crate::scope::Scope;
use crate::source::ExpectedSource;
use crate::unet::{UNet, UNetConfig};

/// Modules within one `attn1`, itself included.
const MODULES: usize = 8;

/// The tensors of an `attn1`.
const TENSORS: [&str; 5] = [
    "to_q.weight",
    "to_k.weight",
    "to_v.weight",
    "to_out.0.weight",
    "to_out.0.bias",
];

/// The number of the block and the tensor within its `attn1` that a name in the file stands for.
fn meaning(name: &str) -> Option<(usize, &'static str)> {
    let (number, rest) = name.split_once('.')?;
    // A number that no file can have is refused by the list of layers.
    let number: usize = number.parse().ok()?;
    let of = |tensor: &str| TENSORS.into_iter().find(|known| *known == tensor);
    let tensor = match number % MODULES {
        0 => of(rest),
        1 => of(&format!("to_q.{rest}")),
        2 => of(&format!("to_k.{rest}")),
        3 => of(&format!("to_v.{rest}")),
        4 => of(&format!("to_out.{rest}")),
        5 => of(&format!("to_out.0.{rest}")),
        _ => None,
    };
    Some((number / MODULES, tensor?))
}

/// Whether the names of a file are of this kind.
pub(in crate::layout) fn is_numbered(parts: &[Part]) -> bool {
    let mut names = parts.iter().flat_map(Part::names);
    let mut is_any = false;
    names.all(|(name, _)| {
        is_any = true;
        meaning(name).is_some()
    }) && is_any
}

/// The file at `path` as a checkpoint of a UNet's `attn1` alone, whose blocks are those of Stable Diffusion v1.
pub(in crate::layout) fn open(path: &Path, parts: Vec<Part>) -> Result<Checkpoint, NetError> {
    let layers = attention_layers(&UNetConfig::stable_diffusion_v1(9));
    let mut checkpoint = Checkpoint::empty(path, Layout::Numbered);
    for (file, part) in parts.iter().enumerate() {
        for (place, stored) in places(part)? {
            checkpoint.add(file, &layers, place, stored);
        }
    }
    checkpoint.parts = parts;
    Ok(checkpoint)
}

impl Checkpoint {
    /// Opens the file of numbered self-attention that belongs to a UNet of these sizes, for which it must have every tensor and no
    /// other.
    ///
    /// # Errors
    /// A file that cannot be read; [`NetError::Layout`] for a tensor that is missing, has another shape, is none of self-attention, or
    /// is there twice with other values.
    pub fn open_self_attention(path: &Path, config: &UNetConfig) -> Result<Self, NetError> {
        let part = Part::open(path)?;
        let refuse = |reason: String| NetError::Layout {
            path: path.to_owned(),
            reason,
        };
        let layers = attention_layers(config);
        let mut checkpoint = Self::empty(path, Layout::Numbered);
        for (place, stored) in places(&part)? {
            checkpoint.add(0, &layers, place, stored);
        }
        if let Some(stranger) = checkpoint.strangers.first() {
            let last = MODULES * layers.len().saturating_sub(1);
            return Err(refuse(format!(
                "expected the numbered self-attention of {} layers, `0.{}` to `{last}.{}`, found `{stranger}`{}",
                layers.len(),
                TENSORS[0],
                TENSORS[4],
                match checkpoint.strangers.len() {
                    1 => String::new(),
                    more => format!(" (and {} more names of other kinds)", more - 1),
                }
            )));
        }
        checkpoint.parts = vec![part];
        for (k, layer) in layers.iter().enumerate() {
            for tensor in TENSORS {
                let name = full_name(layer, tensor);
                if checkpoint.shape(&name).is_none() {
                    return Err(refuse(format!(
                        "expected {} tensors, found {}: `{}.{tensor}`, of {layer}.attn1, is missing",
                        layers.len() * TENSORS.len(),
                        checkpoint.entries.len(),
                        MODULES * k
                    )));
                }
            }
        }
        for (name, expected) in expected(config).shapes() {
            let found = checkpoint.shape(&name).unwrap_or_default();
            if found != expected {
                let layer = name.trim_start_matches("unet.");
                return Err(refuse(format!(
                    "tensor `{}`: expected shape {expected:?}, as `{layer}` of the UNet has it, found {found:?}",
                    checkpoint.name_in_file(&name)
                )));
            }
        }
        Ok(checkpoint)
    }

    fn add(&mut self, file: usize, layers: &[String], place: Place, stored: &str) {
        let name = place.and_then(|(k, tensor)| Some(full_name(layers.get(k)?, tensor)));
        match name {
            None => self.strangers.push(stored.to_owned()),
            Some(name) => {
                let entry = Entry {
                    file,
                    name: stored.to_owned(),
                    view: View::Whole,
                };
                self.entries.insert(name, entry);
            }
        }
    }
}

fn full_name(layer: &str, tensor: &str) -> String {
    format!("unet.{layer}.attn1.{tensor}")
}

/// What a name stands for, if it is one of self-attention.
type Place = Option<(usize, &'static str)>;

/// What the names of `part` stand for; of several names for one tensor the first.
///
/// # Errors
/// [`NetError::Layout`] for two names of one tensor with other values.
fn places(part: &Part) -> Result<Vec<(Place, &str)>, NetError> {
    let mut places = Vec::new();
    let mut seen: BTreeMap<(usize, &str), &str> = BTreeMap::new();
    for (name, stored) in part.names() {
        let place = meaning(name);
        let Some(known) = place else {
            places.push((None, stored));
            continue;
        };
        match seen.get(&known) {
            None => {
                seen.insert(known, stored);
                places.push((place, stored));
            }
            Some(&first) => require_same(part, first, stored)?,
        }
    }
    Ok(places)
}

fn require_same(part: &Part, first: &str, second: &str) -> Result<(), NetError> {
    let file = &part.file;
    let [one, other] = [first, second].map(|name| file.info(name));
    let is_same = one.map(|info| (&info.shape, info.dtype))
        == other.map(|info| (&info.shape, info.dtype))
        && file.bytes(first)? == file.bytes(second)?;
    if is_same {
        return Ok(());
    }
    Err(NetError::Layout {
        path: file.path().to_owned(),
        reason: format!(
            "expected the same values in `{first}` and `{second}`, which are two names of one tensor, found others"
        ),
    })
}

/// The tensors of the self-attention of a UNet of these sizes, under full names.
pub fn expected(config: &UNetConfig) -> ExpectedSource {
    let expected = ExpectedSource::new();
    let config = UNetConfig {
        cross: CrossAttention::Absent,
        ..config.clone()
    };
    UNet::new(&Scope::root(&expected, "unet"), config.clone());
    let own: BTreeSet<String> = attention_layers(&config)
        .iter()
        .flat_map(|layer| TENSORS.map(|tensor| full_name(layer, tensor)))
        .collect();
    expected.retain(|name| own.contains(name));
    expected
}

/// The sizes of the UNet that a file of numbered self-attention belongs to: those of Stable Diffusion v1, but with the widths of its
/// tensors.
pub fn sizes_of(checkpoint: &Checkpoint) -> UNetConfig {
    let published = UNetConfig::stable_diffusion_v1(9);
    let shapes = Shapes::new(checkpoint, "unet");
    let width = |block: &str, published: i64| {
        let name = format!("{block}.attentions.0.transformer_blocks.0.attn1.to_q.weight");
        shapes.axis(&name, 0).unwrap_or(published)
    };
    let blocks = [
        "down_blocks.0",
        "down_blocks.1",
        "down_blocks.2",
        "mid_block",
    ];
    let widths = blocks.iter().zip(&published.block_out_channels);
    UNetConfig {
        block_out_channels: widths.map(|(block, &from)| width(block, from)).collect(),
        ..published
    }
}

#[cfg(test)]
mod tests {
    use super::{expected, meaning};
    use crate::unet::UNetConfig;

    #[test]
    fn every_module_that_a_tensor_is_in_gives_it_a_name() {
        for (names, meant) in [
            (&["8.to_q.weight", "9.weight"][..], "to_q.weight"),
            (&["8.to_k.weight", "10.weight"], "to_k.weight"),
            (&["8.to_v.weight", "11.weight"], "to_v.weight"),
            (
                &["8.to_out.0.weight", "12.0.weight", "13.weight"],
                "to_out.0.weight",
            ),
            (
                &["8.to_out.0.bias", "12.0.bias", "13.bias"],
                "to_out.0.bias",
            ),
        ] {
            for name in names {
                assert_eq!(meaning(name), Some((1, meant)), "{name}");
            }
        }
        for other in [
            "8.weight",
            "9.bias",
            "9.to_q.weight",
            "12.1.weight",
            "14.weight",
            "15.weight",
            "8.to_q.bias",
            "to_q.weight",
            "a.to_q.weight",
            "",
        ] {
            assert_eq!(meaning(other), None, "{other}");
        }
    }

    /// The size of the published files.
    #[test]
    fn the_published_file_has_80_tensors() {
        let expected = expected(&UNetConfig::stable_diffusion_v1(9));
        assert_eq!(expected.shapes().len(), 80);
        assert_eq!(expected.parameters(), 49_574_080);
    }
}
