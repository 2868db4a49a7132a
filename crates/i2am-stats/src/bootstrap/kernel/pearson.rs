use super::super::lanes::{LANES, Lanes, add_product, float};
use super::{Scratch, ratio};
use crate::columns::Columns;
use crate::pearson::centered;

/// The columns less their mean and scaled, which changes no correlation and keeps the sums small.
pub(super) struct Prepared {
    columns: Vec<Vec<f64>>,
}

/// What a column is under the weights.
struct Moments {
    mean: Lanes,
    /// Sum of squares around the mean; exactly 0 if all values that count are equal.
    squares: Lanes,
}

impl Prepared {
    pub(super) fn new(columns: &Columns<'_>) -> Self {
        Self {
            columns: columns.iter().map(centered).collect(),
        }
    }

    pub(super) fn correlations(&self, pairs: &[[usize; 2]], scratch: &Scratch) -> Vec<Lanes> {
        let weights = &scratch.weights;
        let moments: Vec<Moments> = self
            .columns
            .iter()
            .map(|column| Moments::of(column, weights))
            .collect();
        let pair = |&[x, y]: &[usize; 2]| {
            let mut products = [0.0; LANES];
            let values = self.columns[x].iter().zip(&self.columns[y]);
            for ((&a, &b), weight) in values.zip(weights) {
                let a = moments[x].deviation(a);
                let b = moments[y].deviation(b);
                let weighted: Lanes = std::array::from_fn(|lane| f64::from(weight[lane]) * a[lane]);
                add_product(&mut products, &weighted, &b);
            }
            ratio(&products, &moments[x].squares, &moments[y].squares)
        };
        pairs.iter().map(pair).collect()
    }
}

impl Moments {
    fn of(column: &[f64], weights: &[[i32; LANES]]) -> Self {
        let mut sum = [0.0; LANES];
        let mut count = [0.0; LANES];
        let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        for (&value, weight) in column.iter().zip(weights) {
            for lane in 0..LANES {
                let weighs = f64::from(weight[lane]);
                sum[lane] += weighs * value;
                count[lane] += weighs;
                let counts = weight[lane] > 0;
                low[lane] = if counts && value < low[lane] {
                    value
                } else {
                    low[lane]
                };
                high[lane] = if counts && value > high[lane] {
                    value
                } else {
                    high[lane]
                };
            }
        }
        let mut moments = Self {
            mean: std::array::from_fn(|lane| sum[lane] / count[lane]),
            squares: [0.0; LANES],
        };
        for (&value, weight) in column.iter().zip(weights) {
            let deviation = moments.deviation(value);
            let squares = deviation.map(|deviation| deviation * deviation);
            add_product(&mut moments.squares, &float(weight), &squares);
        }
        for lane in 0..LANES {
            if low[lane] >= high[lane] {
                moments.squares[lane] = 0.0;
            }
        }
        moments
    }

    #[inline]
    fn deviation(&self, value: f64) -> Lanes {
        self.mean.map(|mean| value - mean)
    }
}
