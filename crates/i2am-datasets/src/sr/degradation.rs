//! Low-resolution pictures made of high-resolution ones.

mod kernels;
mod noise;
mod second_order;

use std::fmt;

use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_synth::Dice;
use serde::{Deserialize, Serialize};

use super::config::refused;
use crate::DatasetError;

/// How a picture loses its resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DegradationKind {
    /// Pillow's bicubic filter, antialiased: what most tables of super-resolution are about. Draws nothing.
    #[default]
    Bicubic,
    /// Blur, resize, noise and JPEG, twice: pictures as found in the wild.
    SecondOrder,
}

impl fmt::Display for DegradationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bicubic => "bicubic",
            Self::SecondOrder => "second-order",
        })
    }
}

/// The table `[dataset.degradation]`. All but `kind` and `seed` are of `second-order`.
///
/// # Source
/// The model of degradations is Real-ESRGAN's: Wang, Xie, Dong, Shan 2021, section 3. The defaults of `kernels`, `sinc`, and of the ranges of
/// resize, noise and JPEG are those that PASD was trained with; its blur deviations and probabilities are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DegradationConfig {
    /// Which.
    pub kind: DegradationKind,
    /// Seed of all that is drawn.
    #[serde(default)]
    pub seed: u64,
    /// Least and largest side of a kernel, odd.
    #[serde(default = "kernels")]
    pub kernels: [usize; 2],
    /// Probability of ringing (a sinc filter) at the end.
    #[serde(default = "sinc")]
    pub sinc: f64,
    /// The first pass.
    #[serde(default = "Pass::first")]
    pub first: Pass,
    /// The second pass.
    #[serde(default = "Pass::second")]
    pub second: Pass,
}

fn kernels() -> [usize; 2] {
    [7, 21]
}

fn sinc() -> f64 {
    0.8
}

impl Default for DegradationConfig {
    fn default() -> Self {
        Self {
            kind: DegradationKind::default(),
            seed: 0,
            kernels: kernels(),
            sinc: sinc(),
            first: Pass::first(),
            second: Pass::second(),
        }
    }
}

/// What one pass draws from, least and largest value; a table that is given says all of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Probability that it blurs.
    pub blur: f64,
    /// Deviation of the blur along an axis, in pixels.
    pub sigma: [f64; 2],
    /// Probability that the resize enlarges; `shrink` that it shrinks, else the size stays.
    pub enlarge: f64,
    /// Probability that the resize shrinks.
    pub shrink: f64,
    /// Factor of the resize: the least at most 1, the largest at least 1. In the second pass, of the final size.
    pub resize: [f64; 2],
    /// Deviation of Gaussian noise, in levels of 0 to 255.
    pub noise: [f64; 2],
    /// Strength of Poisson noise, 1 for that of as many photons as the picture has levels.
    pub poisson: [f64; 2],
    /// Quality of the JPEG, 1 to 100.
    pub jpeg: [u8; 2],
}

impl Pass {
    fn first() -> Self {
        Self {
            blur: 1.0,
            sigma: [0.2, 3.0],
            enlarge: 0.2,
            shrink: 0.7,
            resize: [0.3, 1.5],
            noise: [1.0, 15.0],
            poisson: [0.05, 2.0],
            jpeg: [60, 95],
        }
    }

    fn second() -> Self {
        Self {
            blur: 0.5,
            sigma: [0.2, 1.5],
            enlarge: 0.3,
            shrink: 0.4,
            resize: [0.6, 1.2],
            noise: [1.0, 12.0],
            // Not said for PASD: half of the first pass's, as noise is weaker here too.
            poisson: [0.05, 1.0],
            jpeg: [60, 100],
        }
    }

