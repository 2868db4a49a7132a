//! Metrics of generated images: FID and KID of sets, LPIPS, SSIM and PSNR of pairs.
//!
//! A metric is one file in `metrics/` and its lines in `metrics.rs`, which has the registry [`METRICS`]. It is configured from a table
//! ([`Metric::configure`]), prepared with weights ([`Configured::prepare`]), and then measures pairs ([`PairMetric`]) or sets
//! ([`SetMetric`]). Every number equals the reference implementation's on the same files; `docs/precision.md` says how closely, stage
//! by stage. Without the feature `torch` the same metrics can be configured, but only those without a network can be prepared.
//!
//! # Example
//! The PSNR of an image that is off by one level everywhere:
//! ```
//! use i2am_imaging::RgbImage;
//! use i2am_metrics::{Pair, PairValue, Prepared, Session, find};
//! use toml::de::DeValue;
//!
//! let psnr = find("psnr").expect("a metric of that name");
//! let table = DeValue::parse("{ variant = 'rgb', crop_border = 2 }")?;
//! let configured = psnr.configure(table)?;
//! assert_eq!(configured.variant(), "rgb, crop 2");
//! assert_eq!(configured.settings()["crop_border"], 2);
//!
//! let Prepared::Pairs(metric) = configured.prepare(&Session::default())? else {
//!     unreachable!("PSNR compares pairs")
//! };
//! let real = RgbImage::from_pixel(8, 8, [100, 100, 100].into());
//! let generated = RgbImage::from_pixel(8, 8, [101, 101, 101].into());
//! let values = metric.measure(&[Pair::new(&generated, &real)?])?;
//! assert_eq!(values, [PairValue::Value(10.0 * (255.0 * 255.0_f64).log10())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batches;
mod error;
#[cfg(feature = "torch")]
mod features;
#[cfg(feature = "torch")]
mod frechet;
#[cfg(feature = "torch")]
mod frechet_metric;
#[cfg(feature = "torch")]
mod guarded;
mod images;
mod in_balls;
mod inception;
#[cfg(feature = "torch")]
mod low_rank;
mod metric;
mod metrics;
#[cfg(feature = "torch")]
mod neighbors;
mod npz;
#[cfg(feature = "torch")]
mod numpy_random;
#[cfg(feature = "torch")]
mod of_features;

mod pair;
mod progress;
mod resources;
mod session;
mod set;
#[cfg(feature = "torch")]
mod similarity;
#[cfg(feature = "torch")]
mod statistics;
#[cfg(feature = "torch")]
mod torch_random;
#[cfg(feature = "torch")]
mod torchvision;
#[cfg(feature = "torch")]
mod tower;
mod tower_weights;

pub use batches::in_batches;
pub use error::MetricError;
#[cfg(feature = "torch")]
pub use features::{Backbone, Extractor, Features, OfInception};
#[cfg(feature = "torch")]
pub use frechet::frechet_distance;
pub use images::PictureFiles;
pub use in_balls::{InBalls, OfBalls};
pub use inception::{INCEPTION, Mode, inception_input};
pub use metric::{
    Chosen, ConfigValue, Configured, Metric, MetricInfo, Needs, NetworkPrecision, Prepared,
    Settings, Variant,
};
pub use metrics::*;
pub use npz::{Array, Npz};
pub use pair::{Pair, PairMetric, PairValue, Region};
pub use progress::{Progress, Silent};
pub use resources::{DEFAULT_BATCH, Resources, WeightsInfo};
pub use session::Session;
pub use set::{Pictures, SetMetric, SetScore, Side};
#[cfg(feature = "torch")]
pub use statistics::Statistics;
