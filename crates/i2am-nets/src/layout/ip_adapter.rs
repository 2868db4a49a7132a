//! Files of IP-Adapter: the tensors `image_proj.*` of a projection, and keys and values for the cross-attentions of a UNet, by number. A
//! pickle has two dictionaries of these names, a safetensors file has their tensors side by side.

use std::collections::BTreeMap;
use std::path::Path;

use super::part::Part;
use super::view::View;
use super::{Checkpoint, Entry, Layout, attention_layers};
use crate::NetError;
use crate::layers::CrossAttention;
use crate::load_report::{LoadReport, WrongShape};
use crate::scope::Scope;
use crate::source::ExpectedSource;
use crate::unet::{UNet, UNetConfig};

const PROJECTION: &str = "image_proj.";
const ADDED: &str = "ip_adapter.";
/// Cross-attentions that a file may have; one for SDXL has 70.
const MAX_LAYERS: usize = 512;
/// Names of a layer's tensors in the files, and in the network.
const PAIR: [(&str, &str); 2] = [
    ("to_k_ip.weight", "attn2_ip.to_k.weight"),
    ("to_v_ip.weight", "attn2_ip.to_v.weight"),
];

/// The number of the `index`-th cross-attention: all attentions are counted, and self-attention comes first in each block.
fn number(index: usize) -> usize {
    2 * index + 1
}

/// The name of a tensor of the `index`-th cross-attention, as it stands in the files.
fn name_of(index: usize, tensor: &str) -> String {
    format!("{ADDED}{}.{tensor}", number(index))
}

/// Whether names are those of such a file.
pub(super) fn is_adapter<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    let (mut projection, mut added) = (false, false);
    names.any(|name| {
        projection |= name.starts_with(PROJECTION);
        added |= name.starts_with(ADDED);
        projection && added
    })
}

/// Opens `path` with its own names.
pub(super) fn open(path: &Path) -> Result<Checkpoint, NetError> {
    let part = Part::open(path)?;
    if !is_adapter(part.names().map(|(name, _)| name)) {
        let example = part.names().next();
        let found =
            example.map_or_else(|| "no tensors".to_owned(), |(name, _)| format!("`{name}`"));
        return Err(NetError::Layout {
            path: path.to_owned(),
            reason: format!(
                "expected an IP-Adapter, a file of tensors `{PROJECTION}*` and `{ADDED}*`, found e.g. {found}"
            ),
        });
    }
    let mut checkpoint = Checkpoint::empty(path, Layout::Single);
    for (name, stored) in part.names() {
        if name.starts_with(PROJECTION) || name.starts_with(ADDED) {
            let entry = Entry {
                file: 0,
                name: stored.to_owned(),
                view: View::Whole,
            };
            checkpoint.entries.insert(name.to_owned(), entry);
        } else {
            checkpoint.strangers.push(stored.to_owned());
        }
    }
    checkpoint.parts.push(part);
    Ok(checkpoint)
}

/// The tensors `ip_adapter.*` that a file for `unet` has: their names there, and in the network, and their shapes.
fn wanted(unet: &UNetConfig) -> Vec<(String, String, Vec<i64>)> {
    let expected = ExpectedSource::new();
    let decoupled = UNetConfig {
        cross: CrossAttention::Decoupled,
        ..unet.clone()
    };
    drop(UNet::new(&Scope::root(&expected, "unet"), decoupled));
    let shapes = expected.shapes();
    let mut wanted = Vec::new();
    for (index, block) in attention_layers(unet).iter().enumerate() {
        for (stored, own) in PAIR {
            let own = format!("unet.{block}.{own}");
            let shape = shapes[&own].clone();
            wanted.push((name_of(index, stored), own, shape));
        }
    }
    wanted
}

impl Checkpoint {
    /// Opens a file of IP-Adapter under its own names: `image_proj.*`, and `ip_adapter.{n}.*` with the numbers of attention layers.
    ///
    /// # Errors
    /// A file that cannot be read or is no IP-Adapter.
    pub fn open_ip_adapter(path: &Path) -> Result<Self, NetError> {
        open(path)
    }

