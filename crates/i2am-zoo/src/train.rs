//! One command for every family.

use std::time::{Duration, Instant};

use anyhow::Result;
use tch::Device;

use crate::config::ZooConfig;
use crate::{paint_by_example, pasd, stable_viton};

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) minutes: Option<f64>,
    pub(crate) export_only: bool,
}

impl Limits {
    /// The moment that `minutes` from now are over.
    pub(crate) fn deadline(self) -> Option<Instant> {
        self.minutes
            .map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes))
    }
}

/// Trains what is not trained yet and saves the checkpoint.
pub(crate) fn run(config: &ZooConfig, device: Device, limits: Limits) -> Result<()> {
    match config {
        ZooConfig::PaintByExample(config) => paint_by_example::train(config, device, limits),
        ZooConfig::PaintByExampleUNet(config) => {
            paint_by_example::train_unet(config, device, limits)
        }
        ZooConfig::Pasd(config) => pasd::train(config, device, limits),
        ZooConfig::StableViton(config) => stable_viton::train(config, device, limits),
    }
}
