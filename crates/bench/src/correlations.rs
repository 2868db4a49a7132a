//! Correlations of columns that may have gaps, and of families of them; what the command and the stage `correlate` share.

use std::collections::BTreeMap;

use anyhow::Result;
use i2am_quantity::{Note, Notes};
use i2am_stats::{By, Columns, Correlation, MOST_TO_RESAMPLE, Settings, Target, correlate, holm};

/// A column of numbers, with gaps.
pub(crate) type Column = Vec<Option<f64>>;

/// The correlation of every target by every method, over the rows that have both values and all covariates.
///
/// Targets that have the same rows share their resamples; none depends on which others are asked for.
pub(crate) fn correlations(
    columns: &[Column],
    targets: &[Target],
    covariates: &[usize],
    settings: &Settings,
) -> Result<Vec<Vec<Correlation>>> {
    let mut by_rows: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (index, Target { x, y }) in targets.iter().enumerate() {
        let used: Vec<usize> = [*x, *y]
            .into_iter()
            .chain(covariates.iter().copied())
            .collect();
        by_rows
            .entry(complete(columns, &used))
            .or_default()
            .push(index);
    }
    let mut answers = vec![Vec::new(); targets.len()];
    for (rows, indices) in by_rows {
        let values: Vec<Vec<f64>> = columns.iter().map(|column| at(column, &rows)).collect();
        let table = Columns::new(values.iter().map(Vec::as_slice).collect())?;
        let asked: Vec<Target> = indices.iter().map(|&index| targets[index]).collect();
        let found = correlate(&table, &asked, covariates, settings)?;
        for (index, answer) in indices.into_iter().zip(found) {
            answers[index] = answer;
        }
    }
    Ok(answers)
}

/// The rows that have a value in all of `used`.
pub(crate) fn complete(columns: &[Column], used: &[usize]) -> Vec<usize> {
    let rows = columns.first().map_or(0, Vec::len);
    let is_complete = |row: &usize| used.iter().all(|&column| columns[column][*row].is_some());
    (0..rows).filter(is_complete).collect()
}

/// The values of `column` at `rows`; a gap is 0, in columns that nobody asked for only.
fn at(column: &Column, rows: &[usize]) -> Vec<f64> {
    rows.iter()
        .map(|&row| column[row].unwrap_or_default())
        .collect()
}

/// Corrects the p of each family after Holm: `family` and p of every test in, corrected p out.
pub(crate) fn corrected<Family: Ord>(tests: Vec<(Family, Option<f64>)>) -> Vec<Option<f64>> {
    let mut families: BTreeMap<Family, Vec<(usize, f64)>> = BTreeMap::new();
    let mut corrected = vec![None; tests.len()];
    for (index, (family, p)) in tests.into_iter().enumerate() {
        if let Some(p) = p {
            families.entry(family).or_default().push((index, p));
        }
    }
    for tests in families.into_values() {
        let p: Vec<f64> = tests.iter().map(|(_, p)| *p).collect();
        for ((index, _), p) in tests.into_iter().zip(holm(&p)) {
            corrected[index] = Some(p);
        }
    }
    corrected
}

/// What a reader must know of the interval of more points than are resampled.
pub(crate) fn by_jackknife(found: &Correlation) -> Option<String> {
    let by_jackknife = found
        .interval
        .is_ok_and(|interval| interval.by == By::Jackknife);
    by_jackknife.then(|| format!("interval by the jackknife: more than {MOST_TO_RESAMPLE} points"))
}

/// What a reader must know in addition to the numbers: too few points, a missing interval or p, how an interval was found.
pub(crate) fn note(found: &Correlation) -> Notes {
    let mut notes = Notes::NONE;
    if found.value.is_ok() {
        if !found.allows_a_claim() {
            let n = found.n;
            notes.add(Note::Remark(format!("n = {n}: no claim is possible")));
        } else if let Err(reason) = found.interval {
            notes.add(Note::Remark(format!("no interval: {reason}")));
        }
        if let Err(reason) = found.p {
            notes.add(Note::Remark(format!("no p: {reason}")));
        }
        notes.extend(by_jackknife(found).map(Note::Remark));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_leave_rows_out_pair_by_pair() {
        let full: Column = (0..8).map(|row| Some(f64::from(row * row % 7))).collect();
        let other: Column = (0..8).map(|row| Some(f64::from(row))).collect();
        let mut gappy = other.clone();
        gappy[3] = None;
        let settings = Settings {
            resamples: 50,
            permutations: 50,
            ..Settings::default()
        };
        let columns = [full, other, gappy];
        let targets = [Target { x: 0, y: 1 }, Target { x: 0, y: 2 }];
        let found = correlations(&columns, &targets, &[], &settings).unwrap();
        assert_eq!([found[0][0].n, found[1][0].n], [8, 7]);
        let alone = correlations(&columns, &targets[..1], &[], &settings).unwrap();
        assert_eq!(alone[0], found[0]);
    }

    #[test]
    fn families_are_corrected_apart() {
        let tests = vec![
            ("a", Some(0.01)),
            ("b", Some(0.01)),
            ("a", None),
            ("a", Some(0.04)),
        ];
        assert_eq!(corrected(tests), [Some(0.02), Some(0.01), None, Some(0.04)]);
    }
}