    /// Whether this is a file of IP-Adapter that is not yet part of a UNet.
    pub fn is_ip_adapter(&self) -> bool {
        is_adapter(self.names())
    }

    /// The tensors `ip_adapter.*` that such a file has for some UNet whose context is `width` wide: names and shapes. Which UNet is not
    /// said by the file: for a width of 768 it is that of Stable Diffusion v1, otherwise one with as many layers as are found.
    pub fn ip_adapter_tensors(&self, width: i64) -> Vec<(String, Vec<i64>)> {
        let published = UNetConfig::stable_diffusion_v1(4);
        if width == published.cross_attention_dim {
            let wanted = wanted(&published).into_iter();
            return wanted.map(|(name, _, shape)| (name, shape)).collect();
        }
        let layers = (0..MAX_LAYERS).filter(|&index| {
            let mut names = PAIR.iter().map(|(tensor, _)| name_of(index, tensor));
            names.any(|name| self.entries.contains_key(&name))
        });
        let layers = layers.max().map_or(1, |last| last + 1);
        let mut tensors = Vec::new();
        for index in 0..layers {
            let names = PAIR.map(|(tensor, _)| name_of(index, tensor));
            let outputs = |name: &String| self.shape(name)?.first().copied();
            let outputs = names.iter().find_map(outputs).unwrap_or(1);
            tensors.extend(names.map(|name| (name, vec![outputs, width])));
        }
        tensors
    }

    /// The tensors of a file of IP-Adapter under the names that a UNet of two softmaxes has for them.
    ///
    /// # Errors
    /// [`NetError::Tensors`] for tensors of the UNet that are missing or have another shape; [`NetError::Layout`] for others than these.
    pub fn of_ip_adapter(mut self, unet: &UNetConfig) -> Result<Self, NetError> {
        let mut renamed = BTreeMap::new();
        let (mut missing, mut wrong) = (Vec::new(), Vec::new());
        for (name, own, expected) in wanted(unet) {
            match self.shape(&name) {
                None => missing.push(name),
                Some(found) if found != expected => wrong.push(WrongShape {
                    name: self.name_in_file(&name),
                    expected,
                    found,
                }),
                Some(_) => renamed.extend(self.entries.remove(&name).map(|entry| (own, entry))),
            }
        }
        let left = |name: &&str| name.starts_with(ADDED) && !wrong.iter().any(|w| w.name == **name);
        let others: Vec<String> = self.names().filter(left).map(str::to_owned).collect();
        let report = LoadReport {
            loaded: renamed.len(),
            missing,
            unused: others,
            wrong,
            damaged: Vec::new(),
        };
        let report = report.require_sound(&self.path)?;
        if let Some(other) = report.unused.first() {
            let last = number(attention_layers(unet).len() - 1);
            return Err(NetError::Layout {
                path: self.path,
                reason: format!(
                    "expected `{ADDED}N.to_k_ip.weight` and `{ADDED}N.to_v_ip.weight` for N = 1, 3, ..., {last}, found `{other}`{}",
                    match report.unused.len() {
                        1 => String::new(),
                        more => format!(" and {} more", more - 1),
                    }
                ),
            });
        }
        self.entries.extend(renamed);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;
    use crate::unet::UNetConfig;

    #[test]
    fn numbers_are_odd_and_the_middle_is_last() {
        let wanted = wanted(&UNetConfig::stable_diffusion_v1(9));
        assert_eq!(wanted.len(), 32);
        let block = "down_blocks.0.attentions.0.transformer_blocks.0";
        assert_eq!(
            wanted[0],
            (
                "ip_adapter.1.to_k_ip.weight".to_owned(),
                format!("unet.{block}.attn2_ip.to_k.weight"),
                vec![320, 768]
            )
        );
        let block = "mid_block.attentions.0.transformer_blocks.0";
        assert_eq!(
            wanted[31],
            (
                "ip_adapter.31.to_v_ip.weight".to_owned(),
                format!("unet.{block}.attn2_ip.to_v.weight"),
                vec![1280, 768]
            )
        );
    }
}
