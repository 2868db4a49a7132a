//! The networks and runs of a tiny IP-Adapter against the diffusers library, in its three variants.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use i2am_attribution::AttentionRecord;
use i2am_nets::image_encoder::ImageEncoderConfig;
use i2am_nets::image_projection::{ImageProjection, ImageProjectionConfig};
use i2am_nets::layers::CrossAttention;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::{
    AttentionProbe, CheckpointSource, Context, NoProbe, Places, Precision, Role, Scope,
};
use i2am_runner::capture::Recorder;
use i2am_runner::families::IpAdapterDenoiser;
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig, SamplerKind};
use i2am_runner::schedule::{Schedule, Spacing};
use i2am_runner::{RunnerError, pictures};
use i2am_testkit::{FixtureDir, assert_close, fixtures};
use safetensors::tensor::TensorView;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{close, committed, number, rgb, tensor, values};
use crate::pasd::unet_config;

/// Of the largest magnitude.
const PARTS: f64 = 2e-5;
const SINGLE: f64 = 1e-4;
pub(crate) const RUNS: f64 = 5e-4;

/// Names of the fixture's files.
pub(crate) const VARIANTS: [&str; 3] = ["base", "plus", "full"];
/// The row of a batch that saw the positive text.
pub(crate) const POSITIVE: i64 = 1;

pub(crate) fn ip_adapter() -> Vec<FixtureDir> {
    fixtures(&committed(), "ip-adapter")
}

pub(crate) fn adapter(folder: &FixtureDir, variant: &str) -> PathBuf {
    folder.path().join(format!("adapter_{variant}.safetensors"))
}

fn decoupled(sidecar: &Value) -> UNetConfig {
    UNetConfig {
        cross: CrossAttention::Decoupled,
        ..unet_config(sidecar)
    }
}

fn encoder_config(sidecar: &Value) -> ImageEncoderConfig {
    let clip = |key: &str| number(sidecar, &format!("clip_{key}"));
    ImageEncoderConfig {
        hidden_size: clip("hidden"),
        intermediate_size: clip("intermediate"),
        num_hidden_layers: clip("layers") as usize,
        num_attention_heads: clip("heads"),
        image_size: clip("image"),
        patch_size: clip("patch"),
        projection_dim: clip("projection"),
        ..ImageEncoderConfig::clip_vit_h14()
    }
}

fn network(folder: &FixtureDir, network: &str) -> Checkpoint {
    let file = folder.path().join(format!("{network}.safetensors"));
    Checkpoint::open_single(&file, network, |name| Some(name.to_owned())).unwrap()
}

/// The networks of the fixture with the adapter in the file `adapter`; every tensor of the files has its use.
pub(crate) fn denoiser(folder: &FixtureDir, adapter: &Path) -> IpAdapterDenoiser {
    let sidecar = folder.json("sampling");
    let unet = decoupled(&sidecar);
    let adapter = Checkpoint::open_ip_adapter(adapter).unwrap();
    let projection = ImageProjectionConfig::of(&adapter).unwrap();
    let mut files = network(folder, "unet");
    files.lay_over(network(folder, "image_encoder"));
    files.lay_over(adapter.of_ip_adapter(&unet).unwrap());
    let source = CheckpointSource::new(&files, Precision::F32, Device::Cpu);
    let encoder = encoder_config(&sidecar);
    let denoiser = IpAdapterDenoiser::new(&source, &unet, &encoder, &projection);
    assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());
    denoiser
}

/// The UNet alone.
fn plain(folder: &FixtureDir) -> UNet {
    let files = network(folder, "unet");
    let source = CheckpointSource::new(&files, Precision::F32, Device::Cpu);
    let config = unet_config(&folder.json("sampling"));
    let unet = UNet::new(&Scope::root(&source, "unet"), config);
    assert_eq!(source.finish().unwrap().unused, Vec::<String>::new());
    unet
}

fn pixels(folder: &FixtureDir) -> Tensor {
    pictures::clip_normalised(&rgb(&folder.tensors("inputs"), "reference"))
}

