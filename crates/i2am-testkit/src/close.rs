//! Comparison of computed with expected values.

/// The worst disagreement of two arrays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// Index of the element that is furthest off.
    pub index: usize,
    /// The computed value there.
    pub got: f32,
    /// The expected value there.
    pub want: f32,
    /// Largest magnitude among all expected values.
    pub largest: f64,
    /// `|got - want| / largest`; infinite if every expected value is 0 and `got` is not.
    pub relative: f64,
}

/// Measures how far `got` is from `want`, relative to the largest magnitude in `want`.
///
/// One scale for the whole array, because a value near zero has no meaningful relative error of its own.
///
/// # Panics
/// If the arrays are empty, differ in length, or hold a NaN or an infinity; `what` is named.
#[track_caller]
pub fn deviation(what: &str, got: &[f32], want: &[f32]) -> Deviation {
    assert_eq!(
        got.len(),
        want.len(),
        "{what}: {} values found, {} expected",
        got.len(),
        want.len()
    );
    assert!(!want.is_empty(), "{what}: nothing to compare");
    for (side, values) in [("expected", want), ("found", got)] {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            panic!("{what}: {side} value at index {index} is {}", values[index]);
        }
    }

    let largest = want.iter().fold(0.0_f64, |largest, &value| {
        largest.max(f64::from(value).abs())
    });
    let distance = |index: usize| (f64::from(got[index]) - f64::from(want[index])).abs();
    let index = (0..want.len())
        .reduce(|worst, index| {
            if distance(index) > distance(worst) {
                index
            } else {
                worst
            }
        })
        .expect("not empty, checked above");
    let relative = match (distance(index), largest) {
        (0.0, _) => 0.0,
        (distance, largest) => distance / largest,
    };
    Deviation {
        index,
        got: got[index],
        want: want[index],
        largest,
        relative,
    }
}

/// Fails unless every `got[i]` is within `relative_to_largest` times the largest magnitude in `want` of `want[i]`.
///
/// # Panics
/// If a value is further off, naming `what`, the worst index, both values and the measured error; also as [`deviation`] does.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], want: &[f32], relative_to_largest: f64) {
    let worst = deviation(what, got, want);
    assert!(
        worst.relative <= relative_to_largest,
        "{what}: found {:e} at index {} where {:e} is expected: relative error {:.3e} exceeds {:.3e} (largest expected magnitude {:e})",
        worst.got,
        worst.index,
        worst.want,
        worst.relative,
        relative_to_largest,
        worst.largest,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_at_the_tolerance_and_measures_it() {
        let worst = deviation("x", &[1.0, -4.0, 0.5], &[1.0, -4.0, 0.0]);
        assert_eq!(worst.index, 2);
        assert_eq!((worst.got, worst.want), (0.5, 0.0));
        assert!((worst.relative - 0.125).abs() < 1e-12);
        assert_close("x", &[1.0, -4.0, 0.5], &[1.0, -4.0, 0.0], 0.125);
    }

    #[test]
    #[should_panic(
        expected = "eps: found 5e-1 at index 2 where 0e0 is expected: relative error 1.250e-1 exceeds 1.000e-4"
    )]
    fn names_the_worst_index_and_the_error() {
        assert_close("eps", &[1.1, -4.0, 0.5], &[1.0, -4.0, 0.0], 1e-4);
    }

    #[test]
    fn zeros_equal_zeros() {
        assert_close("zeros", &[0.0, -0.0], &[0.0, 0.0], 0.0);
    }

    #[test]
    #[should_panic(expected = "relative error inf exceeds")]
    fn nothing_else_is_close_to_zeros() {
        assert_close("zeros", &[0.0, 1e-30], &[0.0, 0.0], 1.0);
    }

    #[test]
    #[should_panic(expected = "eps: 1 values found, 2 expected")]
    fn lengths_must_agree() {
        assert_close("eps", &[1.0], &[1.0, 2.0], 1.0);
    }

    #[test]
    #[should_panic(expected = "eps: found value at index 1 is NaN")]
    fn nan_is_refused() {
        assert_close("eps", &[1.0, f32::NAN], &[1.0, 2.0], 1.0);
    }

    #[test]
    #[should_panic(expected = "eps: expected value at index 0 is inf")]
    fn infinity_is_refused_even_where_both_have_it() {
        assert_close("eps", &[f32::INFINITY], &[f32::INFINITY], 1.0);
    }

    #[test]
    #[should_panic(expected = "eps: nothing to compare")]
    fn empty_arrays_are_refused() {
        assert_close("eps", &[], &[], 1.0);
    }
}
