use std::path::Path;
use std::rc::Rc;

use i2am_nets::inception::Tap;
use serde::Deserialize;
use tch::{Kind, Tensor};
use toml::de::ValueDeserializer;

use crate::error::MetricError;
use crate::features::{Extractor, Features};
use crate::metric::{Better, ConfigValue, Configured, Metric, MetricInfo, Needs, Prepared};
use crate::numpy_random::RandomState;
use crate::preprocess::Mode;
use crate::progress::Progress;
use crate::resources::Resources;
use crate::set::{SetMetric, SetScore, Side};

/// Rows of the larger set up to which all kernel values are computed at once, for all subsets.
const WHOLE: usize = 4096;

/// Kernel Inception Distance: unbiased squared MMD with a cubic kernel, mean over random subsets.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes.
/// # Units and range
/// None; lower is better, slightly negative is legitimate. Not multiplied by 1000.
/// # Errors
/// [`MetricError::TooFew`] below 2 pictures on a side. A side smaller than a subset lowers the size of subsets, with a note.
/// # Source
/// Bińkowski et al. 2018; checked against torch-fidelity 0.3.0 and clean-fid 0.1.35, whose subsets are drawn alike; clean-fid's only
/// after `numpy.random.seed`, since it sets no seed itself (fixture `sets`).
pub struct Kid;

static INFO: MetricInfo = MetricInfo {
    name: "kid",
    version: 1,
    better: Better::Lower,
    needs: Needs::Sets,
    key: "mode",
    variants: &super::inception_modes::TORCH_FIDELITY_FIRST,
    summary: "Kernel Inception Distance of two sets, mean and deviation over subsets",
    source: "Bińkowski et al. 2018; torch-fidelity 0.3.0, clean-fid 0.1.35",
};

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    mode: Mode,
    /// Number of subsets.
    subsets: u32,
    /// Pictures of each side in a subset.
    subset_size: usize,
    /// Seed of the subsets.
    seed: u32,
}

impl Default for Settings {
    /// torch-fidelity's.
    fn default() -> Self {
        Self {
            mode: Mode::TorchFidelity,
            subsets: 100,
            subset_size: 1000,
            seed: 2020,
        }
    }
}

impl Metric for Kid {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        let settings = Settings::deserialize(ValueDeserializer::from(table))?;
        if settings.subsets == 0 || settings.subset_size < 2 {
            return Err(serde::de::Error::custom(format!(
                "expected at least 1 subset of at least 2 pictures, found subsets = {}, subset_size = {}",
                settings.subsets, settings.subset_size
            )));
        }
        Ok(Box::new(settings))
    }
}

impl Configured for Settings {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn variant(&self) -> String {
        self.mode.as_str().to_owned()
    }

    fn prepare(&self, resources: &Resources) -> Result<Prepared, MetricError> {
        Ok(Prepared::Sets(Box::new(Ready {
            settings: *self,
            extractor: resources.extractor()?,
        })))
    }
}

struct Ready {
    settings: Settings,
    extractor: Rc<Extractor>,
}

impl Ready {
    fn features(
        &self,
        side: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<Rc<Features>, MetricError> {
        match side {
            Side::Pictures(pictures) => {
                super::inception_modes::at_least(INFO.name, 2, pictures)?;
                self.extractor
                    .features(pictures, self.settings.mode, Tap::Last, progress)
            }
            Side::Statistics(path) => Err(MetricError::Statistics {
                path: path.to_owned(),
                reason: "expected pictures: KID cannot be computed from means and covariances"
                    .to_owned(),
            }),
        }
    }
}

impl SetMetric for Ready {
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        let generated = self.features(generated, progress)?;
        let real = self.features(real, progress)?;
        let least = generated.count().min(real.count());
        let size = self.settings.subset_size.min(least);
        let mut notes = Vec::new();
        if size < self.settings.subset_size {
            notes.push(format!(
                "subsets of {size} pictures instead of {}: a side has no more",
                self.settings.subset_size
            ));
        }
        let settings = Settings {
            subset_size: size,
            ..self.settings
        };
        let values = kernel_distances(&generated, &real, settings);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / n;
        Ok(SetScore {
            value: mean,
            std: Some(variance.sqrt()),
            n_generated: Some(generated.count()),
            n_real: Some(real.count()),
            notes,
        })
    }

    fn write_statistics(&self, _: Side<'_>, _: &Path, _: &dyn Progress) -> Result<(), MetricError> {
        Err(MetricError::Unusable {
            metric: INFO.name,
            reason: "compares pictures, of which statistics do not say enough".to_owned(),
        })
    }
}

/// One squared MMD per subset.
fn kernel_distances(generated: &Features, real: &Features, settings: Settings) -> Vec<f64> {
    let _guard = tch::no_grad_guard();
    let (x, y) = (rows(generated), rows(real));
    let whole = (generated.count().max(real.count()) <= WHOLE).then(|| Kernels::of(&x, &y));
    let mut random = RandomState::new(settings.seed);
    let mut draw = |count| {
        let chosen = random.choose(count, settings.subset_size);
        Tensor::from_slice(&chosen.iter().map(|&index| index as i64).collect::<Vec<_>>())
    };
    let one = |_| {
        // Both from one generator: each tool has its own order.
        let (i, j) = if settings.mode == Mode::Clean {
            let j = draw(real.count());
            (draw(generated.count()), j)
        } else {
            (draw(generated.count()), draw(real.count()))
        };
        let subset = match &whole {
            Some(whole) => whole.subset(&i, &j),
            None => Kernels::of(&x.index_select(0, &i), &y.index_select(0, &j)),
        };
        subset.squared_mmd()
    };
    (0..settings.subsets).map(one).collect()
}

fn rows(features: &Features) -> Tensor {
    Tensor::from_slice(&features.values)
        .to_kind(Kind::Double)
        .reshape([features.count() as i64, features.width as i64])
}

/// Kernel values within and between two sets.
struct Kernels {
    xx: Tensor,
    yy: Tensor,
    xy: Tensor,
}

impl Kernels {
    fn of(x: &Tensor, y: &Tensor) -> Self {
        let width = x.size()[1] as f64;
        let kernel =
            |a: &Tensor, b: &Tensor| (a.matmul(&b.tr()) / width + 1.0).pow_tensor_scalar(3);
        Self {
            xx: kernel(x, x),
            yy: kernel(y, y),
            xy: kernel(x, y),
        }
    }

    fn subset(&self, i: &Tensor, j: &Tensor) -> Self {
        let pick = |kernel: &Tensor, rows: &Tensor, columns: &Tensor| {
            kernel.index_select(0, rows).index_select(1, columns)
        };
        Self {
            xx: pick(&self.xx, i, i),
            yy: pick(&self.yy, j, j),
            xy: pick(&self.xy, i, j),
        }
    }

    /// Unbiased: no picture is compared with itself.
    fn squared_mmd(&self) -> f64 {
        let m = self.xx.size()[0] as f64;
        let sum = |kernel: &Tensor| kernel.sum(Kind::Double).double_value(&[]);
        let within =
            |kernel: &Tensor| (sum(kernel) - kernel.trace().double_value(&[])) / (m * (m - 1.0));
        within(&self.xx) + within(&self.yy) - 2.0 * sum(&self.xy) / (m * m)
    }
}
