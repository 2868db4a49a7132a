//! Metrics of generated pictures: FID and KID of sets, LPIPS, SSIM and PSNR of pairs.
//!
//! A metric is one file in `metrics/` and one line in [`METRICS`]. It is configured from a table ([`Metric::configure`]), prepared
//! with weights ([`Configured::prepare`]), and then measures pairs ([`PairMetric`]) or sets ([`SetMetric`]). Every number equals the
//! reference implementation's on the same files; `docs/precision.md` says how closely, stage by stage.

mod batches;
mod error;
#[cfg(feature = "torch")]
mod features;
#[cfg(feature = "torch")]
mod frechet;
mod images;
#[cfg(feature = "torch")]
mod low_rank;
mod metric;
mod metrics;
#[cfg(feature = "torch")]
mod npz;
#[cfg(feature = "torch")]
mod numpy_random;
#[cfg(feature = "torch")]
mod preprocess;
mod progress;
mod registry;
mod resources;
mod set;
#[cfg(feature = "torch")]
mod statistics;

pub use batches::in_batches;
pub use error::MetricError;
#[cfg(feature = "torch")]
pub use features::{Extractor, Features, INCEPTION};
#[cfg(feature = "torch")]
pub use frechet::frechet_distance;
pub use images::PictureFiles;
pub use metric::{
    Better, ConfigValue, Configured, Metric, MetricInfo, Needs, Pair, PairMetric, PairValue,
    Prepared, Variant,
};
pub use metrics::*;
#[cfg(feature = "torch")]
pub use preprocess::{Mode, inception_input};
pub use progress::{Progress, Silent};
pub use registry::{METRICS, NEED_TORCH, find};
pub use resources::{DEFAULT_BATCH, Resources, WEIGHTS, WeightsInfo};
pub use set::{Pictures, SetMetric, SetScore, Side};
#[cfg(feature = "torch")]
pub use statistics::Statistics;
