//! Which of two scores correlates with a metric more closely?

use anyhow::Result;
use i2am_results::{CorrelationRow, Outcome};
use i2am_stats::{Comparison, Method, Settings, StatsError, meng, steiger};

use super::blank;
use super::data::Points;
use crate::correlations::{Column, complete};
use crate::registry::quantities;

type Test = fn(f64, f64, f64, usize) -> Result<Comparison, StatsError>;

/// The tests by name.
const TESTS: [(&str, Test); 2] = [("meng", meng), ("steiger", steiger)];

/// Both tests for each two scores of one level and each metric, over the points that have all three. They are made for Pearson's
/// correlation and hold for Spearman's approximately; for Kendall's there is none.
pub(super) fn rows(points: &Points, settings: &Settings) -> Result<Vec<CorrelationRow>> {
    let mut rows = Vec::new();
    for (first, second, metric) in points.rivals() {
        let used = [first, second, metric];
        let common = complete(&points.columns, &used);
        let [a, b, y] = used.map(|index| values(&points.columns[index], &common));
        for &method in &settings.methods {
            if method == Method::Kendall {
                continue;
            }
            for (name, test) in TESTS {
                let tested =
                    correlations(method, &a, &b, &y).and_then(|[first, second, between]| {
                        test(first, second, between, common.len())
                    });
                let found = match tested {
                    Ok(comparison) => Ok(comparison),
                    Err(StatsError::Undefined(reason)) => Err(reason),
                    Err(error) => return Err(error.into()),
                };
                let z = found.ok().map(|found| found.z);
                let name_of_metric = &points.series[metric].name;
                rows.push(CorrelationRow {
                    rival: points.series[second].name.clone(),
                    method: format!("{name}:{method}"),
                    outcome: match found {
                        Ok(found) => Outcome::ok(found.z).unwrap_or_else(Outcome::failed),
                        Err(reason) => Outcome::empty(reason),
                    },
                    oriented: z.and_then(|z| quantities().better(name_of_metric).orient(z)),
                    p: found.ok().map(|found| found.p),
                    p_by: found.map_or("", |_| "normal").to_owned(),
                    n: common.len(),
                    ..blank(points, first, metric, &[])
                });
            }
        }
    }
    Ok(rows)
}

/// Of a with y, b with y, and a with b.
fn correlations(method: Method, a: &[f64], b: &[f64], y: &[f64]) -> Result<[f64; 3], StatsError> {
    Ok([
        method.coefficient(a, y)?,
        method.coefficient(b, y)?,
        method.coefficient(a, b)?,
    ])
}

fn values(column: &Column, rows: &[usize]) -> Vec<f64> {
    rows.iter().filter_map(|&row| column[row]).collect()
}
