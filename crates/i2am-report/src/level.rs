//! Levels of maps in tables and plots.

use i2am_quantity::Level;

/// What groups of levels are called, in the order in which they are shown; a group is an index into this list.
pub(crate) const GROUPS: [&str; 5] = ["", "time, noisiest first", "head", "resolution", "layer"];

/// The group of a level; none for a single cell or place, of which there are too many to list.
pub(crate) fn group(level: &Level) -> Option<usize> {
    Some(match level {
        Level::Unified => 0,
        Level::Time(_) => 1,
        Level::Head(_) => 2,
        Level::Resolution { .. } => 3,
        Level::Layer(_) => 4,
        Level::Cell(_) | Level::Specific { .. } => return None,
    })
}

/// A level within its group: `3`, `16x12`, `up.1.0`.
pub(crate) fn label(level: &Level) -> String {
    match level {
        Level::Time(index) | Level::Head(index) => index.to_string(),
        Level::Resolution { height, width } => format!("{height}x{width}"),
        Level::Layer(name) => short_layer(name),
        Level::Unified | Level::Cell(_) | Level::Specific { .. } => level.to_string(),
    }
}

/// Whether a value is about everything: about no map, or about a map over all steps, heads and chosen layers.
pub(crate) fn is_whole(level: Option<&Level>) -> bool {
    level.is_none_or(|level| *level == Level::Unified)
}

/// A layer's name without the parts that all have: `up.1.0`, `mid.0`, `warp.4`.
pub(crate) fn short_layer(name: &str) -> String {
    let name = name.strip_suffix(".attn2").unwrap_or(name);
    let name = name.replace(".transformer_blocks.0", "");
    name.replace("_blocks.", ".")
        .replace("_block.", ".")
        .replace(".attentions.", ".")
        .replace("warp_flow_blks.", "warp.")
}

#[cfg(test)]
mod tests {
    use super::short_layer;

    #[test]
    fn layer_names_lose_what_all_have() {
        for (name, short) in [
            (
                "down_blocks.0.attentions.1.transformer_blocks.0.attn2",
                "down.0.1",
            ),
            ("mid_block.attentions.0.transformer_blocks.0.attn2", "mid.0"),
            ("warp_flow_blks.4.transformer_blocks.0.attn2", "warp.4"),
            ("16x12", "16x12"),
        ] {
            assert_eq!(short_layer(name), short);
        }
    }
}
