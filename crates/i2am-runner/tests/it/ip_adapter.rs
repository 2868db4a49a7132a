//! A tiny IP-Adapter from files to pictures: how a sample is put to the networks, what the settings do, and what is refused.

use std::fs;

use i2am_attribution::Source;
use i2am_imaging::RgbImage;
use i2am_nets::image_projection::ImageProjectionConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{NoProbe, Precision};
use i2am_runner::capture::{CaptureConfig, ForbidRule, InterveneConfig, Positions, Region};
use i2am_runner::families::{
    Attends, Family as _, IpAdapter, IpAdapterConfig, IpAdapterPipeline, Model, ReferenceFit,
    family, recognise,
};
use i2am_runner::pictures;
use i2am_runner::samplers::{Call, Denoiser};
use i2am_runner::schedule::Schedule;
use tch::{Device, Kind, Tensor};

use crate::common::values;
use crate::tiny::{sample, seeded};
use crate::tiny_ip_adapter::{
    adapter, adapter_file, base, full, plus, run, sizes, write, write_adapter,
};

/// Height and width of its pictures.
const SIDE: u32 = 64;
const INPAINTING: i64 = 9;

fn variants() -> [ImageProjectionConfig; 3] {
    [base(), full(), plus()]
}

fn latent(config: &IpAdapterConfig) -> Tensor {
    run(config, &sample(SIDE), None).unwrap().latent
}

#[test]
fn every_variant_generates_with_both_kinds_of_unet() {
    let folder = tempfile::tempdir().unwrap();
    let mut latents = Vec::new();
    for channels in [4, INPAINTING] {
        for variant in variants() {
            let config = write(&sizes(channels, variant), folder.path());
            let done = run(&config, &sample(SIDE), None).unwrap();
            assert_eq!(done.image.dimensions(), (SIDE, SIDE));
            latents.push(values(&done.latent));
        }
    }
    for (i, latent) in latents.iter().enumerate() {
        assert!(latents[..i].iter().all(|other| other != latent));
    }
}

/// What the pipeline makes of a sample, from its parts: mask before latent, 1 in the hole; halves negative, positive.
struct Parts<'a> {
    pipeline: &'a IpAdapterPipeline,
    fixed: Tensor,
    context: i2am_nets::Context,
    guidance: f64,
}

impl Denoiser for Parts<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, i2am_runner::RunnerError> {
        let input = Tensor::cat(&[x, &self.fixed], 1).repeat([2, 1, 1, 1]);
        let unet = self.pipeline.networks().denoiser.unet();
        let t = unet.timesteps(call.timestep, 2, Device::Cpu);
        let eps = unet.forward(&input, &t, &self.context, &mut NoProbe);
        let halves = eps.chunk(2, 0);
        Ok(&halves[0] + (&halves[1] - &halves[0]) * self.guidance)
    }

    fn step_noise(
        &mut self,
        _step: usize,
        _like: &Tensor,
    ) -> Result<Tensor, i2am_runner::RunnerError> {
        panic!("without eta DDIM adds no noise")
    }
}

#[test]
fn a_sample_is_put_to_an_inpainting_unet_as_published() {
    let folder = tempfile::tempdir().unwrap();
    let _guard = tch::no_grad_guard();
    let config = write(&sizes(INPAINTING, base()), folder.path());
    let drawn = sample(SIDE);
    let pipeline = IpAdapterPipeline::load(&config, Device::Cpu).unwrap();
    let networks = pipeline.networks();
    let hole = pictures::unit(&drawn.mask);
    let masked = pictures::signed(&drawn.image) * (-&hole + 1.0);
    let masked = networks.vae.encode(&masked).mean * networks.vae.config().scaling_factor;
    // Every eighth pixel.
    let latent_hole = hole.slice(2, 0, None, 8).slice(3, 0, None, 8);
    assert_eq!(values(&latent_hole.sum(Kind::Float)), [16.0]);
    let square = i2am_imaging::pillow_bicubic_rgb(&drawn.reference, 8, 8);
    let embedding = networks
        .denoiser
        .image_encoder()
        .embedding(&pictures::clip_normalised(&square));
    let features = Tensor::cat(&[embedding.zeros_like(), embedding], 0);
    let tokenizer = config.checkpoint.join("tokenizer");
    let tokens = i2am_runner::families::Tokenizer::open(&tokenizer).unwrap();
    let texts = [&config.negative_prompt, &config.prompt];
    let text = networks
        .text_encoder
        .forward(&tokens.batch(&texts, 77).unwrap());
    let mut parts = Parts {
        pipeline: &pipeline,
        fixed: Tensor::cat(&[latent_hole, masked], 1),
        context: networks.denoiser.context(&text, &features, config.scale),
        guidance: 7.5,
    };
    let start = seeded().draw("start", &[1, 4, 8, 8]).unwrap();
    let sampler = config.sampler.build(&Schedule::default()).unwrap();
    let expected = sampler.sample(start, &mut parts).unwrap();
    assert_eq!(values(&latent(&config)), values(&expected));
}

