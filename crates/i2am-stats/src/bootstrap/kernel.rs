//! Correlations under weights. All that depends on the values alone is done once, when a kernel is made.

mod kendall;
mod pearson;
mod spearman;

use super::lanes::{LANES, Lanes};
use crate::columns::Columns;
use crate::method::Method;

/// The correlations of pairs of columns by one method.
pub(super) struct Kernel {
    pairs: Vec<[usize; 2]>,
    columns: Prepared,
}

enum Prepared {
    Pearson(pearson::Prepared),
    Spearman(spearman::Prepared),
    Kendall(kendall::Prepared),
}

/// Memory of one thread, used again by each batch.
#[derive(Default)]
pub(super) struct Scratch {
    /// How often each row counts, in each lane.
    pub(super) weights: Vec<[i32; LANES]>,
    /// Room for the rows of one resample.
    pub(super) rows: Vec<u32>,
    /// Ranks of Spearman's columns, one after the other.
    ranks: Vec<[i32; LANES]>,
    /// Kendall's tree.
    tree: Vec<[i32; LANES]>,
}

impl Scratch {
    /// No weight on any of `rows` rows.
    pub(super) fn reset(&mut self, rows: usize) {
        self.weights.clear();
        self.weights.resize(rows, [0; LANES]);
        self.rows.resize(rows, 0);
    }
}

impl Kernel {
    pub(super) fn new(method: Method, columns: &Columns<'_>, pairs: Vec<[usize; 2]>) -> Self {
        let columns = match method {
            Method::Pearson => Prepared::Pearson(pearson::Prepared::new(columns)),
            Method::Spearman => Prepared::Spearman(spearman::Prepared::new(columns)),
            Method::Kendall => Prepared::Kendall(kendall::Prepared::new(columns, &pairs)),
        };
        Self { pairs, columns }
    }

    /// The pairs of columns, in the order of all answers.
    pub(super) fn pairs(&self) -> &[[usize; 2]] {
        &self.pairs
    }

    /// One coefficient per pair and lane, NaN where one side is constant under the weights.
    pub(super) fn correlations(&self, scratch: &mut Scratch) -> Vec<Lanes> {
        match &self.columns {
            Prepared::Pearson(columns) => columns.correlations(&self.pairs, scratch),
            Prepared::Spearman(columns) => columns.correlations(&self.pairs, scratch),
            Prepared::Kendall(columns) => columns.correlations(&self.pairs, scratch),
        }
    }
}

/// `product / sqrt(x * y)`, NaN where a factor is 0.
fn ratio(product: &Lanes, x: &Lanes, y: &Lanes) -> Lanes {
    std::array::from_fn(|lane| {
        if x[lane] > 0.0 && y[lane] > 0.0 {
            (product[lane] / (x[lane] * y[lane]).sqrt()).clamp(-1.0, 1.0)
        } else {
            f64::NAN
        }
    })
}
