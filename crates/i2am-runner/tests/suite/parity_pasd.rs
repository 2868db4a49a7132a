//! The networks of a tiny PASD against the published code.

use i2am_nets::{AttentionProbe, Context, NoProbe, Observation};
use i2am_testkit::{FixtureDir, Tensors};
use tch::{Kind, Tensor};

use crate::common::{close, shape, tensor};
use crate::pasd::{networks, pasd};

/// Of the largest magnitude.
const PARTS: f64 = 1e-4;
/// The row of a batch that saw the positive text.
const POSITIVE: i64 = 1;

/// The low-resolution picture, `[1, 3, H, W]` in 0 to 1.
fn picture(inputs: &Tensors) -> Tensor {
    let levels = Tensor::from_slice(&inputs.u8("picture")).to_kind(Kind::Float);
    levels
        .reshape(shape(inputs, "picture"))
        .permute([2, 0, 1])
        .unsqueeze(0)
        / 255.0
}

/// One call for both rows, seen by `probe`.
fn predict(folder: &FixtureDir, scale: f64, probe: &mut dyn AttentionProbe) -> Tensor {
    let (unet, pixels, control) = networks(folder);
    let inputs = folder.tensors("inputs");
    let x = tensor(&inputs, "x").repeat([2, 1, 1, 1]);
    let t = Tensor::from_slice(&folder.tensors("single").i64("t")).repeat([2]);
    let context = Context::pooled(tensor(&inputs, "text"));
    let hint = control.conditioning().forward(&picture(&inputs));
    let residuals = control.forward(&x, &hint, &t, &context, scale);
    unet.forward_pixel(&x, &t, &context, &pixels, residuals, probe)
}

#[test]
fn parity_controlnet() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("single"));
        let (_, _, control) = networks(&folder);
        let inputs = folder.tensors("inputs");
        let picture = picture(&inputs);
        let hint = control.conditioning().forward(&picture);
        close(&name, &hint, &golden, "cond_embedding", PARTS);
        for (i, rgb) in control.conditioning().pictures(&picture).iter().enumerate() {
            close(&name, rgb, &golden, &format!("rgb.{i}"), PARTS);
        }
        let x = tensor(&inputs, "x").repeat([2, 1, 1, 1]);
        let t = Tensor::from_slice(&golden.i64("t")).repeat([2]);
        let context = Context::pooled(tensor(&inputs, "text"));
        let residuals = control.forward(&x, &hint, &t, &context, 1.0);
        assert_eq!(residuals.down.len(), 12);
        for (i, residual) in residuals.down.iter().enumerate() {
            close(&name, residual, &golden, &format!("down.{i:02}"), PARTS);
        }
        close(&name, &residuals.middle, &golden, "mid", PARTS);
    }
}

#[test]
fn parity_noise_at_both_scales() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let (name, golden) = (folder.name(), folder.tensors("single"));
        for (scale, expected) in [(1.0, "eps"), (0.7, "eps_scale07")] {
            let eps = predict(&folder, scale, &mut NoProbe);
            close(&name, &eps, &golden, expected, PARTS);
        }
    }
}

/// Both softmaxes of every pixel attention, in full: the fixture is small enough.
struct Full {
    layers: Vec<(String, Tensor, Tensor, (i64, i64))>,
}

impl AttentionProbe for Full {
    fn observe(&mut self, seen: &Observation<'_>) {
        let Some(key_grid) = seen.key_grid else {
            return;
        };
        assert_eq!(seen.grid, key_grid, "{}", seen.layer);
        let scores = seen.query.matmul(&seen.key.transpose(-2, -1)) * seen.scale;
        let scores = scores.select(0, POSITIVE);
        self.layers.push((
            seen.layer.to_owned(),
            scores.softmax(-2, Kind::Float),
            scores.softmax(-1, Kind::Float),
            seen.grid,
        ));
    }
}

#[test]
fn parity_pixel_attentions() {
    for folder in pasd() {
        let _guard = tch::no_grad_guard();
        let golden = folder.tensors("attention");
        let mut probe = Full { layers: Vec::new() };
        let _ = predict(&folder, 1.0, &mut probe);
        assert_eq!(probe.layers.len(), 12);
        for (layer, r2g, g2r, (height, width)) in &probe.layers {
            let name = layer.strip_suffix(".transformer_blocks.0.attn2").unwrap();
            let over = |x: &Tensor, dim: i64| {
                let mean = x.mean_dim([dim].as_slice(), false, Kind::Float);
                mean.reshape([-1, *height, *width])
            };
            let key = |direction: &str| format!("{name}.{direction}");
            close(layer, &over(r2g, -1), &golden, &key("r2g"), PARTS);
            close(layer, &over(g2r, -2), &golden, &key("g2r"), PARTS);
            if golden.contains(&key("r2g.full")) {
                close(layer, r2g, &golden, &key("r2g.full"), PARTS);
                close(layer, g2r, &golden, &key("g2r.full"), PARTS);
            }
        }
    }
}