/// Outside the hole the last latent is that of the image; before the first step it is noise.
#[test]
fn without_mask_channels_the_image_is_kept_outside_the_hole() {
    let folder = tempfile::tempdir().unwrap();
    let _guard = tch::no_grad_guard();
    let config = write(&sizes(4, base()), folder.path());
    let drawn = sample(SIDE);
    let pipeline = IpAdapterPipeline::load(&config, Device::Cpu).unwrap();
    let vae = &pipeline.networks().vae;
    let image = vae.encode(&pictures::signed(&drawn.image)).mean * vae.config().scaling_factor;
    let found = latent(&config);
    let hole = pictures::unit(&drawn.mask);
    let hole = hole.slice(2, 0, None, 8).slice(3, 0, None, 8);
    let off = (&found - &image).abs();
    let outside = (&off * (-&hole + 1.0)).max().double_value(&[]);
    let inside = (&off * &hole).max().double_value(&[]);
    assert!(outside < 1e-6 && inside > 1e-2, "{outside}, {inside}");
    // What the network sees there matters for the hole.
    let mut other = drawn.clone();
    for (x, _, pixel) in other.image.enumerate_pixels_mut() {
        if x < 8 {
            *pixel = [255, 0, 0].into();
        }
    }
    let changed = run(&config, &other, None).unwrap().latent;
    let change = ((changed - found) * hole).abs().max().double_value(&[]);
    assert!(change > 1e-6, "{change}");
}

#[test]
fn at_scale_zero_the_adapter_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = sizes(INPAINTING, plus());
    let config = write(&sizes, folder.path());
    let at = |scale: f64| {
        values(&latent(&IpAdapterConfig {
            scale,
            ..config.clone()
        }))
    };
    let (zero, one) = (at(0.0), at(1.0));
    assert_ne!(zero, one);
    write_adapter(&adapter_file(folder.path()), &adapter(&sizes, "other "));
    assert_eq!(at(0.0), zero);
    assert_ne!(at(1.0), one);
}

#[test]
fn without_guidance_the_negative_text_and_the_empty_reference_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    for variant in variants() {
        let config = write(&sizes(INPAINTING, variant), folder.path());
        let with = |guidance: f64, negative: &str| {
            values(&latent(&IpAdapterConfig {
                guidance,
                negative_prompt: negative.to_owned(),
                ..config.clone()
            }))
        };
        assert_eq!(with(1.0, "low"), with(1.0, "red"));
        assert_ne!(with(7.5, "low"), with(7.5, "red"));
    }
}

#[test]
fn a_wide_reference_is_cropped_or_stretched() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&sizes(INPAINTING, full()), folder.path());
    // Gray in the middle, and colors that only stretching keeps.
    let mut wide = sample(SIDE);
    wide.reference = RgbImage::from_fn(32, 8, |x, y| match x {
        0..8 | 24.. => [255, (y * 30) as u8, 0].into(),
        _ => [90, 90, 90].into(),
    });
    let gray = {
        let mut gray = wide.clone();
        gray.reference = RgbImage::from_pixel(8, 8, [90, 90, 90].into());
        gray
    };
    let with = |fit: ReferenceFit, sample: &i2am_datasets::Sample| {
        let config = IpAdapterConfig {
            reference_fit: fit,
            ..config.clone()
        };
        values(&run(&config, sample, None).unwrap().latent)
    };
    let [center, stretch] = [ReferenceFit::Center, ReferenceFit::Stretch];
    assert_eq!(with(center, &wide), with(center, &gray));
    assert_ne!(with(stretch, &wide), with(stretch, &gray));
}

#[test]
fn half_precision_runs() {
    let folder = tempfile::tempdir().unwrap();
    for variant in variants() {
        let config = write(&sizes(INPAINTING, variant), folder.path());
        let half = IpAdapterConfig {
            precision: Precision::Bf16,
            ..config
        };
        assert_eq!(latent(&half).kind(), Kind::BFloat16);
    }
}

