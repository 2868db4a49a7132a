//! What can go wrong, and why something has no value.

/// Input that cannot be used, or a value that does not exist.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// NaN or infinity among the values.
    #[error("value {row} of column {column}: expected a finite number, found {value}")]
    NotFinite {
        /// Index of the column.
        column: usize,
        /// Index of the value in it.
        row: usize,
        /// The value.
        value: f64,
    },

    /// Columns that are not of one length.
    #[error("column {column}: expected {expected} values, found {found}")]
    Length {
        /// Index of the column.
        column: usize,
        /// Length of the first column.
        expected: usize,
        /// Its own length.
        found: usize,
    },

    /// A number outside its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// What it is called.
        name: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// The number.
        found: f64,
    },

    /// There is no value.
    #[error(transparent)]
    Undefined(#[from] Undefined),
}

/// Why there is no value; what is reported as empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undefined {
    /// Not enough points, models or studies.
    #[error("{needed} values are needed, {found} found")]
    TooFew {
        /// The least that would do.
        needed: usize,
        /// What there is.
        found: usize,
    },

    /// A column whose values are all equal correlates with nothing.
    #[error("all values of one side are equal")]
    Constant,

    /// A covariate that is constant, or that the other covariates determine.
    #[error("a covariate is constant or follows from the others")]
    Covariate,

    /// Nothing is left of a column once the covariates are held constant.
    #[error("one side follows from the covariates")]
    Determined,

    /// A correlation of exactly 1 or -1 has no Fisher z.
    #[error("a correlation is exactly 1 or -1")]
    Perfect,

    /// Correlations that no data can have together.
    #[error("the three correlations cannot hold at once")]
    Inconsistent,

    /// Most resamples have no value, so that the others tell little.
    #[error("only {defined} of {resamples} resamples have a value")]
    Resamples {
        /// Resamples that have one.
        defined: usize,
        /// All of them.
        resamples: usize,
    },

    /// The interval would hang on a single point: without it there is no correlation.
    #[error("without one of the points there is no correlation")]
    Jackknife,

    /// Every resample is on one side of the estimate, which a BCa interval cannot correct for.
    #[error("every resample lies on one side of the estimate")]
    OneSided,
}
