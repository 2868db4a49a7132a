//! What is seen and recorded of the second softmax of a tiny IP-Adapter, against softmaxes computed apart.

use std::collections::BTreeMap;

use i2am_attribution::{AttentionRecord, KeyRole, LayerRecord, Source};
use i2am_nets::{AttentionProbe, Observation};
use i2am_runner::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use i2am_testkit::{FixtureDir, Tensors, assert_close};
use tch::{Kind, Tensor};

use crate::common::{close, number, shape, tensor, values};
use crate::parity_ip_adapter::{
    POSITIVE, RUNS, VARIANTS, adapter, denoiser, ip_adapter, pass, scale_of_runs, whole_run,
};
use crate::recorder::call;

/// Of the largest magnitude.
const MAPS: f64 = 2e-4;

/// Every second softmax that a pass shows, by layer.
#[derive(Default)]
struct Second(BTreeMap<String, [Tensor; 2]>);

impl AttentionProbe for Second {
    fn observe(&mut self, seen: &Observation<'_>) {
        if seen.layer.ends_with("attn2_ip") {
            let scaled = seen.query * seen.scale;
            let own = [scaled, seen.key.shallow_clone()].map(|x| x.select(0, POSITIVE));
            self.0.insert(seen.layer.to_owned(), own);
        }
    }
}

/// Softmaxes of the second key set, in every layer: over image tokens inside and outside the hole, and over positions.
#[test]
fn parity_second_softmax() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (sidecar, golden) = (folder.json("sampling"), folder.tensors("maps"));
        let inputs = folder.tensors("inputs");
        for variant in VARIANTS {
            let denoiser = denoiser(&folder, &adapter(&folder, variant));
            let mut seen = Second::default();
            let _ = pass(&folder, &denoiser, 1.0, &mut seen);
            assert_eq!(seen.0.len(), 16);
            for (n, layer) in sidecar["layers"].as_object().unwrap() {
                let layer = format!("{}_ip", layer.as_str().unwrap());
                let [query, key] = &seen.0[&layer];
                let scores = query.matmul(&key.transpose(1, 2));
                let over_tokens = scores.softmax(-1, Kind::Float);
                let name = |what: &str| format!("{variant}.{n:0>2}.{what}");
                let positions = scores.size()[1];
                let side = (positions as f64).sqrt() as i64;
                let hole = format!("mask.hole.{side}x{side}");
                let hole = Tensor::from_slice(&inputs.u8(&hole)).to_kind(Kind::Float);
                let both = Tensor::stack(&[hole.view([1, -1]), -hole.view([1, -1]) + 1.0], 0);
                // [2, 1, positions] by [heads, positions, tokens].
                let sums = both.unsqueeze(1).matmul(&over_tokens).squeeze_dim(2);
                close(&layer, &sums, &golden, &name("g2r"), MAPS);
                if variant == "full" {
                    continue;
                }
                let over_positions = scores.softmax(1, Kind::Float);
                let sum = over_positions.sum_dim_intlist([2_i64].as_slice(), false, Kind::Float);
                let map = sum.view([-1, side, side]);
                assert_eq!(map.size(), shape(&golden, &name("r2g")));
                close(&layer, &map, &golden, &name("r2g"), MAPS);
            }
        }
    }
}

/// The layers of the fixture by their numbers in its names, and the side of their maps.
fn layers(folder: &FixtureDir) -> Vec<(String, String)> {
    let sidecar = folder.json("sampling");
    let layers = sidecar["layers"].as_object().unwrap();
    let named = layers.iter().map(|(n, layer)| {
        let layer = layer.as_str().unwrap();
        (format!("{n:0>2}"), format!("{layer}_ip"))
    });
    named.collect()
}

/// A recorder of every second softmax, under the hole as it is given for maps of `side`.
fn recorder(inputs: &Tensors, side: i64, steps: usize) -> Recorder {
    let mask = |name: &str, side: i64| {
        let mask = Tensor::from_slice(&inputs.u8(name)).to_kind(Kind::Float);
        Some(mask.view([1, 1, side, side]))
    };
    let masks = CaptureMasks {
        inpainting: mask(&format!("mask.hole.{side}x{side}"), side),
        reference: mask("reference_mask", 16),
    };
    let config = CaptureConfig {
        time_groups: 1,
        ..CaptureConfig::default()
    };
    let wants = |layer: &str| layer.ends_with("attn2_ip");
    Recorder::new(&config, ConditionalHalf::Second, wants, masks, steps).unwrap()
}

/// The record of one pass.
fn record(folder: &FixtureDir, variant: &str, side: i64) -> AttentionRecord {
    let denoiser = denoiser(folder, &adapter(folder, variant));
    let mut recorder = recorder(&folder.tensors("inputs"), side, 1);
    recorder.begin(call(0)).unwrap();
    let _ = pass(folder, &denoiser, 1.0, &mut recorder);
    let record = recorder.finish((16, 16)).unwrap();
    record.validate().unwrap();
    assert_eq!(record.layers.len(), 16);
    record
}

