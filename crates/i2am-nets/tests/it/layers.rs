//! Layers against plain computations in f64.

use std::collections::BTreeMap;

use i2am_nets::layers::{Attention, AttentionShape, Bias, GroupNorm, channels_last};
use i2am_nets::{FormulaSource, Joint, NoProbe, Precision, Scope, formula_weights};
use tch::{Device, Kind, Tensor};

/// libtorch's own kernel is off by 1e-4 on such values in channels-last layout: their mean is six times their deviation.
#[test]
fn group_norm_is_accurate_in_both_layouts() {
    let (channels, groups, eps) = (8, 4, 1e-6);
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let norm = GroupNorm::new(
        &Scope::root(&source, "n").sub("norm"),
        channels,
        groups,
        eps,
    );
    let count = 2 * channels * 96 * 96;
    let wave = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.37).sin() * 0.7 + 3.0;
    let x = wave.to_kind(Kind::Float).reshape([2, channels, 96, 96]);

    let parameter = |name: &str| {
        Tensor::from_slice(&formula_weights(&format!("n.norm.{name}"), &[channels]))
            .to_kind(Kind::Double)
            .reshape([1, channels, 1, 1])
    };
    let grouped = x.to_kind(Kind::Double).reshape([2, groups, -1]);
    let mean = grouped.mean_dim([2_i64].as_slice(), true, None);
    let centered = grouped - mean;
    let variance = centered.square().mean_dim([2_i64].as_slice(), true, None);
    let normalized = (centered / (variance + eps).sqrt()).reshape([2, channels, 96, 96]);
    let expected = normalized * parameter("weight") + parameter("bias");

    for (layout, x) in [
        ("channels first", x.shallow_clone()),
        ("channels last", channels_last(&x)),
    ] {
        let off = (norm.forward(&x) - &expected).abs().max().double_value(&[]);
        assert!(off < 3e-6, "{layout}: off by {off}");
    }
}

/// Queries of the reference whose outputs are dropped need not be computed: the upper half of attention over one tall map is attention
/// with the lower half as features of another network.
#[test]
fn dropped_queries_change_nothing() {
    let source = FormulaSource::new(Precision::F32, Device::Cpu);
    let shape = AttentionShape {
        width: 12,
        context: 12,
        heads: 3,
        projection_bias: Bias::No,
    };
    let scope = Scope::root(&source, "unet").sub("attn1");
    let attention = Attention::new(&scope, shape);
    let (height, width) = (4, 3);
    let positions = height * width;
    let wave = Tensor::arange(2 * 2 * positions * 12, (Kind::Float, Device::Cpu)) * 0.37;
    let both = wave.sin().reshape([2, 2 * positions, 12]);
    let [upper, lower] = [0, positions].map(|start| both.narrow(1, start, positions));
    let tall = (2 * height, width);
    let whole = attention.forward_self(&both, &Joint::LowerHalf, tall, &mut NoProbe);
    let features = Joint::Features(BTreeMap::from([("attn1".to_owned(), lower)]));
    let kept = attention.forward_self(&upper, &features, (height, width), &mut NoProbe);
    let off = (whole.narrow(1, 0, positions) - kept).abs().max();
    assert!(off.double_value(&[]) < 1e-6);
}
