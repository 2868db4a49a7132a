//! What a run with variants says of scores and metrics: how many samples each needs to notice a damage, and how scores correlate with
//! metrics over the variants of one model. Tables of the report.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use i2am_faithfulness::{FEWEST_DIFFERENCES, Search, power};
use i2am_quantity::{Level, number};
use i2am_report::{Cell, Column, Table};
use i2am_results::{AggregateRow, CorrelationRow, Manifest, RunPaths, read_aggregate};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::data::{Points, Samples, Series};
use super::{correct, unit};
use crate::config::{Statistics, Variant};
use crate::exit::usage;
use crate::registry::quantities;
use crate::table::text;

/// What the group of all variants of a model is called.
const ALL: &str = "all";

/// The tables `detection_power` and `ladder_correlations` of the run in `paths`; none if the run has no variants.
///
/// # Errors
/// A run that cannot be read.
pub(crate) fn tables(paths: &RunPaths) -> Result<Vec<Table>> {
    let manifest = Manifest::read(paths.manifest())?;
    let variants: Vec<Variant> = of_config(&manifest.config["variants"])?;
    if variants.is_empty() {
        return Ok(Vec::new());
    }
    let statistics: Statistics = of_config(&manifest.config["statistics"])?;
    let samples = Samples::read(&paths.samples_csv(), &statistics)?;
    Ok(vec![
        detection_power(&samples, &variants),
        correlations(&read_aggregate(paths)?, &variants, &statistics)?,
    ])
}

/// A part of the configuration in a manifest; the default if there is none.
fn of_config<T: Default + for<'de> Deserialize<'de>>(value: &Value) -> Result<T> {
    Ok(if value.is_null() {
        T::default()
    } else {
        serde_json::from_value(value.clone())?
    })
}

/// The values of a model: by what they are of, and by sample.
type Values = BTreeMap<Series, BTreeMap<String, f64>>;

/// The values of `model`. Whether maps have a single token tells no column from another.
fn values_of(samples: &Samples, model: &str) -> Values {
    let points = samples.of(model);
    let column = |index: usize| {
        let values = points.ids.iter().zip(&points.columns[index]);
        let values = values.filter_map(|(id, value)| Some((id.clone(), (*value)?)));
        (points.series[index].unmarked(), values.collect())
    };
    points.shown().map(column).collect()
}

/// What became of a score under a damage.
#[derive(Debug, Clone, PartialEq)]
struct Noticed {
    /// Samples that both models have a value for.
    n: usize,
    /// Mean of the variant less that of its model, and the standard deviation of the differences.
    mean: f64,
    deviation: f64,
    /// The fewest samples that notice it; none within the range.
    samples: Option<usize>,
}

