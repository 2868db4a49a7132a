//! Trains a small `CatVTON`: a UNet whose self-attention sees the person above the garment, around a frozen autoencoder.

mod config;
mod export;
mod set;
mod stage;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_nets::Scope;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::UNet;
use i2am_nets::vae::{Vae, VaeConfig};
use tch::{Device, Tensor};

use config::CatVtonKeys;
pub(crate) use config::CatVtonZoo;
use set::{Drawn, TallSet};

use crate::frozen::Mixed;
use crate::progress;
use crate::train::{Ground, Limits, Zoo};

/// Trains what is not trained yet and saves the checkpoints.
pub(crate) fn train(config: &CatVtonZoo, device: Device, limits: Limits) -> Result<()> {
    crate::train::train::<CatVton>(config, device, limits)
}

/// The networks in training.
struct CatVton {
    config: CatVtonZoo,
    unet: UNet,
    vae: Vae,
    device: Device,
}

impl Zoo for CatVton {
    type Keys = CatVtonKeys;
    /// Pictures to train on and to evaluate with.
    type Data = (TallSet, Vec<Drawn>);
    const STAGE: &'static str = "try-on";

    fn build(ground: &Ground<'_, CatVtonKeys>) -> Result<Self> {
        let config = ground.config.clone();
        let vae = VaeConfig::of(ground.frozen)?;
        config.check(&vae)?;
        let source = Mixed {
            kept: ground.kept,
            fresh: ground.fresh,
        };
        let vae = Vae::new(&Scope::root(&source, "vae"), vae);
        let unet = UNet::new(&Scope::root(&source, "unet"), config.keys.unet.clone());
        let variables = ground.fresh.variables();
        if let Some(attention) = &config.keys.attention {
            attention.check(&variables)?;
        }
        start::draw(&variables);
        if let Some(path) = &config.keys.start {
            let taken = start::take_over(&variables, &Checkpoint::open(path)?)?;
            progress::say(&format!(
                "from {}: {taken} tensors taken over, {} left as drawn",
                path.display(),
                variables.len() - taken
            ));
        }
        Ok(Self {
            config,
            unet,
            vae,
            device: ground.device,
        })
    }

    fn data(&self) -> Result<Self::Data> {
        let set = TallSet::open(&self.config, &self.vae, self.device)?;
        let evaluation = &self.config.keys.evaluation;
        let drawn = |index| Drawn::of(evaluation.seed, index, &self.config.data);
        Ok((set, (0..evaluation.count).map(drawn).collect()))
    }

    fn loss(&self, (set, _): &Self::Data) -> Tensor {
        self.batch_loss(set)
    }

    fn evaluate(&self, (_, samples): &Self::Data, step: u64, stem: &Path) -> Result<()> {
        self.evaluate_all(samples, step, stem)
    }

    /// A folder next to that of the last step.
    fn save_snapshot(&self, variables: &BTreeMap<String, Tensor>, step: u64) -> Result<PathBuf> {
        let name = format!("{}-{step:06}", self.config.name);
        self.save(self.config.output.with_file_name(name), variables)
    }

    fn save_last(&self, variables: &BTreeMap<String, Tensor>, _step: u64) -> Result<PathBuf> {
        self.save(self.config.output.clone(), variables)
    }
}

#[cfg(test)]
mod tests;
