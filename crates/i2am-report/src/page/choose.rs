//! Which samples a page shows.

use std::collections::BTreeMap;

use crate::run::Run;

/// At most `count` samples of `run`, and how they were chosen. Best first: evenly spaced in the order of their mean score over the
/// models, so that good and bad ones are both seen. Without scores the first ones by name.
pub(super) fn samples(run: &Run, count: usize) -> (Vec<String>, &'static str) {
    let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((_, series), samples) in &run.values {
        if series.is_score() {
            for (id, value) in samples {
                scores.entry(id).or_default().push(*value);
            }
        }
    }
    let mut ranked: Vec<(f64, &str)> = scores
        .into_iter()
        .map(|(id, values)| (values.iter().sum::<f64>() / values.len() as f64, id))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    if ranked.is_empty() {
        let first = run.sample_ids().into_iter().take(count);
        return (first.collect(), "the first by name");
    }
    let chosen = spaced(ranked.len(), count)
        .into_iter()
        .map(|index| ranked[index].1.to_owned());
    (
        chosen.collect(),
        "evenly from the highest to the lowest mean score",
    )
}

/// `count` of the indices below `len`, the first and the last among them, evenly spaced.
fn spaced(len: usize, count: usize) -> Vec<usize> {
    match count.min(len) {
        0 => Vec::new(),
        1 => vec![0],
        count => (0..count)
            .map(|index| index * (len - 1) / (count - 1))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::spaced;

    #[test]
    fn both_ends_are_shown() {
        assert_eq!(spaced(16, 4), [0, 5, 10, 15]);
        assert_eq!(spaced(3, 6), [0, 1, 2]);
        assert_eq!(spaced(5, 1), [0]);
        assert_eq!(spaced(0, 4), [0; 0]);
    }
}
