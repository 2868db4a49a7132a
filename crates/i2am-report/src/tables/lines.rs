//! Lines of a table that shows several quantities of one map.

use i2am_quantity::{Direction, Level, Place, Quantity, Role};
use i2am_results::AggregateRow;

use crate::run::Run;
use crate::table::Column;

/// A value, and the rows that belong to it.
pub(super) struct Line<'a> {
    pub(super) run: &'a Run,
    pub(super) row: &'a AggregateRow,
    /// What it is about.
    pub(super) value: &'static Quantity,
    parts: Vec<(&'static Quantity, &'a AggregateRow)>,
}

/// The lines of the table `name`, in the order of rows.
pub(super) fn lines<'a>(runs: &'a [Run], name: &str) -> Vec<Line<'a>> {
    let of_run = |run: &'a Run| {
        let in_table = |row: &'a AggregateRow| {
            let quantity = run.quantities().find(&row.metric)?;
            is_in(quantity, name).then_some((quantity, row))
        };
        let all: Vec<_> = run.aggregate.iter().filter_map(in_table).collect();
        let line = |&(value, row): &(&'static Quantity, &'a AggregateRow)| {
            let belongs = |(quantity, other): &&(&'static Quantity, &AggregateRow)| {
                quantity.role != Role::Value && key(other) == key(row)
            };
            Line {
                run,
                row,
                value,
                parts: all.iter().filter(belongs).copied().collect(),
            }
        };
        let values = all
            .iter()
            .filter(|(quantity, _)| quantity.role == Role::Value);
        values.map(line).collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

/// The quantities of the table `name`, each title once: values, then their controls, and so on.
pub(super) fn parts(runs: &[Run], name: &str) -> Vec<&'static Quantity> {
    let known = runs.iter().flat_map(|run| run.quantities().iter());
    let mut parts: Vec<&'static Quantity> = Vec::new();
    for quantity in known.filter(|quantity| is_in(quantity, name)) {
        if parts.iter().all(|part| part.title != quantity.title) {
            parts.push(quantity);
        }
    }
    parts.sort_by_key(|part| part.role);
    parts
}

/// The column of a quantity, with the arrow of what is better.
pub(super) fn column(quantity: &Quantity) -> Column {
    let heading = format!("{} {}", quantity.title, quantity.better.arrow());
    Column::number(heading.trim_end())
}

fn is_in(quantity: &Quantity, table: &str) -> bool {
    matches!(quantity.place, Place::Table(name) if name == table)
}

/// What rows have in common that stand in one line.
fn key(row: &AggregateRow) -> (&str, Option<Direction>, Option<&Level>, &str) {
    (
        &row.model,
        row.direction,
        row.level.as_ref(),
        &row.convention,
    )
}

impl Line<'_> {
    /// The mean of the part that has this title, which may be the value itself.
    pub(super) fn mean(&self, title: &str) -> Option<f64> {
        if self.value.title == title {
            return self.row.mean;
        }
        let part = self.parts.iter().find(|(part, _)| part.title == title);
        part?.1.mean
    }
}
