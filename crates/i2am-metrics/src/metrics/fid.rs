use std::path::Path;
use std::rc::Rc;

use i2am_nets::inception::Tap;
use serde::Deserialize;
use toml::de::ValueDeserializer;

use crate::error::MetricError;
use crate::features::Extractor;
use crate::frechet::frechet_distance;
use crate::metric::{Better, ConfigValue, Configured, Metric, MetricInfo, Needs, Prepared};
use crate::preprocess::Mode;
use crate::progress::Progress;
use crate::resources::Resources;
use crate::set::{SetMetric, SetScore, Side};
use crate::statistics::Statistics;

/// Fewer pictures than this and the covariance of 2048 channels is not of full rank.
const ENOUGH: usize = 2048;

/// Fréchet Inception Distance: how far two sets of pictures are apart, if their Inception features were normal.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes; or statistics (`.npz` with `mu`, `sigma`).
/// # Units and range
/// None; 0 for equal statistics, lower is better. Depends on the number of pictures: few give a larger value.
/// # Errors
/// [`MetricError::TooFew`] below 2 pictures on a side.
/// # Source
/// Heusel et al. 2017; checked against pytorch-fid 0.3.0, torch-fidelity 0.3.0 and clean-fid 0.1.35 (fixture `sets`).
pub struct Fid;

static INFO: MetricInfo = MetricInfo {
    name: "fid",
    version: 1,
    better: Better::Lower,
    needs: Needs::Sets,
    key: "mode",
    variants: &super::inception_modes::PYTORCH_FID_FIRST,
    summary: "Fréchet Inception Distance of two sets",
    source: "Heusel et al. 2017; pytorch-fid 0.3.0, torch-fidelity 0.3.0, clean-fid 0.1.35",
};

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    mode: Mode,
    #[serde(deserialize_with = "tap")]
    tap: Tap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            tap: Tap::Last,
        }
    }
}

fn tap<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Tap, D::Error> {
    let width = usize::deserialize(deserializer)?;
    Tap::ALL
        .into_iter()
        .find(|tap| tap.width() == width)
        .ok_or_else(|| {
            serde::de::Error::custom(format!("tap: expected 64, 192, 768 or 2048, found {width}"))
        })
}

impl Metric for Fid {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        Ok(Box::new(Settings::deserialize(ValueDeserializer::from(
            table,
        ))?))
    }
}

impl Configured for Settings {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn variant(&self) -> String {
        match self.tap {
            Tap::Last => self.mode.as_str().to_owned(),
            tap => format!("{}/{}", self.mode.as_str(), tap.width()),
        }
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
    fn statistics(
        &self,
        side: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<Statistics, MetricError> {
        match side {
            Side::Pictures(pictures) => {
                super::inception_modes::at_least(INFO.name, 2, pictures)?;
                let Settings { mode, tap } = self.settings;
                Ok(Statistics::of(
                    self.extractor
                        .features(pictures, mode, tap, progress)?
                        .as_ref(),
                ))
            }
            Side::Statistics(path) => {
                let statistics = Statistics::read(path)?;
                let (expected, found) = (self.settings.tap.width(), statistics.width());
                if expected == found {
                    Ok(statistics)
                } else {
                    Err(MetricError::Statistics {
                        path: path.to_owned(),
                        reason: format!(
                            "expected statistics of {expected} channels, found {found}"
                        ),
                    })
                }
            }
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
        let [generated, real] = [generated, real].map(|side| self.statistics(side, progress));
        let (generated, real) = (generated?, real?);
        let counts = [("generated", generated.count), ("real", real.count)];
        let few: Vec<String> = counts
            .iter()
            .filter_map(|(side, count)| Some(format!("{} {side}", count.filter(|&n| n < ENOUGH)?)))
            .collect();
        let notes = if few.is_empty() {
            Vec::new()
        } else {
            vec![format!(
                "only {} pictures: below {ENOUGH} FID is biased upwards, the more the fewer; compare only scores of equal numbers",
                few.join(" and ")
            )]
        };
        Ok(SetScore {
            value: frechet_distance(&generated, &real),
            std: None,
            n_generated: generated.count,
            n_real: real.count,
            notes,
        })
    }

    fn write_statistics(
        &self,
        side: Side<'_>,
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<(), MetricError> {
        self.statistics(side, progress)?.write(path)
    }
}
