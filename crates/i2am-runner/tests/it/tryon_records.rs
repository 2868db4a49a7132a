//! Records of try-on fixtures, whose masks are given for each size of a feature map.

use std::collections::BTreeMap;

use i2am_attribution::{KeyRole, LayerRecord};
use i2am_nets::{AttentionProbe, Intervention, Observation};
use i2am_runner::capture::{
    CaptureConfig, CaptureMasks, ConditionalHalf, ForbidRule, InterveneConfig, Positions, Recorder,
    Region,
};
use i2am_runner::samplers::Call;
use i2am_testkit::{FixtureDir, Tensors, assert_close};
use tch::{Kind, Tensor};

use crate::common::shape;

/// A recorder for every size: the fixtures have their masks by nearest neighbor at each, and recorders by cover.
pub(crate) struct PerGrid(BTreeMap<(i64, i64), Recorder>);

impl PerGrid {
    /// For `steps` steps of one time group, under `intervene`.
    pub(crate) fn new(fixture: &FixtureDir, steps: usize, intervene: InterveneConfig) -> Self {
        let inputs = fixture.tensors("inputs");
        let config = CaptureConfig {
            time_groups: 1,
            carried_sums: true,
            intervene,
            ..CaptureConfig::default()
        };
        let recorder = |grid: (i64, i64)| {
            let mask = |name: &str| {
                let name = format!("mask.{name}.{}x{}", grid.0, grid.1);
                let mask = Tensor::from_slice(&inputs.u8(&name)).ne(0);
                let size = [1, 1, grid.0, grid.1];
                mask.to_kind(Kind::Float).reshape(size)
            };
            let masks = CaptureMasks {
                inpainting: Some(mask("hole")),
                reference: Some(mask("garment")),
            };
            let half = ConditionalHalf::Second;
            Recorder::new(&config, half, |_| true, masks, steps).unwrap()
        };
        let grids = inputs.names().filter_map(|name| {
            let (height, width) = name.strip_prefix("mask.hole.")?.split_once('x')?;
            Some((height.parse().unwrap(), width.parse().unwrap()))
        });
        Self(grids.map(|grid| (grid, recorder(grid))).collect())
    }

    /// One that forbids generated positions to read `region`, in every layer.
    pub(crate) fn forbidding(fixture: &FixtureDir, region: Region) -> Self {
        let rule = ForbidRule {
            models: None,
            layers: vec!["*".to_owned()],
            heads: None,
            time_groups: None,
            from: Positions::All,
            region,
        };
        let intervene = InterveneConfig {
            forbid: vec![rule],
            ..InterveneConfig::default()
        };
        let mut probe = Self::new(fixture, 1, intervene);
        probe.begin(call(0));
        probe
    }

    pub(crate) fn begin(&mut self, call: Call) {
        for recorder in self.0.values_mut() {
            recorder.begin(call).unwrap();
        }
    }

    /// What was recorded, by the name of the layer.
    pub(crate) fn finish(self) -> BTreeMap<String, LayerRecord> {
        let records = self.0.into_values().flat_map(|recorder| {
            let record = recorder.finish((16, 8)).unwrap();
            record.layers
        });
        records.map(|layer| (layer.name.clone(), layer)).collect()
    }
}

/// The only call of a step.
pub(crate) fn call(step: usize) -> Call {
    Call {
        step,
        timestep: 0,
        primary: true,
    }
}

impl AttentionProbe for PerGrid {
    fn observe(&mut self, seen: &Observation<'_>) {
        let recorder = self.0.get_mut(&seen.grid().unwrap());
        recorder.unwrap().observe(seen);
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let recorder = self.0.get_mut(&seen.grid().unwrap());
        recorder.unwrap().intervene(seen)
    }
}

/// The two rows of a split as their sum.
fn total(split: &[f32]) -> Vec<f32> {
    let (inside, outside) = split.split_at(split.len() / 2);
    inside.iter().zip(outside).map(|(a, b)| a + b).collect()
}

/// Compares what the fixture has, all of it or the sums of a run under names that begin with `prefix`.
pub(crate) fn compare(
    fixture: &FixtureDir,
    records: &BTreeMap<String, LayerRecord>,
    golden: &Tensors,
    prefix: &str,
    (tolerance, steps): (f64, f32),
) {
    let sidecar = fixture.json("maps");
    let layers = sidecar["layers"].as_array().unwrap();
    assert_eq!(records.len(), layers.len());
    let mut compared = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        let layer = layer.as_str().unwrap();
        let record = &records[layer];
        let share = record.share.as_deref().unwrap();
        let carried = record.carried.as_ref().unwrap();
        let totals = total(share);
        for (kind, values) in [
            ("r2g", &record.r2g),
            ("g2r", record.g2r.as_ref().unwrap()),
            ("g2r_relative", record.relative.as_ref().unwrap()),
            ("share_masked", record.share.as_ref().unwrap()),
            ("share", &totals),
            ("carried_g2r", carried.g2r.as_ref().unwrap()),
            ("carried_share", &total(&carried.share)),
        ] {
            let name = format!("{prefix}{index:02}.{kind}");
            if golden.contains(&name) {
                let what = format!("{}: {layer}: {name}", fixture.name());
                let count: i64 = shape(golden, &name).iter().product();
                assert_eq!(values.len() as i64, count, "{what}");
                assert_close(&what, values, &golden.f32(&name), tolerance);
                *compared.entry(kind).or_insert(0) += 1;
            }
        }
        // The rest of the attention is the image's own.
        let others: Vec<KeyRole> = record.others.iter().map(|other| other.role).collect();
        assert_eq!(others, [KeyRole::Generated], "{layer}");
        let positions = totals.len() / record.heads;
        for (head, own) in record.others[0].share.iter().enumerate() {
            let of_head = &totals[head * positions..][..positions];
            let mean = of_head.iter().sum::<f32>() / positions as f32;
            assert!((mean + own - steps).abs() < 1e-4, "{layer}, head {head}");
        }
    }
    for kind in ["r2g", "g2r", "share"] {
        assert_eq!(compared[kind], layers.len(), "{prefix}*.{kind}");
    }
    if prefix.is_empty() {
        assert_eq!(compared.len(), 7, "{compared:?}");
    }
}
