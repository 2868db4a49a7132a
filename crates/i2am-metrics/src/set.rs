//! Metrics of whole sets: images, or the statistics of images that are not at hand.

use i2am_imaging::RgbImage;

use crate::error::MetricError;
use crate::progress::Progress;

/// A set of images in a fixed order, in which they are compared where a metric draws subsets. The order must not be chance's: that of
/// a folder is by name.
pub trait Pictures: Sync {
    /// What it is called in messages.
    fn place(&self) -> String;

    /// Number of pictures.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Picture `index` as RGB.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn load(&self, index: usize) -> Result<RgbImage, MetricError>;

    /// A hash of what `load` would give, cheaper than loading where that is possible.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn fingerprint(&self, index: usize) -> Result<String, MetricError>;
}

/// One side of a comparison.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    /// Pictures.
    Pictures(&'a dyn Pictures),
    /// Statistics computed before, of FID only.
    Statistics(&'a std::path::Path),
}

/// What a metric of sets found.
#[derive(Debug, Clone, PartialEq)]
pub struct SetScore {
    /// The score, as defined: not scaled.
    pub value: f64,
    /// Standard deviation over subsets, where there are some.
    pub std: Option<f64>,
    /// Number of generated pictures; unknown for statistics.
    pub n_generated: Option<usize>,
    /// Number of real pictures; unknown for statistics.
    pub n_real: Option<usize>,
    /// What a reader of the number must know.
    pub notes: Vec<String>,
}

/// A metric of sets that is ready to measure.
pub trait SetMetric {
    /// Compares `generated` with `real`.
    ///
    /// # Errors
    /// A picture that cannot be read, sets that are too small.
    fn measure(
        &self,
        generated: Side<'_>,
        real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError>;

    /// Writes what can stand for `side` next time.
    ///
    /// # Errors
    /// [`MetricError::Unusable`] by a metric that compares more than statistics; what `measure` fails with.
    fn write_statistics(
        &self,
        side: Side<'_>,
        path: &std::path::Path,
        progress: &dyn Progress,
    ) -> Result<(), MetricError>;
}
