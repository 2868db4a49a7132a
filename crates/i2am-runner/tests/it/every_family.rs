//! A small model of every family in its variants, and samples for it that all differ.

use i2am_datasets::Sample;
use i2am_nets::Precision;
use i2am_nets::unet::PixelKind;
use i2am_runner::Weights;
use i2am_runner::families::{
    ClothPosterior, Flux2KleinConfig, LeffaConfig, Model, Pipeline, Posterior, ReferenceFeatures,
    Shown, Task,
};
use i2am_runner::noise::NoiseSource;
use i2am_runner::samplers::{SamplerConfig, SamplerKind};
use tch::Device;
use tempfile::TempDir;

use crate::tiny::{SIDE, TinyModel, sample};
use crate::tiny_ip_adapter::{base, full, plus};
use crate::{catvton, dci_vton, flux2, leffa, tiny_ip_adapter, tiny_pasd, tiny_viton};

/// A loaded model, and samples that all differ.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) pipeline: Box<dyn Pipeline>,
    pub(crate) weights: Weights,
    pub(crate) samples: Vec<Sample>,
    _files: TempDir,
}

impl Subject {
    /// A model that is read from `files`, and variations of `sample`.
    pub(crate) fn new(
        name: &'static str,
        model: &dyn Model,
        sample: &Sample,
        files: TempDir,
    ) -> Self {
        let (pipeline, weights) = model.load_with_weights(Device::Cpu).unwrap();
        Self {
            name,
            pipeline,
            weights,
            samples: different(sample),
            _files: files,
        }
    }
}

/// Three samples that differ in every picture that most families read, and in the masks.
pub(crate) fn different(first: &Sample) -> Vec<Sample> {
    let other = |index: u8| {
        let mut sample = first.clone();
        sample.id = format!("drawn-{index}");
        let pictures = [
            Some(&mut sample.image),
            Some(&mut sample.reference),
            sample.agnostic.as_mut(),
            sample.densepose.as_mut(),
            sample.warped.as_mut(),
        ];
        for picture in pictures.into_iter().flatten() {
            for pixel in picture.pixels_mut() {
                pixel.0 = pixel.0.map(|level| level.wrapping_add(60 * index));
            }
        }
        let masks = [Some(&mut sample.mask), sample.reference_mask.as_mut()];
        for mask in masks.into_iter().flatten() {
            let (width, height) = mask.dimensions();
            for (x, y, pixel) in mask.enumerate_pixels_mut() {
                let is_cut = match index {
                    0 => false,
                    1 => x < width / 2,
                    _ => y < height / 2,
                };
                if is_cut {
                    pixel.0 = [0];
                }
            }
        }
        sample
    };
    (0..3).map(other).collect()
}

pub(crate) fn noise(sample: &Sample) -> NoiseSource {
    NoiseSource::Seeded {
        seed: 1,
        dataset: "batch".to_owned(),
        sample: sample.id.clone(),
    }
}

fn sampler(kind: SamplerKind, steps: u32, eta: f64) -> SamplerConfig {
    SamplerConfig {
        kind,
        steps,
        eta,
        ..SamplerConfig::default()
    }
}

/// FLUX.2 klein without guidance, and inpainting with it.
fn of_flux2(precision: Precision) -> [(&'static str, Flux2KleinConfig, TempDir); 2] {
    let fixture = &flux2::klein()[0];
    [
        ("flux2-klein", 1.0, Task::Edit),
        ("flux2-klein, guided inpainting", 4.0, Task::Inpaint),
    ]
    .map(|(name, guidance, task)| {
        let (config, files) = flux2::model(fixture);
        let config = Flux2KleinConfig {
            precision,
            guidance,
            task,
            images: vec![Shown::Source, Shown::Reference],
            ..config
        };
        (name, config, files)
    })
}

/// Every family: with guidance and without, with fresh noise in every step, with several samplers; computed in `precision`.
pub(crate) fn subjects(precision: Precision) -> Vec<Subject> {
    let mut subjects = Vec::new();
    let mut add = |name, model: &dyn Model, sample: Sample, files: TempDir| {
        subjects.push(Subject::new(name, model, &sample, files));
    };
    let folder = || tempfile::tempdir().unwrap();

    let files = folder();
    let mut config = TinyModel::new().write(files.path());
    config.precision = precision;
    config.sampler = sampler(SamplerKind::Plms, 4, 0.0);
    add("paint-by-example, plms", &config, sample(SIDE), files);
    let files = folder();
    let mut config = TinyModel::new().write(files.path());
    config.precision = precision;
    config.guidance = 1.0;
    config.sampler = sampler(SamplerKind::Ddpm, 4, 0.0);
    add(
        "paint-by-example, ddpm, unguided",
        &config,
        sample(SIDE),
        files,
    );

    let files = folder();
    let mut config = dci_vton::tiny(files.path());
    config.precision = precision;
    add("dci-vton", &config, dci_vton::tiny_sample(), files);

    for (name, guidance, cloth_posterior) in [
        ("stable-viton", 1.0, ClothPosterior::EveryCall),
        ("stable-viton, guided", 2.0, ClothPosterior::EveryCall),
        ("stable-viton, one draw", 2.0, ClothPosterior::Once),
    ] {
        let files = folder();
        let mut config = tiny_viton::write(files.path(), &tiny_viton::tensors());
        config.precision = precision;
        config.guidance = guidance;
        config.posterior = Posterior::Sample;
        config.cloth_posterior = cloth_posterior;
        config.repaint = true;
        add(name, &config, tiny_viton::sample(), files);
    }

    let fixture = &catvton::catvton()[0];
    for (name, guidance) in [("catvton", 2.5), ("catvton, unguided", 1.0)] {
        let (mut config, files) = catvton::model(fixture);
        config.precision = precision;
        config.guidance = guidance;
        config.repaint = true;
        config.sampler.eta = 1.0;
        add(name, &config, catvton::sample(fixture), files);
    }

    let fixture = &leffa::leffa()[0];
    for (name, guidance, reference_features) in [
        ("leffa", 2.5, ReferenceFeatures::EveryStep),
        ("leffa, once", 2.5, ReferenceFeatures::Once),
        ("leffa, unguided", 1.0, ReferenceFeatures::Once),
    ] {
        let (config, files) = leffa::model(fixture);
        let config = LeffaConfig {
            precision,
            guidance,
            reference_features,
            ..config
        };
        add(name, &config, catvton::sample(fixture), files);
    }

    for (name, config, files) in of_flux2(precision) {
        add(name, &config, flux2::sample(&flux2::klein()[0]), files);
    }

    for (name, channels, projection, guidance) in [
        ("ip-adapter", 9, base(), 7.5),
        ("ip-adapter, plus", 9, plus(), 7.5),
        ("ip-adapter, plus, unguided", 9, plus(), 1.0),
        ("ip-adapter, full-face, kept latent", 4, full(), 7.5),
    ] {
        let files = folder();
        let sizes = tiny_ip_adapter::sizes(channels, projection);
        let mut config = tiny_ip_adapter::write(&sizes, files.path());
        config.precision = precision;
        config.guidance = guidance;
        add(name, &config, sample(64), files);
    }

    for (name, kind, guidance) in [
        ("pasd", PixelKind::Modules, 9.0),
        ("pasd-light", PixelKind::Plus, 9.0),
        ("pasd-light, unguided", PixelKind::Plus, 1.0),
    ] {
        let files = folder();
        let mut config = tiny_pasd::write(kind, files.path());
        config.precision = precision;
        config.guidance = guidance;
        add(name, &config, tiny_pasd::sample(8, 6), files);
    }
    subjects
}
