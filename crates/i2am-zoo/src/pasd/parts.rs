use std::collections::BTreeMap;

use i2am_nets::{Init, TensorSource};
use tch::{Device, Tensor};

use crate::init;

/// Where each network comes from.
pub(super) struct Parts<'a> {
    /// Of the autoencoder.
    pub(super) kept: &'a dyn TensorSource,
    /// Of the text encoder, on the CPU.
    pub(super) text: &'a dyn TensorSource,
    /// Of what is trained.
    pub(super) fresh: &'a dyn TensorSource,
    pub(super) device: Device,
}

impl TensorSource for Parts<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let network = name.split('.').next();
        match network {
            Some("vae") => self.kept.tensor(name, shape, init),
            Some("text_encoder") => {
                let drawn = self.text.tensor(name, shape, init);
                drawn.detach().to_device(self.device)
            }
            _ => self.fresh.tensor(name, shape, init),
        }
    }
}

/// Residual branches begin as nothing. What the low-resolution picture comes through is drawn, though the published training starts it
/// at zero: there a trained UNet must not be disturbed, here nothing is trained, and behind zeros in a row the picture would wait for
/// its first gradient.
pub(super) fn start(variables: &BTreeMap<String, Tensor>) {
    for network in ["unet.", "controlnet."] {
        init::start_as_identity(variables, network, &["conv2.weight", "proj_out.weight"]);
    }
    init::start_drawn(variables, |name| {
        let is_pixel = name.contains(".pixel_attentions.") && name.ends_with(".proj_out.weight");
        let is_zero = ["controlnet_down_blocks.", "controlnet_mid_block."]
            .iter()
            .any(|part| name.contains(part));
        let is_hint = name.ends_with("controlnet_cond_embedding.conv_out.weight");
        is_pixel || is_hint || (is_zero && name.ends_with(".weight"))
    });
}
