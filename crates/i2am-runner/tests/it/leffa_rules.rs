//! What Leffa's files may be, and what is refused.

use std::collections::BTreeMap;

use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::Vae;
use i2am_nets::{ExpectedSource, Scope};
use i2am_runner::families::{LeffaConfig, LeffaSizes, Model as _, recognise};

use safetensors::SafeTensors;

use crate::leffa::{leffa, model, write};

/// The published file has 1,620 tensors of 1,802,718,831 numbers, 7,210,875,324 bytes. Of these nothing reads cross-attention.
#[test]
fn the_published_file_is_known_to_the_last_tensor() {
    let sizes = LeffaSizes::published();
    let read = ExpectedSource::new();
    sizes.build(&read);
    let all = ExpectedSource::new();
    for (network, config) in [("unet", &sizes.unet), ("unet_encoder", &sizes.reference)] {
        let config = UNetConfig {
            cross: CrossAttention::Single,
            ..config.clone()
        };
        UNet::new(&Scope::root(&all, network), config);
    }
    Vae::new(&Scope::root(&all, "vae"), sizes.vae.clone());
    let (read, shapes) = (read.shapes(), all.shapes());
    assert_eq!(shapes.len(), 1_620);
    assert_eq!(all.parameters(), 1_802_718_831);
    let left: BTreeMap<_, _> = shapes
        .iter()
        .filter(|(name, _)| !read.contains_key(*name))
        .collect();
    assert_eq!(left.len() + read.len(), shapes.len());
    assert!(left.keys().all(|name| name.contains(".attn2.")));
    // to_q, to_k, to_v, and weight and bias of to_out.0 in 16 blocks of two networks.
    assert_eq!(left.len(), 2 * 16 * 5);
}

/// Cross-attention that nothing reads is not reported, other names are.
#[test]
fn a_file_is_recognized_and_what_nothing_reads_is_known() {
    let fixture = &leffa()[0];
    let (config, folder) = model(fixture);
    let checkpoint = Checkpoint::open(&config.checkpoint).unwrap();
    assert_eq!(checkpoint.layout(), Layout::Joined);
    let family = recognise(&checkpoint).unwrap();
    assert_eq!(family.info().name, "leffa");
    let report = family.inspect(&checkpoint).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.unused, Vec::<String>::new());
    assert!(checkpoint.names().any(|name| name.contains(".attn2.")));
    // Without it nothing is missing, and other wrapping changes nothing.
    let path = write(fixture, folder.path(), |name| {
        (!name.contains(".attn2.")).then(|| format!("module.{name}"))
    });
    let checkpoint = Checkpoint::open(&path).unwrap();
    let without = recognise(&checkpoint)
        .unwrap()
        .inspect(&checkpoint)
        .unwrap();
    assert!(without.is_sound());
    assert_eq!(without.loaded, report.loaded);
}

/// Published files have no configuration: sizes follow from tensors, of which those of cross-attention may be absent.
#[test]
fn sizes_follow_from_tensors() {
    let fixture = &leffa()[0];
    let bytes = std::fs::read(fixture.path().join("weights.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = tensors.tensors().into_iter();
    let read = read.filter(|(name, _)| !name.contains(".attn2."));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leffa.safetensors");
    safetensors::serialize_to_file(read, None, &path).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let sizes = LeffaSizes::of(&checkpoint).unwrap();
    assert_eq!(sizes.unet.in_channels, 12);
    assert_eq!(sizes.reference.in_channels, 4);
    for unet in [&sizes.unet, &sizes.reference] {
        assert_eq!(unet.block_out_channels, [16, 16, 16, 32]);
        assert_eq!(unet.layers_per_block, 2);
        assert!(unet.has_attention(2) && !unet.has_attention(3));
        assert_eq!(unet.cross, CrossAttention::Absent);
    }
    assert_eq!(sizes.vae.block_out_channels, [8, 16, 16, 16]);
    let report = recognise(&checkpoint)
        .unwrap()
        .inspect(&checkpoint)
        .unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_file_without_the_second_network_is_refused() {
    let fixture = &leffa()[0];
    let (config, folder) = model(fixture);
    let path = write(fixture, folder.path(), |name| {
        (!name.starts_with("unet_encoder.")).then(|| name.to_owned())
    });
    let config = LeffaConfig {
        checkpoint: path.clone(),
        ..config
    };
    let message = config.check(None).unwrap_err().to_string();
    let expected = format!(
        "{}: expected a leffa checkpoint, found no network unet_encoder",
        path.display()
    );
    assert_eq!(message, expected);
}

#[test]
fn settings_out_of_range_are_refused() {
    let (config, _file) = model(&leffa()[0]);
    let message = |config: LeffaConfig| config.check(None).unwrap_err().to_string();
    let rescaled = LeffaConfig {
        guidance_rescale: Some(-1.0),
        ..config.clone()
    };
    assert_eq!(
        message(rescaled),
        "model.guidance_rescale: expected 0 (none) to 100, found -1"
    );
    let noisy = LeffaConfig {
        sampler: i2am_runner::samplers::SamplerConfig {
            eta: 0.5,
            ..config.sampler.clone()
        },
        ..config.clone()
    };
    assert_eq!(
        message(noisy),
        "sampler.eta: expected 0, because the noise of DDPM is given by the schedule, found 0.5"
    );
    config.check(None).unwrap();
}