    /// What is wrong with it: a key, what is expected of it, and what it is.
    fn problem(&self) -> Option<(&'static str, &'static str, String)> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let ordered =
            |[low, high]: [f64; 2], least: f64| least <= low && low <= high && high.is_finite();
        let Self {
            blur,
            sigma,
            enlarge,
            shrink,
            resize,
            noise,
            poisson,
            jpeg,
        } = *self;
        let ascending = "two numbers of at least 0, the smaller first";
        if !share(blur) {
            return Some(("blur", "a probability", blur.to_string()));
        }
        if !share(enlarge) || !share(shrink) || enlarge + shrink > 1.0 {
            let found = format!("{enlarge} and {shrink}");
            return Some((
                "enlarge, shrink",
                "probabilities of at most 1 together",
                found,
            ));
        }
        // A kernel of no width is no number.
        if !ordered(sigma, 1e-3) {
            let expected = "two numbers of at least 0.001, the smaller first";
            return Some(("sigma", expected, format!("{sigma:?}")));
        }
        if !ordered(resize, 1e-3) || resize[0] > 1.0 || resize[1] < 1.0 {
            let expected = "a factor from 0.001 to 1 and one of at least 1";
            return Some(("resize", expected, format!("{resize:?}")));
        }
        if !ordered(noise, 0.0) {
            return Some(("noise", ascending, format!("{noise:?}")));
        }
        if !ordered(poisson, 0.0) {
            return Some(("poisson", ascending, format!("{poisson:?}")));
        }
        let [least, best] = jpeg;
        if least == 0 || least > best || best > 100 {
            let expected = "two qualities from 1 to 100, the smaller first";
            return Some(("jpeg", expected, format!("{jpeg:?}")));
        }
        None
    }
}

impl DegradationConfig {
    /// Makes sure that everything can be drawn.
    ///
    /// # Errors
    /// [`DatasetError::Setting`].
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        let refuse =
            |setting, expected: &str, found: String| Err(refused(setting, expected, &found));
        let Self {
            kernels: [least, largest],
            sinc,
            ..
        } = *self;
        if least < 3 || least > largest || [least, largest].iter().any(|side| side % 2 == 0) {
            let expected = "two odd numbers of at least 3, the smaller first";
            return refuse(
                "degradation.kernels",
                expected,
                format!("{:?}", self.kernels),
            );
        }
        if !(0.0..=1.0).contains(&sinc) {
            return refuse("degradation.sinc", "a probability", sinc.to_string());
        }
        for (name, pass) in [
            ("degradation.first", &self.first),
            ("degradation.second", &self.second),
        ] {
            if let Some((key, expected, found)) = pass.problem() {
                return refuse(name, &format!("`{key}`: {expected}"), found);
            }
        }
        let plain = Self {
            kind: self.kind,
            seed: self.seed,
            ..Self::default()
        };
        if self.kind == DegradationKind::Bicubic && *self != plain {
            let expected = "`kind` and `seed` alone with `kind = \"bicubic\"`";
            return refuse(
                "degradation",
                expected,
                "settings of `second-order`".to_owned(),
            );
        }
        Ok(())
    }

    /// `high` made smaller by `scale`, which divides its height and width.
    ///
    /// Depends on the picture, the settings and the sample's name `id` alone; the settings are valid.
    pub fn degrade(&self, high: &RgbImage, scale: u32, id: &str) -> RgbImage {
        let [height, width] = [high.height(), high.width()].map(|side| (side / scale) as usize);
        match self.kind {
            DegradationKind::Bicubic => pillow_bicubic_rgb(high, height, width),
            DegradationKind::SecondOrder => {
                let mut dice = dice(self.seed, id, "degradation");
                second_order::degrade(self, high, [height, width], &mut dice)
            }
        }
    }
}

/// The stream of random numbers for `purpose` of the sample called `id`; independent of every other stream.
fn dice(seed: u64, id: &str, purpose: &str) -> Dice {
    Dice::of(&[
        b"i2am sample\0",
        &seed.to_le_bytes(),
        purpose.as_bytes(),
        &[0],
        id.as_bytes(),
    ])
}

#[cfg(test)]
mod tests;