/// The change of one score from a model to its variant; `None` with too few samples.
fn noticed(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Option<Noticed> {
    let both = after
        .iter()
        .filter_map(|(id, after)| Some(after - before.get(id)?));
    let differences: Vec<f64> = both.collect();
    let found = power(&differences, Search::default())?;
    let n = differences.len();
    let mean = differences.iter().sum::<f64>() / n as f64;
    let squares = differences.iter().map(|value| (value - mean).powi(2));
    Some(Noticed {
        n,
        mean,
        deviation: (squares.sum::<f64>() / (n - 1) as f64).sqrt(),
        samples: found.samples,
    })
}

impl Noticed {
    /// Whether no sample changed at all.
    fn is_unchanged(&self) -> bool {
        self.mean == 0.0 && self.deviation == 0.0
    }

    fn cell(&self, series: &Series) -> Cell {
        let Search { from, to, .. } = Search::default();
        let said = match self.samples {
            _ if self.is_unchanged() => "same".to_owned(),
            None => format!("> {to}"),
            Some(found) if found == from => format!("≤ {from}"),
            Some(found) => found.to_string(),
        };
        let better = quantities().better(&series.name).orient(self.mean);
        let is_better = better.is_some_and(|change| change > 0.0) && self.samples.is_some();
        Cell {
            text: said,
            detail: if is_better { "↑" } else { "" }.to_owned(),
            ..Cell::default()
        }
    }
}

/// How many samples every score and metric needs to tell each variant from its model.
fn detection_power(samples: &Samples, variants: &[Variant]) -> Table {
    let names: BTreeSet<&str> = variants
        .iter()
        .flat_map(|variant| [variant.model.as_str(), &variant.of])
        .collect();
    let values: BTreeMap<&str, Values> = names
        .into_iter()
        .map(|model| (model, values_of(samples, model)))
        .collect();
    let series: BTreeSet<&Series> = values.values().flat_map(BTreeMap::keys).collect();
    let changes = |variant: &Variant| -> Vec<Option<Noticed>> {
        let [before, after] = [&variant.of, &variant.model].map(|name| &values[name.as_str()]);
        let of = |series: &&Series| noticed(before.get(*series)?, after.get(*series)?);
        series.iter().map(of).collect()
    };
    let found: Vec<Vec<Option<Noticed>>> = variants.par_iter().map(changes).collect();

    let mut columns = vec![column("Variant", "", false), column("Group", "", false)];
    columns.extend(series.iter().map(|series| {
        let title = titled(&series.name, series.level.as_ref());
        column(&title, &series.variant, true)
    }));
    let mut raw = vec![strings([
        "variant",
        "of",
        "group",
        "quantity",
        "direction",
        "level",
        "definition",
        "n",
        "mean_difference",
        "sd_difference",
        "samples_needed",
        "searched_to",
        "oriented_change",
    ])];
    let mut rows = Vec::new();
    for (variant, found) in variants.iter().zip(&found) {
        let mut cells = vec![cell(&variant.model), cell(&variant.group)];
        for (series, found) in series.iter().zip(found) {
            let Some(found) = found else {
                cells.push(cell("–"));
                continue;
            };
            cells.push(found.cell(series));
            let better = quantities().better(&series.name).orient(found.mean);
            raw.push(vec![
                variant.model.clone(),
                variant.of.clone(),
                variant.group.clone(),
                series.name.clone(),
                text(series.direction),
                text(series.level.as_ref()),
                series.variant.clone(),
                found.n.to_string(),
                format!("{:?}", found.mean),
                format!("{:?}", found.deviation),
                text(found.samples),
                Search::default().to.to_string(),
                better.map_or_else(String::new, |better| format!("{better:?}")),
            ]);
        }
        rows.push(cells);
    }
    let Search {
        to,
        level,
        power,
        resamples,
        ..
    } = Search::default();
    Table {
        name: "detection_power".to_owned(),
        caption: "Samples that each score and metric needs to tell a variant from the model that it is a variant of.".to_owned(),
        columns,
        rows,
        notes: vec![
            format!(
                "The number of samples from which on a paired two-sided t-test at the level {level} notices the difference in {} % of {resamples} resamples of the run's samples, up to {to}. Few samples make it a rough estimate. An arrow means that the variant scores better than its model.",
                power * 100.0
            ),
            format!(
                "\"same\" means that no sample changed; – that fewer than {FEWEST_DIFFERENCES} samples have both values. Metrics of sets of images, such as FID, have no value for one sample and so no column."
            ),
        ],
        raw,
        indexed: Vec::new(),
    }
}

/// A model, which of its variants, and a correlation over both.
type Found<'a> = (&'a str, &'a str, CorrelationRow);

/// Every correlation over a model and its variants, of all groups together and of each.
fn find<'a>(
    aggregate: &[AggregateRow],
    variants: &'a [Variant],
    statistics: &Statistics,
) -> Result<Vec<Found<'a>>> {
    let settings = statistics
        .settings()
        .map_err(|problem| usage(format!("statistics.{problem}")))?;
    let mut places: Vec<(&str, &str)> = Vec::new();
    for variant in variants {
        for group in [ALL, &variant.group] {
            if !places.contains(&(&variant.of, group)) {
                places.push((&variant.of, group));
            }
        }
    }
    places.sort_by_key(|(of, _)| variants.iter().position(|variant| variant.of == **of));
    let mut rows: Vec<CorrelationRow> = Vec::new();
    let mut groups = Vec::new();
    for &(of, group) in &places {
        let own = variants
            .iter()
            .filter(|variant| variant.of == of && (group == ALL || variant.group == group));
        let models: Vec<&str> = own
            .map(|variant| variant.model.as_str())
            .chain([of])
            .collect();
        let points = Points::of_models(aggregate, &models, statistics);
        let found = unit(&points, &[], &settings)?;
        groups.extend(found.iter().map(|_| (of, group)));
        rows.extend(found);
    }
    correct(&mut rows);
    let found = groups.into_iter().zip(rows);
    Ok(found.map(|((of, group), row)| (of, group, row)).collect())
}