#[test]
fn the_image_encoder_is_found_next_to_the_adapter_or_in_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&sizes(INPAINTING, base()), folder.path());
    let root = folder.path();
    let beside = root.join("models/image_encoder");
    let inside = root.join("stable-diffusion/image_encoder");
    let elsewhere = root.join("clip");
    config.check(None).unwrap();
    fs::rename(&beside, &inside).unwrap();
    config.check(None).unwrap();
    fs::rename(&inside, &elsewhere).unwrap();
    let message = config.check(None).unwrap_err().to_string();
    let expected = format!(
        "model.image_encoder: expected the folder of CLIP's image encoder, found neither that setting nor {} nor {}",
        beside.display(),
        inside.display()
    );
    assert_eq!(message, expected);
    let named = IpAdapterConfig {
        image_encoder: Some(elsewhere.clone()),
        ..config
    };
    let facts = named.check(None).unwrap();
    let file = elsewhere.join("model.safetensors");
    assert!(facts.files.contains(&file), "{:?}", facts.files);
    assert!(facts.files.contains(&adapter_file(root)));
}

#[test]
fn adapters_that_do_not_fit_are_refused_by_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = sizes(INPAINTING, base());
    let config = write(&sizes, folder.path());
    let path = adapter_file(folder.path());
    let whole = adapter(&sizes, "");
    let refusal = |change: &dyn Fn(&mut crate::tiny_ip_adapter::Adapter)| {
        let mut changed = whole.clone();
        change(&mut changed);
        write_adapter(&path, &changed);
        let message = config.check(None).unwrap_err().to_string();
        let loading = config.load(Device::Cpu).err().unwrap().to_string();
        assert_eq!(message, loading);
        let start = format!("{}: ", path.display());
        assert!(message.starts_with(&start), "{message}");
        message[start.len()..].to_owned()
    };
    let one = || (vec![1_i64, 1], vec![1.0_f32]);
    let message = refusal(&|tensors| drop(tensors.remove("ip_adapter.5.to_k_ip.weight")));
    assert_eq!(message, "missing tensor `ip_adapter.5.to_k_ip.weight`");
    let message = refusal(&|tensors| {
        tensors.insert("ip_adapter.3.to_v_ip.weight".to_owned(), one());
    });
    assert_eq!(
        message,
        "tensor `ip_adapter.3.to_v_ip.weight`: expected shape [16, 12], found [1, 1]"
    );
    let message = refusal(&|tensors| {
        tensors.insert("ip_adapter.0.to_q_lora.down.weight".to_owned(), one());
    });
    assert_eq!(
        message,
        "expected `ip_adapter.N.to_k_ip.weight` and `ip_adapter.N.to_v_ip.weight` for N = 1, 3, ..., 13, found `ip_adapter.0.to_q_lora.down.weight`"
    );
    let message = refusal(&|tensors| {
        let projection = tensors.remove("image_proj.proj.weight").unwrap();
        tensors.insert("image_proj.proj.0.weight".to_owned(), projection);
    });
    assert_eq!(
        message,
        "expected one of the tensors `image_proj.proj.weight` (base), `image_proj.proj.3.weight` (full-face), `image_proj.latents` (plus), found others, e.g. `image_proj.norm.bias`"
    );
    let message = refusal(&|tensors| tensors.retain(|name, _| !name.starts_with("ip_adapter.")));
    assert_eq!(
        message,
        "expected an IP-Adapter, a file of tensors `image_proj.*` and `ip_adapter.*`, found e.g. `image_proj.norm.bias`"
    );
}

#[test]
fn an_encoder_of_another_width_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&sizes(INPAINTING, base()), folder.path());
    let mut wider = sizes(INPAINTING, base());
    wider.projection = ImageProjectionConfig::Pooled {
        tokens: 4,
        features: 11,
        width: 12,
    };
    let path = adapter_file(folder.path());
    write_adapter(&path, &adapter(&wider, ""));
    let message = config.check(None).unwrap_err().to_string();
    let expected = format!(
        "model.image_encoder: expected an encoder whose `projection_dim` is 11, as {} reads, found 10 in {}",
        path.display(),
        path.with_file_name("image_encoder").display()
    );
    assert_eq!(message, expected);
}

#[test]
fn a_unet_of_other_channels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(&sizes(8, base()), folder.path());
    let message = config.check(None).unwrap_err().to_string();
    let expected = format!(
        "{}: `in_channels` of the UNet: expected 4, or 9 for inpainting, found 8",
        config.checkpoint.display()
    );
    assert_eq!(message, expected);
}

