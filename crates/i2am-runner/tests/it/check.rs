//! What a run would refuse is refused by `check`, for every family.

use std::collections::BTreeMap;

use i2am_datasets::Goal;
use i2am_nets::unet::PixelKind;
use i2am_nets::{AttentionProbe, ExpectedSource, Observation};
use i2am_runner::capture::{CaptureConfig, ForbidRule, InterveneConfig, Positions, Region};
use i2am_runner::families::{
    Attends, CatVtonSizes, DataVersion, DciVtonConfig, FAMILIES, IpAdapterConfig, LeffaSizes,
    Model, PasdConfig, StableVitonConfig, family,
};
use tempfile::TempDir;

use crate::tiny::TinyModel;
use crate::{catvton, flux2, leffa, tiny_ip_adapter, tiny_pasd, tiny_viton};

/// A small model of every family, as a checkpoint, with a layer over the reference's positions if it has one.
pub(crate) fn models() -> Vec<(Box<dyn Model>, Option<&'static str>, TempDir)> {
    let mut models: Vec<(Box<dyn Model>, _, _)> = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let config = TinyModel::new().write(folder.path());
    let dci_vton = DciVtonConfig {
        size: Some([16, 16]),
        ..DciVtonConfig::new("tiny", config.checkpoint.clone(), DataVersion::V1)
    };
    models.push((Box::new(dci_vton), None, tempfile::tempdir().unwrap()));
    models.push((Box::new(config), None, folder));
    let folder = tempfile::tempdir().unwrap();
    let config = tiny_viton::write(folder.path(), &tiny_viton::tensors());
    let warp = "warp_flow_blks.0.transformer_blocks.0.attn2";
    models.push((Box::new(config), Some(warp), folder));
    for (kind, layer) in [
        (
            PixelKind::Modules,
            "up_blocks.1.pixel_attentions.0.transformer_blocks.0.attn2",
        ),
        (
            PixelKind::Plus,
            "up_blocks.1.attentions.0.transformer_blocks.0.attn2_plus",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = tiny_pasd::write(kind, folder.path());
        models.push((Box::new(config), Some(layer), folder));
    }
    let up = "up_blocks.1.attentions.0.transformer_blocks.0.attn1";
    let (config, folder) = catvton::model(&catvton::catvton()[0]);
    models.push((Box::new(config), Some(up), folder));
    let (config, folder) = leffa::model(&leffa::leffa()[0]);
    models.push((Box::new(config), Some(up), folder));
    let (config, folder) = flux2::model(&flux2::klein()[0]);
    let block = "single_transformer_blocks.1.attn";
    models.push((Box::new(config), Some(block), folder));
    let folder = tempfile::tempdir().unwrap();
    let sizes = tiny_ip_adapter::sizes(9, tiny_ip_adapter::full());
    let config = tiny_ip_adapter::write(&sizes, folder.path());
    let second = "up_blocks.1.attentions.0.transformer_blocks.0.attn2_ip";
    models.push((Box::new(config), Some(second), folder));
    assert_eq!(models.len(), FAMILIES.len());
    models
}

fn specific(layer: &str) -> CaptureConfig {
    CaptureConfig {
        time_groups: 1,
        specific: vec![layer.to_owned()],
        ..CaptureConfig::default()
    }
}

fn refusal(model: &dyn Model, capture: &CaptureConfig) -> String {
    model.check(Some(capture)).unwrap_err().to_string()
}

#[test]
fn a_specific_layer_must_exist_and_have_positions() {
    for (model, spatial, _folder) in models() {
        let message = refusal(model.as_ref(), &specific("up_blocks.9.attn2"));
        let start =
            "attribution.specific: layer `up_blocks.9.attn2`: no such layer; the model has ";
        assert!(message.starts_with(start), "{message}");
        let known: Vec<&str> = message[start.len()..].split(", ").collect();
        if let Some(layer) = spatial {
            assert!(known.contains(&layer), "{layer} is not in: {message}");
            model.check(Some(&specific(layer))).unwrap();
        } else {
            let expected = format!(
                "attribution.specific: layer `{}`: its reference is pooled, so there is no map over it",
                known[0]
            );
            assert_eq!(refusal(model.as_ref(), &specific(known[0])), expected);
        }
        // A pattern may name nothing.
        model.check(Some(&specific("nothing.*"))).unwrap();
    }
}

#[test]
fn a_part_of_one_token_cannot_be_forbidden() {
    for (model, spatial, _folder) in models() {
        let forbid = |layer: &str| CaptureConfig {
            time_groups: 1,
            intervene: InterveneConfig {
                forbid: vec![ForbidRule {
                    models: None,
                    layers: vec![layer.to_owned()],
                    heads: None,
                    time_groups: None,
                    from: Positions::All,
                    region: Region::Box([0.0, 0.0, 0.5, 1.0]),
                }],
                ..InterveneConfig::default()
            },
            ..CaptureConfig::default()
        };
        let one_token = "down_blocks.0.attentions.0.transformer_blocks.0.attn2";
        let message = refusal(model.as_ref(), &forbid(one_token));
        let expected = if ["catvton", "flux2-klein", "leffa"]
            .contains(&model.settings()["family"].as_str().unwrap())
        {
            "intervene.forbid.0: no layer `"
        } else {
            "intervene.forbid.0: its layers see the reference as pooled tokens, which have no place in a region"
        };
        assert!(message.starts_with(expected), "{message}");
        if let Some(layer) = spatial {
            model.check(Some(&forbid(layer))).unwrap();
        }
    }
}

#[test]
fn the_scale_is_the_data_sets() {
    let enlarge = Goal::Enlarge { scale: 4 };
    for (model, ..) in models() {
        model.accepts(enlarge).unwrap();
        model.accepts(Goal::Repaint).unwrap();
    }
    let other = PasdConfig {
        upscale: 2.0,
        ..PasdConfig::new("tiny", "pasd", "nowhere".into())
    };
    let message = other.accepts(enlarge).unwrap_err().to_string();
    assert_eq!(message, "upscale: expected 4, as dataset.scale, found 2");
    other.accepts(Goal::Repaint).unwrap();
}

/// Every place is one of the settings, which are all of them written out.
#[test]
fn places_are_settings() {
    for (model, ..) in models() {
        let settings = model.settings();
        assert!(model.places().contains(&"checkpoint"));
        for place in model.places() {
            assert!(settings.get(place).is_some(), "{place} in {settings}");
        }
    }
    let pasd = PasdConfig::new("tiny", "pasd", "nowhere".into());
    assert_eq!(pasd.places(), ["checkpoint", "pasd"]);
    let ip_adapter = IpAdapterConfig::new("tiny", "nowhere".into(), "file".into());
    let places = ["checkpoint", "adapter", "image_encoder"];
    assert_eq!(ip_adapter.places(), places);
    let viton = StableVitonConfig::new("tiny", "nowhere".into());
    assert_eq!(viton.places(), ["checkpoint"]);
}

/// Which layers of a pass show what: positions of the reference, or something else.
#[derive(Default)]
struct Grids(BTreeMap<String, bool>);

impl AttentionProbe for Grids {
    fn observe(&mut self, seen: &Observation<'_>) {
        let spatial = seen.key_grid().is_some();
        self.0.insert(seen.layer.to_owned(), spatial);
    }
}

/// What a family says of its layers is what the networks show.
#[test]
fn spatial_layers_are_those_with_a_grid() {
    use i2am_nets::{Context, FormulaSource, Joint, Precision};
    use tch::{Device, Kind, Tensor};

    let _guard = tch::no_grad_guard();
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let expected = ExpectedSource::new();

    let sizes = tiny_viton::sizes();
    sizes.build(&expected);
    let mut seen = Grids::default();
    let context = Context::pooled(zeros(&[1, 1, sizes.unet.cross_attention_dim]));
    let channels = sizes.unet.in_channels;
    let _ = sizes.build(&source).predict(
        &zeros(&[1, channels, 8, 8]),
        &zeros(&[1, 4, 8, 8]),
        1,
        &context,
        &mut seen,
    );
    compare("stable-viton", &expected, &seen);

    let expected = ExpectedSource::new();
    let (config, _folder) = catvton::model(&catvton::catvton()[0]);
    let networks = catvton::load(&config);
    let networks = networks.networks();
    let sizes = CatVtonSizes {
        unet: networks.unet.config().clone(),
        vae: networks.vae.config().clone(),
    };
    sizes.build(&expected);
    let mut seen = Grids::default();
    let (x, fixed) = (zeros(&[1, 4, 16, 8]), zeros(&[1, 5, 16, 8]));
    let context = Context::joint(Joint::LowerHalf);
    let _ = networks.predict(&x, &fixed, 1, &context, &mut seen);
    compare("catvton", &expected, &seen);

    let expected = ExpectedSource::new();
    let (config, _folder) = leffa::model(&leffa::leffa()[0]);
    let networks = leffa::load(&config);
    let networks = networks.networks();
    let sizes = LeffaSizes {
        unet: networks.unet.config().clone(),
        reference: networks.reference.config().clone(),
        vae: networks.vae.config().clone(),
    };
    sizes.build(&expected);
    let mut seen = Grids::default();
    let features = networks.features(&zeros(&[1, 4, 8, 8]), 1);
    let _ = networks.predict(&zeros(&[1, 12, 8, 8]), features, 1, &mut seen);
    compare("leffa", &expected, &seen);
    for layer in expected.attentions("unet_encoder") {
        let attends = family("leffa").unwrap().info().attends;
        let own = attends("unet_encoder", &layer.name);
        assert_eq!(own, Some(Attends::Own), "{}", layer.name);
    }
    // The variant that the family's own answer is about.
    let expected = ExpectedSource::new();
    let sizes = tiny_ip_adapter::sizes(9, tiny_ip_adapter::base());
    sizes.build(&expected);
    let denoiser = sizes.build(&source).denoiser;
    let mut seen = Grids::default();
    let latent = zeros(&[1, 4, 8, 8]);
    let text = zeros(&[1, 3, sizes.unet.cross_attention_dim]);
    let context = denoiser.context(&text, &denoiser.no_features(&text), 1.0);
    let fixed = zeros(&[1, 5, 8, 8]);
    let _ = denoiser.guided(&latent, Some(&fixed), 1, &context, 1.0, &mut seen);
    compare("ip-adapter", &expected, &seen);

    for kind in [PixelKind::Modules, PixelKind::Plus] {
        let expected = ExpectedSource::new();
        let sizes = tiny_pasd::sizes(kind);
        sizes.build(&expected);
        let networks = sizes.build(&source);
        let control = networks.denoiser.control();
        let factor = sizes.vae.factor();
        let hint = control
            .conditioning()
            .forward(&zeros(&[1, 3, 8 * factor, 8 * factor]));
        let context = Context::text(zeros(&[1, 3, sizes.unet.cross_attention_dim]));
        let mut seen = Grids::default();
        let latent = zeros(&[1, sizes.unet.in_channels, 8, 8]);
        let _ = networks
            .denoiser
            .predict(&latent, &hint, 1, &context, 1.0, &mut seen);
        compare(tiny_pasd::family(kind), &expected, &seen);
    }
}

fn compare(name: &str, expected: &ExpectedSource, seen: &Grids) {
    let attends = family(name).unwrap().info().attends;
    let mut said: BTreeMap<String, Attends> = expected
        .attentions("unet")
        .into_iter()
        .map(|layer| (attends("unet", &layer.name).unwrap(), layer.name))
        .filter(|(attends, _)| *attends != Attends::Own)
        .map(|(attends, name)| (name, attends))
        .collect();
    let names: Vec<&String> = seen.0.keys().collect();
    assert_eq!(said.keys().collect::<Vec<_>>(), names, "{name}");
    // Of what else is not recorded nothing is said.
    said.retain(|_, attends| !matches!(attends, Attends::Unrecorded(_)));
    for (layer, attends) in said {
        let is_spatial = matches!(
            attends,
            Attends::Positions | Attends::UnrecordedPositions(_)
        );
        assert_eq!(seen.0[&layer], is_spatial, "{name}: {layer}");
    }
}
