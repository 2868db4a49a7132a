//! Beginnings and ends of names, LDM's and diffusers'.

/// Beginnings of names, LDM's and diffusers'. Written out by hand so that no counting rule is tested against itself.
pub(crate) const PLACES: &[(&str, &str)] = &[
    (
        "model.diffusion_model.time_embed.0.",
        "unet.time_embedding.linear_1.",
    ),
    (
        "model.diffusion_model.time_embed.2.",
        "unet.time_embedding.linear_2.",
    ),
    ("model.diffusion_model.input_blocks.0.0.", "unet.conv_in."),
    (
        "model.diffusion_model.input_blocks.1.0.",
        "unet.down_blocks.0.resnets.0.",
    ),
    (
        "model.diffusion_model.input_blocks.1.1.",
        "unet.down_blocks.0.attentions.0.",
    ),
    (
        "model.diffusion_model.input_blocks.2.0.op.",
        "unet.down_blocks.0.downsamplers.0.conv.",
    ),
    (
        "model.diffusion_model.input_blocks.3.0.",
        "unet.down_blocks.1.resnets.0.",
    ),
    (
        "model.diffusion_model.input_blocks.3.1.",
        "unet.down_blocks.1.attentions.0.",
    ),
    (
        "model.diffusion_model.input_blocks.4.0.op.",
        "unet.down_blocks.1.downsamplers.0.conv.",
    ),
    (
        "model.diffusion_model.input_blocks.5.0.",
        "unet.down_blocks.2.resnets.0.",
    ),
    (
        "model.diffusion_model.middle_block.0.",
        "unet.mid_block.resnets.0.",
    ),
    (
        "model.diffusion_model.middle_block.1.",
        "unet.mid_block.attentions.0.",
    ),
    (
        "model.diffusion_model.middle_block.2.",
        "unet.mid_block.resnets.1.",
    ),
    (
        "model.diffusion_model.output_blocks.0.0.",
        "unet.up_blocks.0.resnets.0.",
    ),
    (
        "model.diffusion_model.output_blocks.1.0.",
        "unet.up_blocks.0.resnets.1.",
    ),
    (
        "model.diffusion_model.output_blocks.1.1.conv.",
        "unet.up_blocks.0.upsamplers.0.conv.",
    ),
    (
        "model.diffusion_model.output_blocks.2.0.",
        "unet.up_blocks.1.resnets.0.",
    ),
    (
        "model.diffusion_model.output_blocks.2.1.",
        "unet.up_blocks.1.attentions.0.",
    ),
    (
        "model.diffusion_model.output_blocks.3.0.",
        "unet.up_blocks.1.resnets.1.",
    ),
    (
        "model.diffusion_model.output_blocks.3.1.",
        "unet.up_blocks.1.attentions.1.",
    ),
    (
        "model.diffusion_model.output_blocks.3.2.conv.",
        "unet.up_blocks.1.upsamplers.0.conv.",
    ),
    (
        "model.diffusion_model.output_blocks.4.0.",
        "unet.up_blocks.2.resnets.0.",
    ),
    (
        "model.diffusion_model.output_blocks.4.1.",
        "unet.up_blocks.2.attentions.0.",
    ),
    (
        "model.diffusion_model.output_blocks.5.0.",
        "unet.up_blocks.2.resnets.1.",
    ),
    (
        "model.diffusion_model.output_blocks.5.1.",
        "unet.up_blocks.2.attentions.1.",
    ),
    (
        "model.diffusion_model.warp_flow_blks.",
        "unet.warp_flow_blks.",
    ),
    (
        "model.diffusion_model.warp_zero_convs.",
        "unet.warp_zero_convs.",
    ),
    ("model.diffusion_model.out.0.", "unet.conv_norm_out."),
    ("model.diffusion_model.out.2.", "unet.conv_out."),
    ("first_stage_model.encoder.conv_in.", "vae.encoder.conv_in."),
    (
        "first_stage_model.encoder.down.0.block.0.",
        "vae.encoder.down_blocks.0.resnets.0.",
    ),
    (
        "first_stage_model.encoder.down.0.downsample.conv.",
        "vae.encoder.down_blocks.0.downsamplers.0.conv.",
    ),
    (
        "first_stage_model.encoder.down.1.block.0.",
        "vae.encoder.down_blocks.1.resnets.0.",
    ),
    (
        "first_stage_model.encoder.down.1.downsample.conv.",
        "vae.encoder.down_blocks.1.downsamplers.0.conv.",
    ),
    (
        "first_stage_model.encoder.down.2.block.0.",
        "vae.encoder.down_blocks.2.resnets.0.",
    ),
    (
        "first_stage_model.encoder.mid.block_1.",
        "vae.encoder.mid_block.resnets.0.",
    ),
    (
        "first_stage_model.encoder.mid.attn_1.",
        "vae.encoder.mid_block.attentions.0.",
    ),
    (
        "first_stage_model.encoder.mid.block_2.",
        "vae.encoder.mid_block.resnets.1.",
    ),
    (
        "first_stage_model.encoder.norm_out.",
        "vae.encoder.conv_norm_out.",
    ),
    (
        "first_stage_model.encoder.conv_out.",
        "vae.encoder.conv_out.",
    ),
    ("first_stage_model.quant_conv.", "vae.quant_conv."),
    ("first_stage_model.post_quant_conv.", "vae.post_quant_conv."),
    ("first_stage_model.decoder.conv_in.", "vae.decoder.conv_in."),
    (
        "first_stage_model.decoder.mid.block_1.",
        "vae.decoder.mid_block.resnets.0.",
    ),
    (
        "first_stage_model.decoder.mid.attn_1.",
        "vae.decoder.mid_block.attentions.0.",
    ),
    (
        "first_stage_model.decoder.mid.block_2.",
        "vae.decoder.mid_block.resnets.1.",
    ),
    (
        "first_stage_model.decoder.up.2.block.0.",
        "vae.decoder.up_blocks.0.resnets.0.",
    ),
    (
        "first_stage_model.decoder.up.2.block.1.",
        "vae.decoder.up_blocks.0.resnets.1.",
    ),
    (
        "first_stage_model.decoder.up.2.upsample.conv.",
        "vae.decoder.up_blocks.0.upsamplers.0.conv.",
    ),
    (
        "first_stage_model.decoder.up.1.block.0.",
        "vae.decoder.up_blocks.1.resnets.0.",
    ),
    (
        "first_stage_model.decoder.up.1.block.1.",
        "vae.decoder.up_blocks.1.resnets.1.",
    ),
    (
        "first_stage_model.decoder.up.1.upsample.conv.",
        "vae.decoder.up_blocks.1.upsamplers.0.conv.",
    ),
    (
        "first_stage_model.decoder.up.0.block.0.",
        "vae.decoder.up_blocks.2.resnets.0.",
    ),
    (
        "first_stage_model.decoder.up.0.block.1.",
        "vae.decoder.up_blocks.2.resnets.1.",
    ),
    (
        "first_stage_model.decoder.norm_out.",
        "vae.decoder.conv_norm_out.",
    ),
    (
        "first_stage_model.decoder.conv_out.",
        "vae.decoder.conv_out.",
    ),
    (
        "cond_stage_model.transformer.vision_model.",
        "image_encoder.model.vision_model.",
    ),
    (
        "cond_stage_model.mapper.resblocks.0.",
        "image_encoder.mapper.blocks.0.",
    ),
    (
        "cond_stage_model.mapper.resblocks.1.",
        "image_encoder.mapper.blocks.1.",
    ),
    (
        "cond_stage_model.final_ln.",
        "image_encoder.final_layer_norm.",
    ),
    ("proj_out.", "image_encoder.proj_out."),
    ("learnable_vector", "image_encoder.uncond_vector"),
];

