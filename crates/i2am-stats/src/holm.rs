/// Holm's correction of the p values of one family, each 0 to 1, in their order: the chance of any false alarm among tests whose
/// result is at most `alpha` is at most `alpha`, however they depend on each other.
///
/// # Source
/// Holm 1979.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        least = least.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_for_all_and_none_overtakes() {
        let corrected = holm(&[0.03, 0.01, 0.9, 0.02]);
        for (found, expected) in corrected.iter().zip([0.06, 0.04, 0.9, 0.06]) {
            assert!((found - expected).abs() < 1e-15, "{corrected:?}");
        }
        assert!(holm(&[]).is_empty());
    }
}
