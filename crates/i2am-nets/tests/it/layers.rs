//! Layers against plain computations in f64.

use i2am_nets::layers::{GroupNorm, channels_last};
use i2am_nets::{FormulaSource, Precision, Scope, formula_weights};
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
