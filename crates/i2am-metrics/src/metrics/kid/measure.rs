//! Squared maximum mean discrepancies of subsets of features.

use tch::{Kind, Tensor};

use super::{KID, Kid};
use crate::error::MetricError;
use crate::features::Features;
use crate::inception::Mode;
use crate::metric::Prepared;
use crate::numpy_random::RandomState;
use crate::of_features::{Found, of_inception};
use crate::session::Session;

/// Rows of the larger set up to which all kernel values are computed at once, for all subsets.
const WHOLE: usize = 4096;

pub(super) fn open(settings: Kid, session: &Session) -> Result<Prepared, MetricError> {
    let score = move |generated: &Features, real: &Features| score(settings, generated, real);
    of_inception(&KID, 2, settings.mode, session, score)
}

fn score(settings: Kid, generated: &Features, real: &Features) -> Found {
    let least = generated.count().min(real.count());
    let size = settings.subset_size.min(least);
    let mut notes = Vec::new();
    if size < settings.subset_size {
        notes.push(format!(
            "subsets of {size} pictures instead of {}: a side has no more",
            settings.subset_size
        ));
    }
    let settings = Kid {
        subset_size: size,
        ..settings
    };
    let values = kernel_distances(generated, real, settings);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / n;
    // Then all values are of the same pictures, and differ by rounding at most.
    let whole = [generated.count(), real.count()] == [size, size];
    let std = (!whole && values.len() > 1).then(|| variance.sqrt());
    if std.is_none() {
        let reason = if whole {
            "every subset is the whole set"
        } else {
            "there is one subset"
        };
        notes.push(format!("no deviation: {reason}"));
    }
    Found {
        value: mean,
        std,
        notes,
    }
}

/// One squared MMD per subset.
fn kernel_distances(generated: &Features, real: &Features, settings: Kid) -> Vec<f64> {
    let _guard = tch::no_grad_guard();
    let (x, y) = (generated.rows(), real.rows());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

        /// A subset of all images is the same set in another order, so that chance has no part in the distance.
        #[test]
        fn the_distance_is_symmetric(a in prop::collection::vec(-2.0_f32..2.0, 21), b in prop::collection::vec(-2.0_f32..2.0, 21)) {
            let set = |values: Vec<f32>| Features { width: 3, values };
            let (a, b) = (set(a), set(b));
            let settings = Kid { subsets: 3, subset_size: 7, ..Kid::default() };
            let (there, back) = (kernel_distances(&a, &b, settings), kernel_distances(&b, &a, settings));
            for (there, back) in there.iter().zip(back) {
                prop_assert!((there - back).abs() <= 1e-12 * (1.0 + there.abs()), "{there} {back}");
            }
        }
    }
}
