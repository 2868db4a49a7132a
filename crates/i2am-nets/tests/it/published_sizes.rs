//! The networks at their published sizes ask for the published number of tensors and weights; none is allocated.

use std::collections::BTreeMap;

use i2am_nets::image_encoder::{ClipEmbedder, ImageEncoder, ImageEncoderConfig};
use i2am_nets::image_projection::{ImageProjection, ImageProjectionConfig};
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::to_ldm;
use i2am_nets::text_encoder::{TextEncoder, TextEncoderConfig};
use i2am_nets::unet::{
    ControlModel, ControlNet, PixelAttentions, PixelKind, UNet, UNetConfig, WarpBlocks,
};
use i2am_nets::vae::{Vae, VaeConfig};
use i2am_nets::{ExpectedSource, Scope};
use tch::{Device, Kind, Tensor};

/// Names and shapes that `build` asks for.
fn asked(network: &str, build: impl FnOnce(&Scope<'_>)) -> BTreeMap<String, Vec<i64>> {
    let source = ExpectedSource::new();
    build(&Scope::root(&source, network));
    source.shapes()
}

fn unet(in_channels: i64) -> BTreeMap<String, Vec<i64>> {
    asked("unet", |scope| {
        let _ = UNet::new(scope, UNetConfig::stable_diffusion_v1(in_channels));
    })
}

fn control_model() -> BTreeMap<String, Vec<i64>> {
    asked("control_model", |scope| {
        let _ = ControlModel::new(scope, &UNetConfig::stable_diffusion_v1(13), 4);
    })
}

fn warp_blocks() -> BTreeMap<String, Vec<i64>> {
    asked("unet", |scope| {
        let blocks = WarpBlocks::new(scope, &UNetConfig::stable_diffusion_v1(13));
        assert_eq!(blocks.len(), 9);
    })
}

fn vae() -> BTreeMap<String, Vec<i64>> {
    asked("vae", |scope| {
        let _ = Vae::new(scope, VaeConfig::stable_diffusion_v1());
    })
}

fn image_encoder() -> BTreeMap<String, Vec<i64>> {
    asked("image_encoder", |scope| {
        let _ = ImageEncoder::new(scope, ImageEncoderConfig::clip_vit_l14());
    })
}

/// Tensors and weights whose names start with one of `prefixes`.
fn count(shapes: &BTreeMap<String, Vec<i64>>, prefixes: &[&str]) -> (usize, i64) {
    let chosen = shapes
        .iter()
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    chosen.fold((0, 0), |(tensors, weights), (_, shape)| {
        (tensors + 1, weights + shape.iter().product::<i64>())
    })
}

#[test]
fn unet_of_stable_diffusion_v1() {
    for (in_channels, weights) in [(4, 859_520_964), (9, 859_535_364), (13, 859_546_884)] {
        assert_eq!(
            count(&unet(in_channels), &[""]),
            (686, weights),
            "{in_channels} input channels"
        );
    }
}

#[test]
fn autoencoder_of_stable_diffusion_v1() {
    assert_eq!(count(&vae(), &[""]), (248, 83_653_863));
}

#[test]
fn clip_vision_tower() {
    assert_eq!(
        count(&image_encoder(), &["image_encoder.model."]),
        (391, 303_179_776)
    );
}

/// LDM files count 62 tensors: they store queries, keys and values of a block as one `c_qkv`, the diffusers spelling as three.
#[test]
fn mapper_and_final_normalization() {
    let (tensors, weights) = count(
        &image_encoder(),
        &["image_encoder.mapper.", "image_encoder.final_layer_norm."],
    );
    let split = 5 * 2 * (3 - 1);
    assert_eq!((tensors - split, weights), (62, 62_983_168));
}

/// LDM files of the published model hold 1,390 tensors.
#[test]
fn whole_paint_by_example() {
    let parts = [unet(9), vae(), image_encoder()];
    let tensors: usize = parts.iter().map(BTreeMap::len).sum();
    let weights: i64 = parts.iter().map(|shapes| count(shapes, &[""]).1).sum();
    assert_eq!((tensors - 5 * 2 * (3 - 1), weights), (1390, 1_310_140_139));
}

#[test]
fn control_model_of_stable_viton() {
    assert_eq!(count(&control_model(), &[""]), (300, 348_750_720));
}

#[test]
fn warp_blocks_of_stable_viton() {
    assert_eq!(count(&warp_blocks(), &[""]), (252, 179_778_560));
    // Channels of the decoder's features and of the control model's, slot by slot.
    let published = [
        (1280, 1280),
        (1280, 1280),
        (1280, 640),
        (1280, 640),
        (640, 640),
        (640, 320),
        (640, 320),
        (320, 320),
        (320, 320),
    ];
    for (slot, (channels, context)) in published.into_iter().enumerate() {
        let name = format!("unet.warp_flow_blks.{slot}.transformer_blocks.0.attn2.to_k.weight");
        assert_eq!(warp_blocks()[&name], [channels, context], "{name}");
    }
}

/// The published StableVITON under its own names: counts by part, and 1,944 tensors in all, of which `lastzc` (two, 20 weights)
/// has no use.
#[test]
fn whole_stable_viton_under_ldm_names() {
    let own = [
        unet(13),
        warp_blocks(),
        control_model(),
        vae(),
        image_encoder(),
    ];
    // Zeros that all lie at one place take no memory.
    let tensors = own.into_iter().flatten().map(|(name, shape)| {
        let zero = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        (name, zero.expand(shape, false))
    });
    let stored: BTreeMap<String, Vec<i64>> = to_ldm(&tensors.collect())
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.size()))
        .collect();
    let unet = "model.diffusion_model.";
    let warp = [
        "model.diffusion_model.warp_flow_blks.",
        "model.diffusion_model.warp_zero_convs.",
    ];
    let own = count(&stored, &[unet]).0 - count(&stored, &warp).0;
    assert_eq!((own, count(&stored, &warp)), (686, (252, 179_778_560)));
    for (prefixes, expected) in [
        (&["control_model."][..], (300, 348_750_720)),
        (&["first_stage_model."], (248, 83_653_863)),
        (&["cond_stage_model.transformer."], (391, 303_179_776)),
        (
            &["cond_stage_model.mapper.", "cond_stage_model.final_ln."],
            (62, 62_983_168),
        ),
        (
            &["proj_out.", "learnable_vector"],
            (3, 1024 * 768 + 2 * 768),
        ),
    ] {
        assert_eq!(count(&stored, prefixes), expected, "{prefixes:?}");
    }
    let (tensors, weights) = count(&stored, &[""]);
    assert_eq!((tensors + 2, weights + 20), (1944, 1_838_680_959));
    let expected: [(&str, &[i64]); 5] = [
        ("control_model.cond_first_block.0.weight", &[320, 4, 3, 3]),
        ("control_model.input_blocks.0.0.weight", &[320, 13, 3, 3]),
        (
            "model.diffusion_model.warp_flow_blks.4.transformer_blocks.0.attn2.to_v.weight",
            &[640, 640],
        ),
        (
            "model.diffusion_model.output_blocks.8.2.conv.weight",
            &[640, 640, 3, 3],
        ),
        (
            "cond_stage_model.mapper.resblocks.4.attn.c_qkv.weight",
            &[3072, 1024],
        ),
    ];
    for (name, shape) in expected {
        assert_eq!(stored.get(name).map(Vec::as_slice), Some(shape), "{name}");
    }
}

