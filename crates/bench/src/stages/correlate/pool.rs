//! The correlations within the models brought together.

use std::collections::BTreeMap;

use anyhow::Result;
use i2am_quantity::{Marks, Note, Notes};
use i2am_results::{CorrelationRow, Outcome, Unit};
use i2am_stats::{Method, StatsError, Study, random_effects};

use crate::registry::quantities;

/// One row for each score, metric, method and set of covariates of `rows`, correlations over the samples of each model,
/// of those that are of one of `models`.
pub(super) fn rows(
    rows: &[CorrelationRow],
    models: &[&str],
    level: f64,
) -> Result<Vec<CorrelationRow>> {
    let mut groups: BTreeMap<[String; 7], Vec<&CorrelationRow>> = BTreeMap::new();
    let is_meant =
        |row: &&CorrelationRow| row.rival.is_empty() && models.contains(&row.model.as_str());
    for row in rows.iter().filter(is_meant) {
        let text = |part: Option<String>| part.unwrap_or_default();
        let key = [
            row.covariate.clone(),
            row.score.clone(),
            text(row.direction.map(|direction| direction.to_string())),
            text(row.level.as_ref().map(ToString::to_string)),
            row.metric.clone(),
            row.variant.clone(),
            row.method.clone(),
        ];
        groups.entry(key).or_default().push(row);
    }
    let mut pooled = Vec::new();
    for group in groups.into_values() {
        let study = |row: &&CorrelationRow| {
            let correlation = row.outcome.value()?;
            Some(Study {
                correlation,
                n: row.n,
            })
        };
        let studies: Vec<Study> = group.iter().filter_map(study).collect();
        let Some(method) = Method::find(&group[0].method) else {
            continue;
        };
        let held = group[0]
            .covariate
            .split('+')
            .filter(|name| !name.is_empty())
            .count();
        let found = match random_effects(method, &studies, held, level) {
            Ok(found) => Ok(found),
            Err(StatsError::Undefined(reason)) => Err(reason),
            Err(error) => return Err(error.into()),
        };
        let mut notes = Notes::NONE;
        if let Ok(found) = &found {
            let models = models.len();
            let (studies, tau2, i2) = (found.studies, found.tau2, 100.0 * found.i2);
            notes.add(Note::Remark(format!(
                "random effects over {studies} of {models} models, tau² {tau2:.4}, I² {i2:.0} %"
            )));
        }
        let marks: Marks = group.iter().map(|row| row.note.marks()).collect();
        notes.extend(Notes::from(marks));
        let value = found.ok().map(|found| found.correlation);
        pooled.push(CorrelationRow {
            unit: Unit::Pooled,
            model: String::new(),
            outcome: match found {
                Ok(found) => Outcome::ok(found.correlation).unwrap_or_else(Outcome::failed),
                Err(reason) => Outcome::empty(reason),
            },
            oriented: value.and_then(|value| quantities().better(&group[0].metric).orient(value)),
            interval: found.ok().map(|found| [found.low, found.high]),
            p: found.ok().map(|found| found.p),
            p_by: found.map_or("", |_| "normal").to_owned(),
            p_holm: None,
            n: studies.iter().map(|study| study.n).sum(),
            note: notes,
            ..group[0].clone()
        });
    }
    Ok(pooled)
}
