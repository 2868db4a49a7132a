use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use i2am_imaging::{
    RgbImage, opencv_linear_rgb, pillow_bicubic_rgb, pillow_bilinear_rgb, pillow_lanczos_rgb,
    pillow_nearest_rgb,
};
use i2am_metrics::{Pair, PairMetric, PairValue, Progress, in_batches};
use serde::{Deserialize, Serialize};

/// Values of one metric, one per pair.
pub(crate) type PairScores = Vec<PairValue>;

/// A generated picture and its ground truth.
type Loaded = (RgbImage, RgbImage);

/// Measures all of `metrics` on `count` pairs, called by their `name` in messages. The next pairs are read while those before are measured.
/// They are of one size each, unless all metrics compare with reference images.
///
/// # Errors
/// The first pair that cannot be read or compared.
pub(crate) fn measure_pairs(
    metrics: &[&dyn PairMetric],
    count: usize,
    batch: usize,
    load: &(dyn Fn(usize) -> Result<Loaded> + Sync),
    name: &dyn Fn(usize) -> String,
    progress: &dyn Progress,
) -> Result<Vec<PairScores>> {
    let mut scores = vec![Vec::with_capacity(count); metrics.len()];
    progress.start("pairs", count as u64);
    let done = in_batches(count, batch, load, |loaded| {
        let pairs: Vec<Pair<'_>> = loaded
            .iter()
            .map(|(generated, real)| Pair::with_reference(generated, real, None))
            .collect();
        for (metric, scores) in metrics.iter().zip(&mut scores) {
            let measured = metric.measure(&pairs).map_err(|error| {
                // The metric does not know whose pictures they are.
                let is_to_blame =
                    |pair: &Pair<'_>| metric.measure(std::slice::from_ref(pair)).is_err();
                let culprit = scores.len() + pairs.iter().position(is_to_blame).unwrap_or_default();
                anyhow::Error::new(error).context(name(culprit))
            })?;
            scores.extend(measured);
        }
        progress.advance(pairs.len() as u64);
        Ok(())
    });
    progress.finish();
    done.map(|()| scores)
}

/// How pictures of two sizes are brought together on request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resize {
    pub(crate) filter: Filter,
    pub(crate) side: ResizedSide,
}

/// The resizes of pictures, by the names of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Filter {
    PillowBicubic,
    PillowBilinear,
    PillowLanczos,
    PillowNearest,
    OpencvLinear,
}

impl Filter {
    /// `picture` at another size.
    pub(crate) fn resize(self, picture: &RgbImage, height: usize, width: usize) -> RgbImage {
        match self {
            Self::PillowBicubic => pillow_bicubic_rgb(picture, height, width),
            Self::PillowBilinear => pillow_bilinear_rgb(picture, height, width),
            Self::PillowLanczos => pillow_lanczos_rgb(picture, height, width),
            Self::PillowNearest => pillow_nearest_rgb(picture, height, width),
            Self::OpencvLinear => opencv_linear_rgb(picture, height, width),
        }
    }

    /// The library and its name for the filter.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::PillowBicubic => "Pillow bicubic",
            Self::PillowBilinear => "Pillow bilinear",
            Self::PillowLanczos => "Pillow Lanczos",
            Self::PillowNearest => "Pillow nearest",
            Self::OpencvLinear => "OpenCV linear",
        }
    }
}

/// The picture of a pair that gets the size of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResizedSide {
    Real,
    Generated,
}

impl Resize {
    fn apply(self, (generated, real): Loaded) -> Loaded {
        let to = |picture: &RgbImage, other: &RgbImage| {
            let (width, height) = other.dimensions();
            self.filter.resize(picture, height as usize, width as usize)
        };
        match self.side {
            ResizedSide::Real => {
                let real = to(&real, &generated);
                (generated, real)
            }
            ResizedSide::Generated => (to(&generated, &real), real),
        }
    }

    /// What a reader of scores must know if `count` of `pairs` were of two sizes.
    pub(crate) fn note(self, count: usize, pairs: usize) -> Option<String> {
        let name = |value: Option<PossibleValue>| {
            value.map_or_else(String::new, |value| value.get_name().to_owned())
        };
        let side = name(self.side.to_possible_value());
        let filter = name(self.filter.to_possible_value());
        (count > 0).then(|| {
            format!(
                "{count} of {pairs} pairs differ in size: the {side} picture was resized ({filter})"
            )
        })
    }
}

/// Reads the two files of a pair of any sizes.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read_any_pair(generated: &Path, real: &Path) -> Result<Loaded> {
    let read = i2am_imaging::read_rgb;
    Ok((read(generated)?, read(real)?))
}

/// Reads the two files of a pair, which must have one size unless `resize` brings them together; whether it did.
///
/// # Errors
/// A file that cannot be read, or two sizes.
pub(crate) fn read_pair(
    generated: &Path,
    real: &Path,
    resize: Option<Resize>,
) -> Result<(Loaded, bool)> {
    let pair = read_any_pair(generated, real)?;
    match (Pair::new(&pair.0, &pair.1), resize) {
        (Ok(_), _) => Ok((pair, false)),
        (Err(_), Some(resize)) => Ok((resize.apply(pair), true)),
        (Err(error), None) => {
            let (generated, real) = (generated.display(), real.display());
            anyhow::bail!(
                "{generated} and {real}: {error}; --resize pillow-bicubic resizes the real picture, as a run does"
            )
        }
    }
}
