//! Where sampling starts. The published script noises the low-resolution image twice, and what the second time does depends on the
//! version of a library; the settings name the versions.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::schedule::Schedule;

/// The latent that sampling starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasdStart {
    /// The low-resolution picture, noised to the first timestep and once more: what the published script does.
    #[default]
    LowResolution,
    /// Noise alone (`--init_latent_with_noise`).
    Noise,
}

/// What the published script's second call of `add_noise`, to timestep 900, does. That depends on the version of the diffusers
/// library it runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondNoise {
    /// Since 2024, and in 0.29.2 that the authors name: a timestep that is not visited becomes the last one visited, which adds little.
    #[default]
    LastVisited,
    /// Until about September 2023: to timestep 900, so that little of the picture is left.
    #[serde(rename = "timestep-900")]
    Timestep900,
    /// There is no second noising.
    None,
}

/// The timestep that the published script names.
const SECOND: i64 = 900;

impl SecondNoise {
    /// The timestep it goes to, of a run that visits `timesteps`, which are descending.
    fn timestep(self, timesteps: &[i64]) -> Option<i64> {
        match self {
            Self::LastVisited if timesteps.contains(&SECOND) => Some(SECOND),
            Self::LastVisited => timesteps.last().copied(),
            Self::Timestep900 => Some(SECOND),
            Self::None => None,
        }
    }
}

/// The `clean` latent noised by `first` to the first of `timesteps`, and by `second` as `rule` says.
pub fn start_latent(
    clean: &Tensor,
    [first, second]: [&Tensor; 2],
    timesteps: &[i64],
    rule: SecondNoise,
) -> Tensor {
    let schedule = Schedule::default();
    let noised = |x: &Tensor, noise: &Tensor, t: i64| {
        let alpha = schedule.alpha(t);
        x * alpha.sqrt() + noise * (1.0 - alpha).sqrt()
    };
    let once = match timesteps.first() {
        None => clean.shallow_clone(),
        Some(&t) => noised(clean, first, t),
    };
    match rule.timestep(timesteps) {
        None => once,
        Some(t) => noised(&once, second, t),
    }
}