/// Every variant is recorded by the pipeline itself, which leaves the picture as it is.
#[test]
fn a_run_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let capture = CaptureConfig {
        time_groups: 3,
        ..CaptureConfig::default()
    };
    let of_patches = |height, width| Source::Spatial { height, width };
    let mixed = Source::Mixed {
        count: 3,
        height: 2,
        width: 2,
    };
    for (variant, source) in [
        (base(), Source::Tokens { count: 4 }),
        (full(), of_patches(2, 2)),
        (plus(), mixed),
    ] {
        let config = write(&sizes(INPAINTING, variant), folder.path());
        let done = run(&config, &sample(SIDE), Some(&capture)).unwrap();
        assert_eq!(values(&done.latent), values(&latent(&config)));
        let record = done.record.unwrap();
        record.validate().unwrap();
        // Two on the way down and four on the way up; the middle is left out.
        assert_eq!(record.layers.len(), 6);
        for layer in &record.layers {
            assert!(layer.name.ends_with(".attn2_ip"), "{}", layer.name);
            assert_eq!(layer.source, source, "{}", layer.name);
        }
    }
}

/// Whether a layer's tokens have places follows from the file, not from the layer's name.
#[test]
fn maps_over_the_reference_need_tokens_with_places() {
    let folder = tempfile::tempdir().unwrap();
    let layer = "up_blocks.1.attentions.0.transformer_blocks.0.attn2_ip";
    let capture = |layer: &str| CaptureConfig {
        time_groups: 1,
        specific: vec![layer.to_owned()],
        ..CaptureConfig::default()
    };
    for (variant, has_places) in [(base(), false), (full(), true), (plus(), true)] {
        let config = write(&sizes(INPAINTING, variant), folder.path());
        let checked = config.check(Some(&capture(layer)));
        assert_eq!(checked.is_ok(), has_places, "{variant:?}: {checked:?}");
        // A mixture has a map, but no place in a region.
        let rule = ForbidRule {
            models: None,
            layers: vec![layer.to_owned()],
            heads: None,
            time_groups: None,
            from: Positions::All,
            region: Region::Box([0.0, 0.0, 0.5, 1.0]),
        };
        let forbid = CaptureConfig {
            time_groups: 1,
            intervene: InterveneConfig {
                forbid: vec![rule],
                ..InterveneConfig::default()
            },
            ..CaptureConfig::default()
        };
        let (checked, done) = (
            config.check(Some(&forbid)),
            run(&config, &sample(SIDE), Some(&forbid)),
        );
        let has_region = variant == full();
        assert_eq!(
            [checked.is_ok(), done.is_ok()],
            [has_region; 2],
            "{variant:?}"
        );
        // Attention to the text is not recorded.
        let text = layer.strip_suffix("_ip").unwrap();
        let message = config.check(Some(&capture(text))).unwrap_err().to_string();
        assert!(message.contains("no such layer; the model has down_blocks.0.attentions.0.transformer_blocks.0.attn2_ip, "), "{message}");
        assert!(!message.contains("mid_block"), "{message}");
    }
}

#[test]
fn every_attention_is_known() {
    let attends = family("ip-adapter").unwrap().info().attends;
    for layer in ["down_blocks.0.attentions.0", "mid_block.attentions.0"] {
        let of = |end: &str| attends("unet", &format!("{layer}.transformer_blocks.0.{end}"));
        assert_eq!(of("attn1"), Some(Attends::Own));
        assert!(matches!(of("attn2"), Some(Attends::Unrecorded(_))));
        assert_eq!(of("attn3"), None);
        let second = of("attn2_ip").unwrap();
        assert_eq!(second.is_recorded(), !layer.starts_with("mid"), "{layer}");
    }
}

#[test]
fn an_adapters_file_says_which_variant_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (variant, start, tensors) in [
        (base(), "base: 4 tokens", 4),
        (full(), "full-face: one token", 6),
        (plus(), "plus: 3 tokens", 7 + 2 * 11),
    ] {
        write(&sizes(INPAINTING, variant), folder.path());
        let checkpoint = Checkpoint::open(&adapter_file(folder.path())).unwrap();
        assert_eq!(recognise(&checkpoint).unwrap().info().name, "ip-adapter");
        let described = IpAdapter.describe(&checkpoint).unwrap();
        assert!(described.starts_with(start), "{described}");
        let report = IpAdapter.inspect(&checkpoint).unwrap();
        assert_eq!(report.loaded, tensors + 2 * 7, "{described}");
        assert!(report.is_complete() && report.unused.is_empty());
    }
}
