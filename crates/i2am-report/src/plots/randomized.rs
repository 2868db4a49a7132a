//! How alike maps stay while one attention layer after the other gets random weights: mean over samples, with a band.

use std::collections::BTreeMap;

use i2am_quantity::Direction;
use i2am_results::AggregateRow;

use super::curves::{Bands, Point, draw};
use super::{Plot, PlotGroup, model_label};
use crate::run::Run;
use crate::series::slug;

/// The quantity that rows of single layers have.
const SIMILARITY: &str = "randomized_layers_similarity";
/// How rows begin in which layers were added to each other: blue and red.
const ORDERS: [&str; 2] = ["from the output", "from the input"];

/// The points of both orders, by the number of random layers.
type Curves = [BTreeMap<usize, Point>; 2];

/// One plot for each model and moment; none for runs in which no weights were random.
pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for run in runs {
        for model in run.models() {
            let mut found: BTreeMap<&str, BTreeMap<Direction, Curves>> = BTreeMap::new();
            let own = |row: &&AggregateRow| row.model == model && row.metric == SIMILARITY;
            for row in run.aggregate.iter().filter(own) {
                let (Some((order, layers, moment)), Some(direction)) =
                    (place(&row.convention), row.direction)
                else {
                    continue;
                };
                let curves = found.entry(moment).or_default().entry(direction);
                let curves = curves.or_insert_with(|| [0, 1].map(|_| unchanged()));
                if let Some(mean) = row.mean {
                    let [low, high] = run.interval(row).unwrap_or([mean; 2]);
                    curves[order].insert(layers, Point { mean, low, high });
                }
            }
            let label = model_label(runs, run, &model);
            for (moment, directions) in found {
                let title = format!("{label}: maps under random weights, {moment}");
                let remark = "Similarity of ranks by random layers; blue: from the output, red: from the input";
                let panels: Vec<(String, Bands)> = directions
                    .into_iter()
                    .map(|(direction, curves)| (direction.words().to_owned(), curves.map(in_line)))
                    .collect();
                plots.push(Plot {
                    name: format!("randomized_{}_{}", slug(&label), slug(moment)),
                    description: format!("{title}. {remark}"),
                    group: PlotGroup::Truth,
                    drawing: draw(&title, remark, &panels).drawing(),
                });
            }
        }
    }
    plots
}

/// A map with no random layer is the map.
fn unchanged() -> BTreeMap<usize, Point> {
    let same = Point {
        mean: 1.0,
        low: 1.0,
        high: 1.0,
    };
    BTreeMap::from([(0, same)])
}

/// The points up to the first that is missing.
fn in_line(points: BTreeMap<usize, Point>) -> Vec<Point> {
    let points = points.into_iter().enumerate();
    points
        .take_while(|(index, (layers, _))| index == layers)
        .map(|(_, (_, point))| point)
        .collect()
}

/// Which of the orders, how many layers, and `step 4`, of `from the output, 3 of 7, step 4: r2g`.
fn place(convention: &str) -> Option<(usize, usize, &str)> {
    let (what, _) = convention.split_once(": ")?;
    let of_order = |(index, order): (usize, &&str)| {
        let rest = what.strip_prefix(*order)?.strip_prefix(", ")?;
        Some((index, rest))
    };
    let (order, rest) = ORDERS.iter().enumerate().find_map(of_order)?;
    let (layers, rest) = rest.split_once(" of ")?;
    let (_, moment) = rest.split_once(", ")?;
    Some((order, layers.parse().ok()?, moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_order_number_and_moment() {
        let found = place("from the input, 03 of 15, step 4: r2g");
        assert_eq!(found, Some((1, 3, "step 4")));
        assert_eq!(place("from the output, 1 of 2, step 0: g2r").unwrap().0, 0);
        for other in [
            "one layer, step 4: r2g",
            "from the output, x of 2, step 0: g2r",
        ] {
            assert_eq!(place(other), None);
        }
    }

    #[test]
    fn a_curve_ends_before_a_number_of_layers_without_value() {
        let mut points = unchanged();
        for (layers, mean) in [(1, 0.5), (3, 0.25)] {
            let point = Point {
                mean,
                low: mean,
                high: mean,
            };
            points.insert(layers, point);
        }
        let means: Vec<f64> = in_line(points).iter().map(|point| point.mean).collect();
        assert_eq!(means, [1.0, 0.5]);
    }
}
