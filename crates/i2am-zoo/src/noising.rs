//! Forward diffusion of a training batch.

use i2am_runner::schedule::{Schedule, TRAIN_STEPS};
use tch::{Device, Kind, Tensor};

use crate::config::shared::TryOnLoss;

/// Latents with noise in them.
pub(crate) struct Noised {
    /// `[batch]` integers on the device.
    pub(crate) timesteps: Tensor,
    /// `[batch, channels, h, w]`.
    pub(crate) noisy: Tensor,
    /// What was added, standard normal: the answer.
    pub(crate) noise: Tensor,
    /// Share of the clean latent's variance, `[batch, 1, 1, 1]`.
    alpha: Tensor,
}

impl Noised {
    /// Noises every latent of `clean` to a timestep of its own.
    pub(crate) fn draw(clean: &Tensor, device: Device) -> Self {
        let batch = clean.size()[0];
        let t = Tensor::randint(TRAIN_STEPS, [batch], (Kind::Int64, Device::Cpu));
        Self::to(clean, &t, device)
    }

    /// Noises each latent of `clean` to its one of `timesteps`.
    pub(crate) fn at(clean: &Tensor, timesteps: &[i64], device: Device) -> Self {
        Self::to(clean, &Tensor::from_slice(timesteps), device)
    }

    fn to(clean: &Tensor, t: &Tensor, device: Device) -> Self {
        let batch = clean.size()[0];
        let alphas: Vec<f32> = Schedule::default()
            .alphas()
            .iter()
            .map(|&a| a as f32)
            .collect();
        let alpha = Tensor::from_slice(&alphas)
            .index_select(0, t)
            .to_device(device)
            .reshape([batch, 1, 1, 1]);
        let noise = clean.randn_like();
        Self {
            noisy: clean * alpha.sqrt() + &noise * (-&alpha + 1.0).sqrt(),
            timesteps: t.to_device(device),
            noise,
            alpha,
        }
    }

    /// `1 + min((1 - alpha) / alpha, most)`, `[batch, 1, 1, 1]`.
    pub(crate) fn high_noise_weight(&self, most: f64) -> Tensor {
        ((-&self.alpha + 1.0) / &self.alpha).clamp_max(most) + 1.0
    }

    /// Mean squared error of the predicted noise `eps`, weighted towards high noise, towards where `masked` `[batch, 1, h, w]` is 1, and
    /// towards the share of each cell that is `printed`, as large as `masked`.
    pub(crate) fn try_on_loss(
        &self,
        eps: &Tensor,
        masked: &Tensor,
        printed: Option<&Tensor>,
        config: &TryOnLoss,
    ) -> Tensor {
        let mut place = masked * (1.0 - config.outside_weight) + config.outside_weight;
        if let Some(printed) = printed {
            place += printed * config.print_weight;
        }
        let time = self.high_noise_weight(config.high_noise_weight);
        ((eps - &self.noise).square() * time * place).mean(Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSS: TryOnLoss = TryOnLoss {
        drop_reference: 0.0,
        average_decay: 0.9,
        high_noise_weight: 0.0,
        outside_weight: 0.25,
        print_weight: 3.0,
    };

    /// An error of 1 at one cell counts as much as the weight of this cell.
    #[test]
    fn cells_count_by_mask_and_print() {
        let cells = |values: [f32; 4]| Tensor::from_slice(&values).reshape([1, 1, 2, 2]);
        let noised = Noised::at(
            &Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu)),
            &[3],
            Device::Cpu,
        );
        let masked = cells([0.0, 1.0, 1.0, 1.0]);
        let printed = cells([0.0, 0.0, 1.0, 0.5]);
        for (cell, expected) in [0.25, 1.0, 4.0, 2.5].into_iter().enumerate() {
            let mut error = [0.0; 4];
            error[cell] = 1.0;
            let eps = &noised.noise + cells(error);
            let loss = |printed| noised.try_on_loss(&eps, &masked, printed, &LOSS) * 4.0;
            let off = (loss(Some(&printed)) - expected).abs().double_value(&[]);
            assert!(off < 1e-5, "cell {cell}: off by {off}");
            let plain = f64::min(expected, 1.0);
            let off = (loss(None) - plain).abs().double_value(&[]);
            assert!(off < 1e-5, "cell {cell} without a print: off by {off}");
        }
    }
}