/// Features for the rows without and with the reference.
pub(crate) fn features(folder: &FixtureDir, denoiser: &IpAdapterDenoiser) -> Tensor {
    let pixels = pixels(folder);
    let nothing = denoiser.no_features(&pixels);
    Tensor::cat(&[nothing, denoiser.features(&pixels)], 0)
}

pub(crate) fn context(folder: &FixtureDir, denoiser: &IpAdapterDenoiser, scale: f64) -> Context {
    let text = tensor(&folder.tensors("inputs"), "text");
    denoiser.context(&text, &features(folder, denoiser), scale)
}

#[test]
fn parity_image_features() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("parts"));
        let pixels = pixels(&folder);
        let some = pixels.slice(2, 0, None, 16).slice(3, 0, None, 16);
        close(&name, &some, &golden, "pixels", PARTS);
        let denoiser = denoiser(&folder, &adapter(&folder, "base"));
        let encoder = denoiser.image_encoder();
        let compare = |found: &Tensor, expected: &str| {
            close(&name, found, &golden, expected, PARTS);
        };
        compare(&encoder.states(&pixels), "clip.hidden");
        compare(&encoder.states(&pixels.zeros_like()), "clip.hidden_zero");
        compare(&encoder.embedding(&pixels), "clip.image_embeds");
    }
}

#[test]
fn parity_image_tokens() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("parts"));
        for variant in VARIANTS {
            let denoiser = denoiser(&folder, &adapter(&folder, variant));
            let features = features(&folder, &denoiser);
            let tokens = denoiser.projection().forward(&features);
            let expected = format!("{variant}.tokens");
            close(&name, &tokens.tokens, &golden, &expected, PARTS);

            let of_reference = |segment: &i2am_nets::Segment| {
                assert_eq!(segment.role, Role::Reference(0));
                (segment.tokens.start, segment.tokens.end)
            };
            let ranges: Vec<_> = tokens.segments.iter().map(of_reference).collect();
            match (variant, &tokens.segments[..]) {
                ("base", [only]) => {
                    assert!(matches!(only.places, Places::Pooled));
                    assert_eq!(ranges, [(0, 4)]);
                }
                ("full", [class, patches]) => {
                    assert!(matches!(class.places, Places::Pooled));
                    assert!(matches!(patches.places, Places::Grid((16, 16))));
                    assert_eq!(ranges, [(0, 1), (1, 257)]);
                }
                ("plus", [only]) => {
                    let Places::Mixed { grid, weights } = &only.places else {
                        panic!("{:?}", only.places)
                    };
                    assert_eq!((*grid, &ranges[..]), ((16, 16), &[(0, 16)][..]));
                    assert_eq!(weights.size(), [2, 16, 256]);
                    let last = tensor(&golden, "plus.resampler.3.p").narrow(1, 1, 256);
                    let own = values(&weights.select(0, POSITIVE));
                    assert_close("weights", &own, &values(&last), PARTS);
                    // The rest lies on the class token and on the latents.
                    let sums = weights.sum_dim_intlist([2_i64].as_slice(), false, Kind::Float);
                    assert!(values(&sums).iter().all(|&sum| 0.0 < sum && sum < 1.0));
                }
                (_, segments) => panic!("{variant}: {segments:?}"),
            }
        }
    }
}

#[test]
fn parity_resampler_attention() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let golden = folder.tensors("parts");
        let denoiser = denoiser(&folder, &adapter(&folder, "plus"));
        let ImageProjection::Resampled(resampler) = denoiser.projection() else {
            panic!("{:?}", denoiser.projection())
        };
        let (_, attended) = resampler.layers(&denoiser.features(&pixels(&folder)));
        assert_eq!(attended.len(), 4);
        for (layer, attention) in attended.iter().enumerate() {
            let expected = format!("plus.resampler.{layer}.p");
            let found = attention.select(0, 0);
            close(&folder.name(), &found, &golden, &expected, PARTS);
        }
    }
}