fn pasd_unet(kind: PixelKind) -> BTreeMap<String, Vec<i64>> {
    asked("unet", |scope| {
        let config = UNetConfig::stable_diffusion_v1(4);
        let _ = PixelAttentions::new(scope, &config, kind);
        let _ = UNet::new(scope, config);
    })
}

#[test]
fn unet_of_pasd() {
    let shapes = pasd_unet(PixelKind::Modules);
    assert_eq!(count(&shapes, &[""]), (686 + 312, 1_107_755_524));
    let pixel = |block: usize| format!("unet.up_blocks.{block}.pixel_attentions.");
    let blocks = [pixel(0), pixel(1), pixel(2), pixel(3)];
    let prefixes: Vec<&str> = blocks.iter().map(String::as_str).collect();
    assert_eq!(count(&shapes, &prefixes), (312, 248_234_560));
    // Channels of the decoder's features and of the residual, layer by layer.
    let published = [
        [(1280, 1280), (1280, 1280), (1280, 1280)],
        [(1280, 1280), (1280, 1280), (1280, 640)],
        [(640, 640), (640, 640), (640, 320)],
        [(320, 320), (320, 320), (320, 320)],
    ];
    for (block, layers) in published.into_iter().enumerate() {
        for (layer, (width, context)) in layers.into_iter().enumerate() {
            let name = format!(
                "{}{layer}.transformer_blocks.0.attn2.to_k.weight",
                pixel(block)
            );
            assert_eq!(shapes[&name], [width, context], "{name}");
        }
    }
}

#[test]
fn unet_of_pasd_light() {
    let shapes = pasd_unet(PixelKind::Plus);
    assert_eq!(count(&shapes, &[""]), (686 + 81, 888_218_884));
    let name = "unet.up_blocks.2.attentions.2.transformer_blocks.0.attn2_plus.to_k.weight";
    assert_eq!(shapes[name], [640, 320]);
    assert_eq!(
        shapes["unet.up_blocks.2.attentions.2.proj_in_plus.weight"],
        [320, 320, 1, 1]
    );
}

