use crate::error::StatsError;

/// Columns of one length, all finite: what every statistic of several columns takes.
///
/// # Shapes
/// `k` columns of `n` rows; row `i` of all columns belongs to one point.
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    columns: Vec<&'a [f64]>,
}

/// Two columns whose correlation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Index of one column.
    pub x: usize,
    /// Index of the other.
    pub y: usize,
}

impl<'a> Columns<'a> {
    /// # Errors
    /// [`StatsError::Length`], [`StatsError::NotFinite`].
    pub fn new(columns: Vec<&'a [f64]>) -> Result<Self, StatsError> {
        let expected = columns.first().map_or(0, |column| column.len());
        for (index, column) in columns.iter().enumerate() {
            if column.len() != expected {
                return Err(StatsError::Length {
                    column: index,
                    expected,
                    found: column.len(),
                });
            }
            if let Some(row) = column.iter().position(|value| !value.is_finite()) {
                return Err(StatsError::NotFinite {
                    column: index,
                    row,
                    value: column[row],
                });
            }
        }
        Ok(Self { columns })
    }

    /// Number of points.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.len())
    }

    /// Column `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn column(&self, index: usize) -> &'a [f64] {
        self.columns[index]
    }

    /// All columns.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a [f64]> {
        self.columns.iter().copied()
    }
}

/// Whether all values are equal.
pub(crate) fn is_constant(values: &[f64]) -> bool {
    // By comparison: -0.0 equals 0.0.
    #[expect(clippy::float_cmp, reason = "values that are equal, not nearly so")]
    values.windows(2).all(|pair| pair[0] == pair[1])
}