/// One pass over both rows, seen by `probe`.
pub(crate) fn pass(
    folder: &FixtureDir,
    denoiser: &IpAdapterDenoiser,
    scale: f64,
    probe: &mut dyn AttentionProbe,
) -> Tensor {
    let golden = folder.tensors("single");
    let t = Tensor::from_slice(&golden.i64("t")).repeat([2]);
    let context = context(folder, denoiser, scale);
    let x = tensor(&golden, "x9");
    denoiser.unet().forward(&x, &t, &context, probe)
}

fn eps(folder: &FixtureDir, denoiser: &IpAdapterDenoiser, scale: f64) -> Tensor {
    pass(folder, denoiser, scale, &mut NoProbe)
}

#[test]
fn parity_single_pass() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("single"));
        let t = Tensor::from_slice(&golden.i64("t")).repeat([2]);
        let context = Context::text(tensor(&folder.tensors("inputs"), "text"));
        let x = tensor(&golden, "x9");
        let none = plain(&folder).forward(&x, &t, &context, &mut NoProbe);
        close(&name, &none, &golden, "eps.none", SINGLE);
        for variant in VARIANTS {
            let denoiser = denoiser(&folder, &adapter(&folder, variant));
            for scale in ["1.0", "0.6"] {
                let found = eps(&folder, &denoiser, scale.parse().unwrap());
                let expected = format!("eps.{variant}.scale{scale}");
                close(&name, &found, &golden, &expected, SINGLE);
            }
            // Bit for bit.
            let zero = eps(&folder, &denoiser, 0.0);
            assert_eq!(values(&zero), values(&none), "{variant}");
        }
    }
}

/// The fixture's run, keeping what the sampler saw.
pub(crate) struct Run<'a> {
    denoiser: &'a IpAdapterDenoiser,
    fixed: Tensor,
    context: Context,
    guidance: f64,
    recorder: Option<Recorder>,
    visited: Vec<i64>,
    latents: Vec<Tensor>,
    noises: Vec<Tensor>,
}

impl Denoiser for Run<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let (t, guidance) = (call.timestep, self.guidance);
        let (fixed, context) = (Some(&self.fixed), &self.context);
        let probe: &mut dyn AttentionProbe = match &mut self.recorder {
            None => &mut NoProbe,
            Some(recorder) => {
                recorder.begin(call)?;
                recorder
            }
        };
        let eps = self.denoiser.guided(x, fixed, t, context, guidance, probe);
        self.visited.push(t);
        self.latents.push(x.shallow_clone());
        self.noises.push(eps.shallow_clone());
        Ok(eps)
    }

    fn step_noise(&mut self, _step: usize, _like: &Tensor) -> Result<Tensor, RunnerError> {
        panic!("without eta DDIM adds no noise")
    }
}

/// Runs the fixture's sample; the final latent and what was seen.
pub(crate) fn whole_run<'a>(
    folder: &FixtureDir,
    denoiser: &'a IpAdapterDenoiser,
    scale: f64,
    recorder: Option<Recorder>,
) -> (Tensor, Run<'a>) {
    let (sidecar, inputs) = (folder.json("sampling"), folder.tensors("inputs"));
    let sampler = SamplerConfig {
        kind: SamplerKind::Ddim,
        steps: number(&sidecar, "steps") as u32,
        spacing: Spacing::Diffusers,
        eta: 0.0,
    };
    let sampler = sampler.build(&Schedule::default()).unwrap();
    let channels = ["mask", "masked_latent"].map(|name| tensor(&inputs, name));
    let mut run = Run {
        context: context(folder, denoiser, scale),
        denoiser,
        fixed: Tensor::cat(&channels, 1),
        guidance: sidecar["config"]["guidance"].as_f64().unwrap(),
        recorder,
        visited: Vec::new(),
        latents: Vec::new(),
        noises: Vec::new(),
    };
    let start = tensor(&inputs, "noise.start");
    let done = sampler.sample(start, &mut run).unwrap();
    (done, run)
}

