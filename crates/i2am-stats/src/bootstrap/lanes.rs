//! Sixteen resamples side by side: every loop over them is one that a compiler turns into vector instructions.

pub(super) const LANES: usize = 16;

/// One number for each resample.
pub(super) type Lanes = [f64; LANES];

/// `sum += a * b`, lane by lane.
#[inline]
pub(super) fn add_product(sum: &mut Lanes, a: &Lanes, b: &Lanes) {
    for lane in 0..LANES {
        sum[lane] += a[lane] * b[lane];
    }
}

/// Whole numbers as f64.
#[inline]
pub(super) fn float(values: &[i32; LANES]) -> Lanes {
    std::array::from_fn(|lane| f64::from(values[lane]))
}