/// The encoder of the UNet, 13 convolutions behind its features, and 11 of the picture's embedding.
#[test]
fn controlnet_of_pasd() {
    let shapes = asked("controlnet", |scope| {
        let config = UNetConfig::stable_diffusion_v1(4);
        let _ = ControlNet::new(scope, &config, &[16, 32, 96, 256]);
    });
    let embedding = "controlnet.controlnet_cond_embedding.";
    assert_eq!(count(&shapes, &[embedding]).0, 2 * 11);
    let zeros = [
        "controlnet.controlnet_down_blocks.",
        "controlnet.controlnet_mid_block.",
    ];
    assert_eq!(count(&shapes, &zeros).0, 2 * 13);
    let encoder = count(
        &unet(4),
        &[
            "unet.conv_in.",
            "unet.time_embedding.",
            "unet.down_blocks.",
            "unet.mid_block.",
        ],
    );
    assert_eq!(shapes.len(), encoder.0 + 2 * (11 + 13));
}

/// Keys and values of the second softmax of an IP-Adapter's UNet.
fn second_softmax() -> BTreeMap<String, Vec<i64>> {
    let mut shapes = asked("unet", |scope| {
        let config = UNetConfig {
            cross: CrossAttention::Decoupled,
            ..UNetConfig::stable_diffusion_v1(9)
        };
        let _ = UNet::new(scope, config);
    });
    shapes.retain(|name, _| name.contains(".attn2_ip."));
    shapes
}

/// The three published files for Stable Diffusion v1 and CLIP ViT-H; 2 bytes for each weight make up their sizes.
#[test]
fn ip_adapters() {
    let added = count(&second_softmax(), &[""]);
    assert_eq!(added, (32, 19_169_280));
    for (config, tensors, weights) in [
        (ImageProjectionConfig::ip_adapter_sd15(), 4, 22_319_616),
        (
            ImageProjectionConfig::ip_adapter_plus_sd15(),
            7 + 4 * 11,
            49_087_488,
        ),
        (
            ImageProjectionConfig::ip_adapter_full_face_sd15(),
            6,
            21_794_304,
        ),
    ] {
        let own = asked("image_proj", |scope| {
            let _ = ImageProjection::new(scope, &config);
        });
        let (own, all) = (count(&own, &[""]), (tensors, weights - added.1));
        assert_eq!(own, all, "{config:?}");
    }
}

/// 2,528,307,200 bytes in single precision.
#[test]
fn image_encoder_of_ip_adapter() {
    let shapes = asked("image_encoder", |scope| {
        let _ = ClipEmbedder::new(scope, ImageEncoderConfig::clip_vit_h14());
    });
    assert_eq!(count(&shapes, &[""]), (520, 632_076_800));
    for (name, shape) in [
        (
            "vision_model.embeddings.position_embedding.weight",
            vec![257, 1280],
        ),
        (
            "vision_model.encoder.layers.31.mlp.fc1.weight",
            vec![5120, 1280],
        ),
        ("visual_projection.weight", vec![1024, 1280]),
    ] {
        assert_eq!(shapes[&format!("image_encoder.{name}")], shape, "{name}");
    }
}

#[test]
fn clip_text_tower() {
    let shapes = asked("text_encoder", |scope| {
        let _ = TextEncoder::new(scope, TextEncoderConfig::clip_vit_l14());
    });
    assert_eq!(count(&shapes, &[""]), (196, 123_060_480));
}

/// Names at the corners of the tree, as they stand in published files.
#[test]
fn names_are_those_of_published_files() {
    let all: BTreeMap<String, Vec<i64>> = [unet(9), vae(), image_encoder()]
        .into_iter()
        .flatten()
        .collect();
    let expected: [(&str, &[i64]); 12] = [
        ("unet.conv_in.weight", &[320, 9, 3, 3]),
        ("unet.time_embedding.linear_1.weight", &[1280, 320]),
        (
            "unet.down_blocks.0.attentions.1.proj_in.weight",
            &[320, 320, 1, 1],
        ),
        (
            "unet.down_blocks.2.downsamplers.0.conv.weight",
            &[1280, 1280, 3, 3],
        ),
        (
            "unet.up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_k.weight",
            &[320, 768],
        ),
        (
            "unet.up_blocks.1.resnets.2.conv_shortcut.weight",
            &[1280, 1920, 1, 1],
        ),
        (
            "vae.encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
            &[256, 128, 1, 1],
        ),
        (
            "vae.decoder.mid_block.attentions.0.to_out.0.weight",
            &[512, 512],
        ),
        (
            "vae.decoder.up_blocks.2.resnets.0.conv_shortcut.weight",
            &[256, 512, 1, 1],
        ),
        (
            "image_encoder.model.vision_model.pre_layrnorm.weight",
            &[1024],
        ),
        (
            "image_encoder.mapper.blocks.4.ff.net.0.proj.weight",
            &[4096, 1024],
        ),
        ("image_encoder.uncond_vector", &[1, 1, 768]),
    ];
    for (name, shape) in expected {
        assert_eq!(all.get(name).map(Vec::as_slice), Some(shape), "{name}");
    }
}
