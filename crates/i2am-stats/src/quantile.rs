/// The `p`-quantile of sorted values, with a line between neighbors (Hyndman and Fan's type 7, NumPy's default).
///
/// # Panics
/// If `sorted` is empty or `p` is not within 0 and 1.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    assert!((0.0..=1.0).contains(&p), "quantile at {p}");
    let place = p * (sorted.len() - 1) as f64;
    let below = place.floor();
    let [low, high] = [below, place.ceil()].map(|at| sorted[at as usize]);
    low + (high - low) * (place - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_neighbors() {
        let values = [1.0, 2.0, 4.0];
        for (p, expected) in [(0.0, 1.0), (0.25, 1.5), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0)] {
            assert!((quantile(&values, p) - expected).abs() < 1e-15);
        }
        assert!((quantile(&[5.0], 0.3) - 5.0).abs() < 1e-15);
    }
}
