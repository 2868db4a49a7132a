//! The scores of two folders on the terminal.

use super::Line;
use crate::table;

/// Scores of two folders; with `names`, the values of single pairs below.
pub(super) fn measured(lines: &[Line], names: Option<&[String]>) -> String {
    let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let number = |value| table::number(value, 6);
    let mut table = table::with_header(["metric", "variant", "value", "sd", "generated", "real"]);
    for line in lines {
        table.add_row([
            line.metric.to_owned(),
            line.variant.clone(),
            number(line.value),
            number(line.std),
            count(line.n_generated),
            count(line.n_real),
        ]);
    }
    table::align_right(&mut table, 2..6);
    let of_pairs: Vec<(&Line, &[Option<f64>])> = lines
        .iter()
        .filter_map(|line| Some((line, line.per_sample.as_deref()?)))
        .collect();
    let (Some(names), false) = (names, of_pairs.is_empty()) else {
        return table.to_string();
    };
    let titles = of_pairs
        .iter()
        .map(|(line, _)| format!("{} {}", line.metric, line.variant));
    let mut single = table::with_header(["picture".to_owned()].into_iter().chain(titles));
    for (index, name) in names.iter().enumerate() {
        let values = of_pairs.iter().map(|(_, values)| number(values[index]));
        single.add_row([name.clone()].into_iter().chain(values));
    }
    table::align_right(&mut single, 1..of_pairs.len() + 1);
    format!("{table}\n{single}")
}
