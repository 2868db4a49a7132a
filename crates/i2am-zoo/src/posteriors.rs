//! Pictures encoded once: the autoencoder's distributions over latents.

use i2am_nets::vae::Posterior;
use tch::{Device, Kind, Tensor};

/// Mean and standard deviation of every picture's latent, `[count, channels, h, w]` each, in half precision on the CPU.
pub(crate) struct Posteriors {
    pub(crate) mean: Tensor,
    pub(crate) deviation: Tensor,
}

impl Posteriors {
    /// One part after the other, in order.
    pub(crate) fn gather(parts: &[Posterior]) -> Self {
        let half = |x: Tensor| x.to_device(Device::Cpu).to_kind(Kind::Half).contiguous();
        let cat = |part: &dyn Fn(&Posterior) -> Tensor| {
            Tensor::cat(&parts.iter().map(|p| half(part(p))).collect::<Vec<_>>(), 0)
        };
        Self {
            mean: cat(&|p| p.mean.shallow_clone()),
            deviation: cat(&|p| (&p.log_variance * 0.5).exp()),
        }
    }

    /// A draw for each of `indices`, times `scale`; f32 on `device`.
    pub(crate) fn sample(&self, indices: &Tensor, scale: f64, device: Device) -> Tensor {
        let pick = |x: &Tensor| {
            x.index_select(0, indices)
                .to_device(device)
                .to_kind(Kind::Float)
        };
        let mean = pick(&self.mean);
        let noise = mean.randn_like() * pick(&self.deviation);
        (mean + noise) * scale
    }
}