/// Parts of layers: where they stand, LDM's spelling, diffusers'.
pub(crate) const PARTS: &[(&str, &str, &str)] = &[
    ("model.diffusion_model.", "in_layers.0.", "norm1."),
    ("model.diffusion_model.", "in_layers.2.", "conv1."),
    ("model.diffusion_model.", "emb_layers.1.", "time_emb_proj."),
    ("model.diffusion_model.", "out_layers.0.", "norm2."),
    ("model.diffusion_model.", "out_layers.3.", "conv2."),
    (
        "model.diffusion_model.",
        "skip_connection.",
        "conv_shortcut.",
    ),
    ("first_stage_model.", "nin_shortcut.", "conv_shortcut."),
    ("first_stage_model.", "q.", "to_q."),
    ("first_stage_model.", "k.", "to_k."),
    ("first_stage_model.", "v.", "to_v."),
    ("first_stage_model.", "proj_out.", "to_out.0."),
    ("first_stage_model.", "norm.", "group_norm."),
    (
        "cond_stage_model.mapper.",
        "attn.c_proj.",
        "attn1.to_out.0.",
    ),
    ("cond_stage_model.mapper.", "ln_1.", "norm1."),
    ("cond_stage_model.mapper.", "ln_2.", "norm3."),
    ("cond_stage_model.mapper.", "mlp.c_fc.", "ff.net.0.proj."),
    ("cond_stage_model.mapper.", "mlp.c_proj.", "ff.net.2."),
];