/// How scores correlate with metrics over each model and its variants.
fn correlations(
    aggregate: &[AggregateRow],
    variants: &[Variant],
    statistics: &Statistics,
) -> Result<Table> {
    let found = find(aggregate, variants, statistics)?;
    let methods = || found.iter().map(|(_, _, row)| row.method.as_str());
    let method = methods()
        .find(|method| *method == "spearman")
        .or(methods().next())
        .unwrap_or_default();
    let metric = |row: &CorrelationRow| (row.metric.clone(), row.variant.clone());
    let metrics: BTreeSet<(String, String)> = found.iter().map(|(_, _, row)| metric(row)).collect();
    let mut columns = ["Model", "Variants", "Score"]
        .map(|heading| column(heading, "", false))
        .to_vec();
    columns.push(column("n", "", true));
    columns.extend(metrics.iter().map(|(name, definition)| {
        let title = quantities().find(name).map(|known| known.title);
        column(title.unwrap_or(name), definition, true)
    }));
    let mut lines: Vec<(&str, &str, String)> = Vec::new();
    for (of, group, row) in &found {
        let line = (*of, *group, titled(&row.score, row.level.as_ref()));
        if row.method == method && row.oriented.is_some() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let cells = |(of, group, score): &(&str, &str, String)| {
        let own = || {
            let of_line = found.iter().filter(move |(its_of, its_group, row)| {
                (its_of, its_group) == (of, group)
                    && titled(&row.score, row.level.as_ref()) == *score
                    && row.method == method
            });
            of_line.map(|(_, _, row)| row)
        };
        let n = own().map(|row| row.n).max().unwrap_or_default();
        let mut cells = vec![cell(of), cell(group), cell(score), cell(&n.to_string())];
        cells.extend(metrics.iter().map(|wanted| {
            let found = own().find(|row| metric(row) == *wanted);
            let value = found.and_then(|row| row.oriented);
            cell(&value.map_or_else(|| "–".to_owned(), |value| number(value, 2)))
        }));
        cells
    };
    Ok(Table {
        name: "ladder_correlations".to_owned(),
        caption: format!(
            "Correlation ({method}) of scores of maps with metrics of images over a model and its variants."
        ),
        rows: lines.iter().map(cells).collect(),
        columns,
        notes: vec![format!(
            "Signs are turned where lower is better: positive means that the metric is better where the score is higher. Every row counts the model itself as one of n points. With the few points of one kind of damage no claim is possible; the file ladder_correlations.csv has p after Holm's correction over the table, and the other methods."
        )],
        raw: raw_correlations(&found),
        indexed: Vec::new(),
    })
}

/// The same for programs.
fn raw_correlations(found: &[Found<'_>]) -> Vec<Vec<String>> {
    let mut raw = vec![strings([
        "of",
        "variants",
        "score",
        "direction",
        "level",
        "metric",
        "definition",
        "method",
        "oriented",
        "low",
        "high",
        "p",
        "p_holm",
        "n",
        "reason",
    ])];
    raw.extend(found.iter().map(|(of, group, row)| {
        let real =
            |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:?}"));
        let interval = oriented_interval(row);
        vec![
            (*of).to_owned(),
            (*group).to_owned(),
            row.score.clone(),
            text(row.direction),
            text(row.level.as_ref()),
            row.metric.clone(),
            row.variant.clone(),
            row.method.clone(),
            real(row.oriented),
            real(interval.map(|[low, _]| low)),
            real(interval.map(|[_, high]| high)),
            real(row.p),
            real(row.p_holm),
            row.n.to_string(),
            row.outcome.reason().to_owned(),
        ]
    }));
    raw
}

/// The interval of a correlation, turned as [`CorrelationRow::oriented`] is.
fn oriented_interval(row: &CorrelationRow) -> Option<[f64; 2]> {
    let better = quantities().better(&row.metric);
    let [low, high] = row
        .interval
        .map(|ends| ends.map(|end| better.orient(end)))?;
    let (low, high) = (low?, high?);
    Some([low.min(high), low.max(high)])
}

/// What tables call a score of maps of `level`.
fn titled(name: &str, level: Option<&Level>) -> String {
    let title = quantities().find(name).map_or(name, |known| known.title);
    match level {
        None | Some(Level::Unified) => title.to_owned(),
        Some(level) => format!("{title}, {level}"),
    }
}

fn column(heading: &str, variant: &str, numeric: bool) -> Column {
    Column {
        heading: heading.to_owned(),
        variant: variant.to_owned(),
        numeric,
    }
}

fn cell(text: &str) -> Cell {
    Cell {
        text: text.to_owned(),
        ..Cell::default()
    }
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[f64]) -> BTreeMap<String, f64> {
        let named = values.iter().enumerate();
        named.map(|(id, &value)| (id.to_string(), value)).collect()
    }

    fn score(name: &str) -> Series {
        Series {
            name: name.to_owned(),
            direction: None,
            level: None,
            variant: String::new(),
            marks: i2am_quantity::Marks::default(),
        }
    }

    #[test]
    fn samples_are_compared_one_by_one() {
        let before = values(&[0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.5, 0.3]);
        // Far less than the samples differ from each other, but the same for all of them.
        let after = before.iter().map(|(id, value)| (id.clone(), value - 0.01));
        let mut after: BTreeMap<String, f64> = after.collect();
        let found = noticed(&before, &after).unwrap();
        assert_eq!((found.n, found.samples), (8, Some(5)));
        assert!((found.mean + 0.01).abs() < 1e-12 && found.deviation < 1e-12);
        assert_eq!(found.cell(&score("psnr")).text, "≤ 5");
        assert_eq!(found.cell(&score("psnr")).detail, "");
        // Lower is better.
        assert_eq!(found.cell(&score("baseline")).detail, "↑");
        // A sample without a partner does not count.
        after.insert("other".to_owned(), 7.0);
        assert_eq!(noticed(&before, &after).unwrap().n, 8);
    }

    #[test]
    fn what_did_not_change_and_what_cannot_be_noticed_are_told_apart() {
        let before = values(&[0.1, 0.9, 0.4, 0.6, 0.2, 0.8]);
        let same = noticed(&before, &before).unwrap();
        assert_eq!(same.cell(&score("psnr")).text, "same");
        let after = values(&[0.2, 0.8, 0.5, 0.5, 0.3, 0.7]);
        let lost = noticed(&before, &after).unwrap();
        assert_eq!(lost.samples, None);
        assert_eq!(lost.cell(&score("psnr")).text, "> 1000");
        assert_eq!(noticed(&before, &values(&[0.1, 0.2])), None);
    }
}