impl Run<'_> {
    pub(crate) fn record(self) -> AttentionRecord {
        self.recorder.unwrap().finish((16, 16)).unwrap()
    }
}

/// The scale of the adapter in the fixture's runs.
pub(crate) fn scale_of_runs(folder: &FixtureDir) -> f64 {
    let sidecar = folder.json("sampling");
    sidecar["config"]["adapter_scale"].as_f64().unwrap()
}

#[test]
fn parity_whole_runs() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("sampling"));
        let own = scale_of_runs(&folder);
        for (variant, scale, expected) in [
            ("base", own, "base"),
            ("plus", own, "plus"),
            ("full", own, "full"),
            ("plus", 0.0, "none"),
        ] {
            let denoiser = denoiser(&folder, &adapter(&folder, variant));
            let (done, run) = whole_run(&folder, &denoiser, scale, None);
            assert_eq!(run.visited, golden.i64("timesteps"));
            close(&name, &done, &golden, &format!("{expected}.final"), RUNS);
            if expected == "base" {
                let latents = Tensor::cat(&run.latents, 0);
                close(&name, &latents, &golden, "base.x", RUNS);
                let [negative, positive] =
                    ["base.eps_negative", "base.eps_positive"].map(|half| tensor(&golden, half));
                let guided = &negative + (&positive - &negative) * run.guidance;
                let noises = values(&Tensor::cat(&run.noises, 0));
                assert_close("guided noise", &noises, &values(&guided), RUNS);
            }
        }
    }
}

/// The authors publish both forms.
#[test]
fn both_forms_of_a_file_are_equal() {
    let [committed, ..] = &ip_adapter()[..] else {
        panic!("no fixture")
    };
    let open = |file: &str| Checkpoint::open_ip_adapter(&committed.path().join(file)).unwrap();
    let (flat, nested) = (open("adapter_base.safetensors"), open("adapter_base.bin"));
    let names: Vec<&str> = flat.names().collect();
    assert_eq!(names, nested.names().collect::<Vec<_>>());
    assert_eq!(names.len(), 36);
    for name in names {
        let [flat, nested] = [&flat, &nested].map(|file| file.tensor(name).unwrap());
        assert_eq!(flat, nested, "{name}");
    }
    let eps = [".safetensors", ".bin"].map(|end| {
        let _guard = tch::no_grad_guard();
        let path = committed.path().join(format!("adapter_base{end}"));
        values(&eps(committed, &denoiser(committed, &path), 1.0))
    });
    assert_eq!(eps[0], eps[1]);
}

/// A file whose layers `first` and `second` have each other's tensors.
fn exchanged(folder: &FixtureDir, first: usize, second: usize, path: &Path) {
    let tensors = folder.tensors("adapter_base");
    let renamed: BTreeMap<String, TensorView<'_>> = tensors
        .iter()
        .map(|(name, tensor)| {
            let numbers = [first, second].map(|n| format!("ip_adapter.{n}."));
            let of_layer = |n: &usize| name.starts_with(&numbers[*n]);
            let name = match [0, 1].into_iter().find(of_layer) {
                Some(n) => name.replace(&numbers[n], &numbers[1 - n]),
                None => name.to_owned(),
            };
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
            (name, view.unwrap())
        })
        .collect();
    safetensors::serialize_to_file(renamed, None::<HashMap<_, _>>, path).unwrap();
}

/// Layers of one width can be taken for each other without any shape saying so: numbers in the order of execution, where the middle comes
/// before the way up, would not be noticed but for the values.
#[test]
fn the_order_of_layers_matters() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let file = tempfile::NamedTempFile::new().unwrap();
        exchanged(&folder, 13, 31, file.path());
        let found = eps(&folder, &denoiser(&folder, file.path()), 1.0);
        let expected = tensor(&folder.tensors("single"), "eps.base.scale1.0");
        let off = (found - &expected).abs().max() / expected.abs().max();
        assert!(
            off.double_value(&[]) > 100.0 * SINGLE,
            "no difference to see"
        );
    }
}
