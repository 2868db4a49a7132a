//! What queries that are not of the generated image read of the references: the tokens of a prompt hand on what they have read.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::joint::{Changed, rows_of};

/// The mean share that the keys of every reference have of what the queries `rows` read, `[heads]` each.
///
/// # Shapes
/// `query` `[heads, queries, d]`, scaled; `key` `[heads, keys, d]`; `columns` are the keys of the references; `changed` is about all queries.
pub(super) fn mean_shares(
    query: &Tensor,
    key: &Tensor,
    rows: &Range<i64>,
    columns: &[Range<i64>],
    changed: Changed<'_>,
) -> Vec<Tensor> {
    let (start, count) = (rows.start, rows.end - rows.start);
    let of_head = |head: i64| {
        let own = |x: &Tensor| rows_of(&x.narrow(0, head.min(x.size()[0] - 1), 1), start, count);
        let query = query.select(0, head).narrow(0, start, count);
        let scores = query.matmul(&key.select(0, head).transpose(0, 1));
        let scores = match changed.allowed {
            None => scores,
            Some(allowed) => scores.masked_fill(&own(allowed).logical_not(), f64::NEG_INFINITY),
        };
        let shares = scores.softmax(-1, Kind::Float);
        let shares = match changed.weakened {
            None => shares,
            Some(factors) => shares * own(factors),
        };
        let mean = shares.mean_dim([0_i64].as_slice(), false, Kind::Float);
        let share = |columns: &Range<i64>| {
            let own = mean.narrow(0, columns.start, columns.end - columns.start);
            own.sum(Kind::Float)
        };
        columns.iter().map(share).collect::<Vec<_>>()
    };
    let heads: Vec<Vec<Tensor>> = (0..query.size()[0]).map(of_head).collect();
    let of_reference = |index: usize| {
        let own: Vec<&Tensor> = heads.iter().map(|shares| &shares[index]).collect();
        Tensor::stack(&own, 0)
    };
    (0..columns.len()).map(of_reference).collect()
}
