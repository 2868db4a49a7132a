//! Deletion and insertion: what is kept while more and more is removed or given back.

use crate::finite;

/// What is [`kept`](crate::kept) after 0 to `K` steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    values: Vec<f64>,
}

impl Curve {
    /// The curve of the values `s_0` to `s_K`, one after every step and one before the first. Deletion removes in every step one more
    /// group of cells; insertion begins with all removed and gives groups back.
    ///
    /// `None` if there is no step, that is fewer than two values, or if a value is not finite.
    pub fn new(values: Vec<f64>) -> Option<Self> {
        (values.len() >= 2 && finite(&values)).then_some(Self { values })
    }

    /// The values `s_0` to `s_K`.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of steps `K`, at least 1.
    pub fn steps(&self) -> usize {
        self.values.len() - 1
    }

    /// Area under the curve over its length, by trapezoids: `(s_0 / 2 + s_1 + ... + s_K / 2) / K`.
    ///
    /// # Units and range
    /// None; 0 to 1 for values in 0 to 1. Of deletion in the order of most relevant first lower is better, of insertion higher.
    /// # Source
    /// Petsiuk et al. 2018 (RISE); checked against NumPy's `trapezoid` (fixture `faithfulness`).
    pub fn auc(&self) -> f64 {
        let areas = self
            .values
            .windows(2)
            .map(|ends| f64::midpoint(ends[0], ends[1]));
        areas.sum::<f64>() / self.steps() as f64
    }

    /// Relative area over the perturbation curve: the mean of `s_0 - s_k` over all `K + 1` values, the first included.
    ///
    /// Relative, because what is kept is a share of the reference's influence.
    ///
    /// # Units and range
    /// None; higher is better for deletion in the order of most relevant first.
    /// # Source
    /// Samek et al. 2017; checked against NumPy (fixture `faithfulness`).
    pub fn relative_aopc(&self) -> f64 {
        let drops = self.values.iter().map(|value| self.values[0] - value);
        drops.sum::<f64>() / self.values.len() as f64
    }

    /// After how many steps half is kept: the first step at which the value is 0.5 or less, with a straight line from the value before.
    ///
    /// # Units and range
    /// Steps, 0 to `K`. `None` if every value is above 0.5. A late half says that the output can do without much of the reference
    /// (saturation).
    pub fn half(&self) -> Option<f64> {
        const HALF: f64 = 0.5;
        let step = self.values.iter().position(|&value| value <= HALF)?;
        if step == 0 {
            return Some(0.0);
        }
        let (before, after) = (self.values[step - 1], self.values[step]);
        Some((step - 1) as f64 + (before - HALF) / (before - after))
    }
}

/// Area between the two curves of deletion (ABC): the [area](Curve::auc) with the least relevant removed first, less that with the most
/// relevant removed first.
///
/// # Units and range
/// None; positive if the map is truthful, 0 expected of a map that knows nothing, at most 1 for values in 0 to 1.
/// # Panics
/// If the curves differ in their number of steps.
pub fn between(lerf: &Curve, morf: &Curve) -> f64 {
    assert_eq!(lerf.steps(), morf.steps(), "two curves of as many steps");
    lerf.auc() - morf.auc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Curve {
        Curve::new(values.to_vec()).unwrap()
    }

    #[test]
    fn areas_are_those_of_trapezoids() {
        assert_eq!(curve(&[1.0, 0.5, 0.0]).auc(), 0.5);
        assert_eq!(curve(&[1.0, 0.0, 0.0]).auc(), 0.25);
        assert_eq!(curve(&[1.0, 1.0, 0.0]).auc(), 0.75);
        assert_eq!(
            between(&curve(&[1.0, 1.0, 0.0]), &curve(&[1.0, 0.0, 0.0])),
            0.5
        );
        let same = curve(&[1.0, 0.3, 0.0]);
        assert_eq!(between(&same, &same), 0.0);
    }

    #[test]
    fn aopc_counts_the_first_value() {
        assert_eq!(curve(&[1.0, 0.0, 0.0, 0.0]).relative_aopc(), 0.75);
        assert_eq!(curve(&[0.5, 0.5]).relative_aopc(), 0.0);
    }

    #[test]
    fn half_is_where_the_line_crosses() {
        assert_eq!(curve(&[1.0, 0.75, 0.25, 0.0]).half(), Some(1.5));
        assert_eq!(curve(&[1.0, 0.5, 0.0]).half(), Some(1.0));
        assert_eq!(curve(&[0.4, 0.9]).half(), Some(0.0));
        assert_eq!(curve(&[1.0, 0.9, 0.6]).half(), None);
    }

    #[test]
    fn needs_a_step_and_numbers() {
        assert_eq!(Curve::new(vec![1.0]), None);
        assert_eq!(Curve::new(vec![1.0, f64::NAN]), None);
        assert_eq!(curve(&[1.0, 0.0]).steps(), 1);
    }
}
