//! How much of a picture is left once something of the reference is removed.

/// The default floor of [`kept`]: with a smaller error between with and without the reference, a sample cannot answer.
///
/// Mean squared error of values that span 1, such as pixels from 0 to 1; 1e-4 is an error of one hundredth of the span.
pub const FLOOR: f64 = 1e-4;

/// Mean squared difference of two pictures inside a mask, over all channels: the sum of `w (a - b)^2` over the sum of `w` and over
/// the number of channels.
///
/// # Shapes
/// `a` and `b` are `[channels, height, width]` in row-major order, `weights` is `[height, width]`.
///
/// # Units and range
/// Squared units of the values, from 0. `weights` are at least 0; only their ratio counts. Where all are 0 nothing is looked at, and
/// the distance is 0.
///
/// # Panics
/// If `weights` is empty, if `a` and `b` differ in length, or if their length is not a multiple of that of `weights`.
///
/// # Source
/// Checked against NumPy (fixture `faithfulness`).
pub fn distance(a: &[f32], b: &[f32], weights: &[f32]) -> f64 {
    let (cells, values) = (weights.len(), a.len());
    assert!(
        cells > 0 && values == b.len() && values % cells == 0,
        "two pictures of whole channels of {cells} values: found {values} and {} values",
        b.len()
    );
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    if total == 0.0 || values == 0 {
        return 0.0;
    }
    let pairs = a.iter().zip(b).zip(weights.iter().cycle());
    // A weight of 0 leaves out what it is on, even if that is no number.
    let squares = pairs
        .filter(|&(_, &weight)| weight > 0.0)
        .map(|((&a, &b), &weight)| f64::from(weight) * (f64::from(a) - f64::from(b)).powi(2));
    squares.sum::<f64>() / (total * (values / cells) as f64)
}

/// How much of the reference's influence is left: `1 - delta / delta_none`. 1: as if nothing had been removed; 0: as if all had been.
///
/// `delta` is the [`distance`] of the changed output to the output as it was, `delta_none` that of the output without the reference.
///
/// # Units and range
/// None; at most 1, and below 0 where the change does more than leaving out the reference.
///
/// `None` if `delta_none` is below `floor` (see [`FLOOR`]), so that the sample cannot answer, or if either is no finite number.
pub fn kept(delta: f64, delta_none: f64, floor: f64) -> Option<f64> {
    let answers = delta.is_finite() && delta_none.is_finite() && delta_none >= floor;
    // Also with a floor of 0 there must be something to divide by.
    (answers && delta_none > 0.0).then(|| 1.0 - delta / delta_none)
}

/// What removals do to one sample: its output, what part of it is looked at, and how far the output without the reference is away.
#[derive(Debug, Clone)]
pub struct Effects<'a> {
    output: &'a [f32],
    weights: &'a [f32],
    none: f64,
}

impl<'a> Effects<'a> {
    /// Of a sample with `output`, compared inside the mask `weights`, and with `without`, its output without the reference.
    ///
    /// `None` if the two outputs differ by less than `floor`: the sample cannot answer.
    ///
    /// # Shapes
    /// As [`distance`].
    /// # Panics
    /// As [`distance`].
    pub fn new(output: &'a [f32], without: &[f32], weights: &'a [f32], floor: f64) -> Option<Self> {
        let none = distance(without, output, weights);
        kept(0.0, none, floor)?;
        Some(Self {
            output,
            weights,
            none,
        })
    }

    /// The [`distance`] between the outputs with and without the reference.
    pub fn none(&self) -> f64 {
        self.none
    }

    /// What is [`kept`] in `output`; `None` if it is not finite.
    ///
    /// # Panics
    /// If `output` has not the length of the sample's own output.
    pub fn kept(&self, output: &[f32]) -> Option<f64> {
        let delta = distance(output, self.output, self.weights);
        kept(delta, self.none, 0.0)
    }

    /// What a removal did: 1 less what is [`kept`], from 0.
    ///
    /// # Panics
    /// As [`Effects::kept`].
    pub fn effect(&self, output: &[f32]) -> Option<f64> {
        self.kept(output).map(|kept| 1.0 - kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_mask_holds() {
        // Two channels of three cells; differences 1, 2, 4 and 3, 0, 5.
        let (a, b) = ([1.0, 2.0, 4.0, 3.0, 0.0, 5.0], [0.0; 6]);
        assert_eq!(distance(&a, &b, &[1.0, 1.0, 0.0]), (1.0 + 4.0 + 9.0) / 4.0);
        assert_eq!(distance(&a, &b, &[0.0, 0.0, 1.0]), 20.5);
        let [once, thrice] = [1.0, 3.0].map(|w| distance(&a, &b, &[w, 0.0, w / 2.0]));
        assert_eq!(once, thrice);
        assert_eq!(once, (1.0 + 9.0 + 0.5 * 41.0) / 3.0);
        assert_eq!(distance(&a, &b, &[0.0; 3]), 0.0);
        assert_eq!(distance(&[f32::NAN, 1.0], &[0.0; 2], &[0.0, 1.0]), 1.0);
    }

    #[test]
    #[should_panic(expected = "whole channels of 4 values: found 6 and 6 values")]
    fn refuses_a_mask_of_another_size() {
        distance(&[0.0; 6], &[0.0; 6], &[1.0; 4]);
    }

    #[test]
    fn kept_has_known_ends() {
        assert_eq!(kept(0.0, 0.5, FLOOR), Some(1.0));
        assert_eq!(kept(0.5, 0.5, FLOOR), Some(0.0));
        assert_eq!(kept(1.0, 0.5, FLOOR), Some(-1.0));
        assert_eq!(kept(0.0, FLOOR, FLOOR), Some(1.0));
        assert_eq!(kept(0.0, 0.9 * FLOOR, FLOOR), None);
        assert_eq!(kept(0.0, 0.0, 0.0), None);
        assert_eq!(kept(f64::NAN, 0.5, FLOOR), None);
        assert_eq!(kept(0.0, f64::NAN, FLOOR), None);
    }

    #[test]
    fn a_sample_answers_if_the_reference_matters() {
        let (output, without, weights) = ([1.0, 1.0], [0.0, 0.5], [1.0, 0.0]);
        let effects = Effects::new(&output, &without, &weights, FLOOR).unwrap();
        assert_eq!(effects.none(), 1.0);
        assert_eq!(effects.kept(&[0.5, 9.0]), Some(0.75));
        assert_eq!(effects.effect(&without), Some(1.0));
        assert_eq!(effects.effect(&[f32::NAN, 0.0]), None);
        assert!(Effects::new(&output, &[1.0, 0.5], &weights, FLOOR).is_none());
    }
}