/// Calls `compare` with every layer of the variant, recorded under the hole of its size, and with the start of its golden names.
fn for_each_layer(variant: &str, compare: impl Fn(&FixtureDir, &Tensors, &str, &LayerRecord)) {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let golden = folder.tensors("maps");
        let mut compared = 0;
        for side in [16, 8, 4, 2] {
            let record = record(&folder, variant, side);
            for (n, name) in layers(&folder) {
                let layer = record.layer(&name).unwrap();
                if layer.height as i64 == side {
                    compared += 1;
                    compare(&folder, &golden, &format!("{variant}.{n}"), layer);
                }
            }
        }
        assert_eq!(compared, 16);
    }
}

/// The maps of tokens inside the reference mask; those without a place count as inside.
fn inside(layer: &LayerRecord) -> &[f32] {
    layer.r2g.split_at(layer.r2g.len() / 2).0
}

#[test]
fn parity_record_of_pooled_tokens() {
    for_each_layer("base", |_, golden, start, layer| {
        assert_eq!(layer.source, Source::Tokens { count: 4 });
        assert!(layer.g2r.is_none() && layer.share.is_none() && layer.others.is_empty());
        let name = format!("{start}.r2g");
        assert_close(&name, inside(layer), &golden.f32(&name), MAPS);
        let outside = &layer.r2g[layer.r2g.len() / 2..];
        assert!(outside.iter().all(|&sum| sum == 0.0), "{start}");
    });
}

/// Maps over the reference are composed with the attention of the resampler's last layer. What lies on the class token and on the latents
/// is in no map.
#[test]
fn parity_record_of_resampled_tokens() {
    for_each_layer("plus", |folder, golden, start, layer| {
        let source = Source::Mixed {
            count: 16,
            height: 16,
            width: 16,
        };
        assert_eq!(layer.source, source);
        let name = format!("{start}.r2g");
        assert_close(&name, inside(layer), &golden.f32(&name), MAPS);
        let over_tokens = tensor(golden, &format!("{start}.g2r"));
        let mixture = tensor(&folder.tensors("parts"), "plus.resampler.3.p");
        let patches = |x: &Tensor| x.narrow(-1, 1, 256);
        let mut composed = patches(&over_tokens.matmul(&mixture));
        if start == "plus.15" {
            composed = patches(&tensor(golden, "plus.15.composed"));
        }
        let found = layer.g2r.as_ref().unwrap();
        assert_close(&format!("{start}.g2r"), found, &values(&composed), MAPS);
        assert!(layer.share.is_none() && layer.relative.is_none());
    });
}

#[test]
fn parity_record_of_a_class_token_and_patches() {
    for_each_layer("full", |folder, golden, start, layer| {
        let source = Source::Spatial {
            height: 16,
            width: 16,
        };
        assert_eq!(layer.source, source);
        // Inside and outside of the reference mask; the class token is apart.
        let name = format!("{start}.r2g");
        let both = tensor(golden, &name).narrow(0, 0, 2);
        assert_close(&name, &layer.r2g, &values(&both), MAPS);
        let name = format!("{start}.g2r");
        let over_tokens = tensor(golden, &name);
        let patches = values(&over_tokens.narrow(-1, 1, 256));
        assert_close(&name, layer.g2r.as_ref().unwrap(), &patches, MAPS);
        // Of all attention, what is left for the patches by the class token.
        let positions = (layer.height * layer.width) as f64;
        let of_class =
            over_tokens
                .select(-1, 0)
                .sum_dim_intlist([0_i64].as_slice(), false, Kind::Float);
        let class = values(&(of_class / positions));
        let [pooled] = &layer.others[..] else {
            panic!("{:?}", layer.others)
        };
        assert_eq!(pooled.role, KeyRole::Pooled);
        assert_close(&format!("{start}: class"), &pooled.share, &class, MAPS);
        let heads = number(&folder.json("sampling"), "attention_head_dim");
        let share = Tensor::from_slice(layer.share.as_ref().unwrap());
        let sums =
            share
                .view([2, heads, -1])
                .sum_dim_intlist([0_i64, 2].as_slice(), false, Kind::Float);
        let left: Vec<f32> = class.iter().map(|class| 1.0 - class).collect();
        assert_close(
            &format!("{start}: share"),
            &values(&(sums / positions)),
            &left,
            MAPS,
        );
    });
}

/// Over all steps, with the scale of the run.
#[test]
fn parity_record_of_a_run() {
    for folder in ip_adapter() {
        let _guard = tch::no_grad_guard();
        let (golden, inputs) = (folder.tensors("sampling"), folder.tensors("inputs"));
        let denoiser = denoiser(&folder, &adapter(&folder, "base"));
        let steps = number(&folder.json("sampling"), "steps") as usize;
        let recorder = recorder(&inputs, 16, steps);
        let scale = scale_of_runs(&folder);
        let (done, run) = whole_run(&folder, &denoiser, scale, Some(recorder));
        close("with a recorder", &done, &golden, "base.final", RUNS);
        let record = run.record();
        assert_eq!(record.steps, [steps as u32]);
        for (n, name) in layers(&folder) {
            let layer = record.layer(&name).unwrap();
            let name = format!("record.{n}.r2g");
            assert_close(&name, inside(layer), &golden.f32(&name), RUNS);
        }
    }
}
