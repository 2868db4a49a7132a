//! Choice of layers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AttentionRecord, Direction, LayerRecord};

/// Which recorded layers a mean runs over. Layers that have no map in the direction asked for never enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerChoice {
    /// Every recorded layer.
    All,
    /// Layers whose reference tokens have places.
    Spatial,
    /// Layers whose reference tokens have places; every layer if the record has none of these.
    SpatialElseAll,
    /// Layers of the `UNet`'s encoder and decoder (not its middle block) with one pooled token: the 15 that the published code reads.
    UnetOneToken,
    /// Layers whose name is listed; `*` stands for any text, as in `up_blocks.1.*`.
    Named(Vec<String>),
}

impl LayerChoice {
    /// The listed warp blocks of `StableVITON`, counted in forward order.
    pub(super) fn warp_blocks(slots: &[usize]) -> Self {
        let name = |slot| format!("warp_flow_blks.{slot}.transformer_blocks.0.attn2");
        Self::Named(slots.iter().map(name).collect())
    }

    /// The chosen layers that have a map of the image `reference` in `direction`, in the record's order.
    pub(crate) fn choose<'r>(
        &self,
        record: &'r AttentionRecord,
        reference: usize,
        direction: Direction,
    ) -> Vec<&'r LayerRecord> {
        let of_reference = || {
            record
                .layers
                .iter()
                .filter(|layer| layer.reference == reference)
        };
        let any_spatial = of_reference().any(LayerRecord::has_places);
        let chosen = |layer: &&LayerRecord| match self {
            Self::All => true,
            Self::Spatial => layer.has_places(),
            Self::SpatialElseAll => layer.has_places() || !any_spatial,
            Self::UnetOneToken => layer.is_one_token() && in_encoder_or_decoder(&layer.name),
            Self::Named(patterns) => patterns
                .iter()
                .any(|pattern| layer_matches(pattern, &layer.name)),
        };
        of_reference()
            .filter(chosen)
            .filter(|layer| layer.grid(direction).is_some())
            .collect()
    }
}

impl fmt::Display for LayerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Spatial => f.write_str("spatial"),
            Self::SpatialElseAll => f.write_str("spatial-else-all"),
            Self::UnetOneToken => f.write_str("unet-one-token"),
            Self::Named(patterns) => f.write_str(&patterns.join(", ")),
        }
    }
}

fn in_encoder_or_decoder(name: &str) -> bool {
    name.starts_with("down_blocks.") || name.starts_with("up_blocks.")
}

/// Whether `name` is `pattern`, where every `*` of the pattern stands for any text.
pub fn layer_matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(head) else {
        return false;
    };
    let ends = name.char_indices().map(|(index, _)| index);
    ends.chain([name.len()])
        .any(|start| layer_matches(rest, &name[start..]))
}

#[cfg(test)]
mod tests {
    use super::layer_matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("up_blocks.1.*", "up_blocks.1.attentions.0"),
            ("*attn2", "mid_block.attn2"),
            ("*.1.*.0.*", "up_blocks.1.attentions.0.transformer_blocks"),
            ("*", ""),
            ("a*", "a"),
            ("exact", "exact"),
        ] {
            assert!(
                layer_matches(pattern, name),
                "{pattern} should match {name}"
            );
        }
        for (pattern, name) in [
            ("up_blocks.1.*", "up_blocks.11.attentions.0"),
            ("*attn2", "attn2.to_q"),
            ("exact", "exactly"),
            ("", "x"),
        ] {
            assert!(
                !layer_matches(pattern, name),
                "{pattern} should not match {name}"
            );
        }
    }
}
