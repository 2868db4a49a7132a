//! Files that number the attention layers of a UNet instead of naming them.
//!
//! Numbers follow the order in which the modules of diffusers' `UNet2DConditionModel` are registered: way down, way up, and the middle
//! last. The middle runs before the way up, so a file that is read in the order of execution puts tensors of one shape into wrong layers.

mod self_attention;

use crate::unet::UNetConfig;

pub use self_attention::{
    expected as expected_self_attention, sizes_of as sizes_of_self_attention,
};
pub(super) use self_attention::{is_numbered, open};

/// The transformer blocks of a UNet of these sizes, such as `down_blocks.0.attentions.0.transformer_blocks.0`, in the order of their
/// numbers: way down, way up, middle.
pub fn attention_layers(config: &UNetConfig) -> Vec<String> {
    let levels = config.block_out_channels.len();
    let layers = config.layers_per_block;
    let mut transformers = Vec::new();
    for level in (0..levels).filter(|&level| config.has_attention(level)) {
        transformers.extend((0..layers).map(|i| format!("down_blocks.{level}.attentions.{i}")));
    }
    for index in 0..levels {
        if config.has_attention(config.level_of_up_block(index)) {
            transformers.extend((0..=layers).map(|i| format!("up_blocks.{index}.attentions.{i}")));
        }
    }
    transformers.push("mid_block.attentions.0".to_owned());
    let depth = config.transformer_layers_per_block;
    let blocks = |transformer: &String| {
        let block = |i: usize| format!("{transformer}.transformer_blocks.{i}");
        (0..depth).map(block).collect::<Vec<_>>()
    };
    transformers.iter().flat_map(blocks).collect()
}

#[cfg(test)]
mod tests {
    use super::attention_layers;
    use crate::unet::UNetConfig;

    /// The order of the published files, of which the tensors of unequal shapes are evidence.
    #[test]
    fn the_middle_is_last() {
        let layers = attention_layers(&UNetConfig::stable_diffusion_v1(9));
        let block = |transformer: &str| format!("{transformer}.transformer_blocks.0");
        let expected = [
            "down_blocks.0.attentions.0",
            "down_blocks.0.attentions.1",
            "down_blocks.1.attentions.0",
            "down_blocks.1.attentions.1",
            "down_blocks.2.attentions.0",
            "down_blocks.2.attentions.1",
            "up_blocks.1.attentions.0",
            "up_blocks.1.attentions.1",
            "up_blocks.1.attentions.2",
            "up_blocks.2.attentions.0",
            "up_blocks.2.attentions.1",
            "up_blocks.2.attentions.2",
            "up_blocks.3.attentions.0",
            "up_blocks.3.attentions.1",
            "up_blocks.3.attentions.2",
            "mid_block.attentions.0",
        ];
        assert_eq!(layers, expected.map(block));
    }

    #[test]
    fn every_block_of_a_deep_transformer_is_listed() {
        let config = UNetConfig {
            transformer_layers_per_block: 2,
            ..UNetConfig::stable_diffusion_v1(4)
        };
        let layers = attention_layers(&config);
        assert_eq!(layers.len(), 32);
        assert_eq!(layers[31], "mid_block.attentions.0.transformer_blocks.1");
    }
}
