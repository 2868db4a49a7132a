//! How far the maps of a model are above baselines that know nothing of it, sample by sample.

use std::collections::BTreeMap;

use i2am_quantity::number;

use super::{bracketed, raw};
use crate::interval;
use crate::run::Run;
use crate::table::{Cell, Column, Table};

/// The quantity that is compared.
const SCORE: &str = "saco";
/// With which baselines, and their headings.
const BASELINES: [(&str, &str); 5] = [
    ("baseline reference_mask", "mask"),
    ("baseline edges", "edges"),
    ("baseline center", "center"),
    ("baseline other_sample", "other sample"),
    ("baseline random_1", "random"),
];

/// Mean difference, its ends, and the number of samples that have both.
type Difference = (f64, Option<[f64; 2]>, usize);

/// Differences of every map to every baseline; `None` for runs that took nothing away.
pub(super) fn table(runs: &[Run]) -> Option<Table> {
    let mut rows = Vec::new();
    let mut header = [
        "run",
        "model",
        "variant",
        "baseline",
        "difference",
        "low",
        "high",
        "n",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut raw_rows = vec![std::mem::take(&mut header)];
    for run in runs {
        for ((model, metric, variant), samples) in &run.of_maps {
            let Some((removed, map)) = variant.split_once(": ") else {
                continue;
            };
            if metric != SCORE || map.starts_with("baseline ") {
                continue;
            }
            let mut cells = vec![Cell::new(model), Cell::new(variant)];
            if runs.len() > 1 {
                cells.insert(0, Cell::new(&run.label));
            }
            let mut n = 0;
            for (baseline, _) in BASELINES {
                let key = (
                    model.clone(),
                    metric.clone(),
                    format!("{removed}: {baseline}"),
                );
                let found = run
                    .of_maps
                    .get(&key)
                    .and_then(|other| difference(samples, other));
                cells.push(Cell::new(found.map_or_else(|| "–".to_owned(), shown)));
                if let Some((mean, ends, count)) = found {
                    n = n.max(count);
                    let [low, high] = ends.map_or_else(Default::default, |ends| ends.map(raw));
                    raw_rows.push(vec![
                        run.label.clone(),
                        model.clone(),
                        variant.clone(),
                        baseline.to_owned(),
                        raw(mean),
                        low,
                        high,
                        count.to_string(),
                    ]);
                }
            }
            cells.push(Cell::new(n.to_string()));
            rows.push(cells);
        }
    }
    if rows.is_empty() {
        return None;
    }
    let mut columns = vec![Column::text("Model"), Column::text("Removed: map")];
    if runs.len() > 1 {
        columns.insert(0, Column::text("Run"));
    }
    columns.extend(BASELINES.map(|(_, heading)| Column::number(heading)));
    columns.push(Column::number("n"));
    Some(Table {
        name: "faithfulness_paired".to_owned(),
        caption: "SaCo of each map less that of each baseline, in the same samples.".to_owned(),
        columns,
        rows,
        notes: vec![
            "Mean of the differences with its 95 % interval (Student's t over samples). A map whose interval reaches 0 is not \
             distinguished from the baseline."
                .to_owned(),
        ],
        raw: raw_rows,
        indexed: Vec::new(),
    })
}

/// Over the samples that both have; none without one.
fn difference(own: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>) -> Option<Difference> {
    let pairs = own.iter().filter_map(|(id, a)| Some(a - other.get(id)?));
    let differences: Vec<f64> = pairs.collect();
    let n = differences.len();
    if n == 0 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n as f64;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    Some((mean, interval::of_mean(mean, deviation, n), n))
}

fn shown((mean, ends, _): Difference) -> String {
    let text = |value: f64| number(value, 3);
    match ends {
        None => text(mean),
        Some([low, high]) => format!("{} {}", text(mean), bracketed(&text(low), &text(high))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_that_both_have_count() {
        let values = |list: &[(&str, f64)]| -> BTreeMap<String, f64> {
            list.iter()
                .map(|(id, value)| ((*id).to_owned(), *value))
                .collect()
        };
        let own = values(&[("a", 0.75), ("b", 0.5), ("c", 9.0)]);
        let other = values(&[("a", 0.5), ("b", 0.5), ("d", 9.0)]);
        let (mean, ends, n) = difference(&own, &other).unwrap();
        assert_eq!((mean, n), (0.125, 2));
        // Differences 0.25 and 0: a standard error of 0.125, times 12.706 for one degree of freedom.
        let [low, high] = ends.unwrap();
        assert!((high - 0.125 - 12.706 * 0.125).abs() < 1e-3 && low < 0.0);
        assert_eq!(difference(&own, &values(&[("e", 1.0)])), None);
    }
}
