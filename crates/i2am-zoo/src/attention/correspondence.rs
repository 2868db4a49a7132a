//! Attention to where the cloth of a position really comes from, which synthetic samples know.
//!
//! The loss is the cross-entropy of every head's attention with the true place. A checkpoint trained so is a positive control: its
//! attention is right because it was told what is right, so a score that measures whether attention is right must say so.

use i2am_nets::{Observation, Role, Segment};
use tch::{Kind, Tensor};

/// Mean over heads and over the positions of which at least half of the cell has a known place. A place between cells is shared
/// linearly among the four next to it. `places` as for [`super::Wanted::Places`].
///
/// Where other keys compete, only the reference's own softmax is compared: how much is read from there is not.
pub(super) fn loss(seen: &Observation<'_>, grid: (i64, i64), places: &Tensor) -> Tensor {
    let (rows, columns) = grid;
    let (asking, (height, width)) = seen.generated().expect("the positions ask");
    let mut keys = seen.keys.iter();
    let asked =
        keys.find(|keys| keys.role == Role::Reference(0) && keys.places.grid() == Some(grid));
    let asked = asked.expect("the reference has places");
    let part = |x: &Tensor, of: &Segment| x.narrow(2, of.tokens.start, of.count());
    let (query, key) = (part(seen.query, asking), part(seen.key, asked));
    // Means over the known part of each cell; the third channel is how large that is.
    let known = places.narrow(1, 2, 1);
    let weighted = Tensor::cat(&[&(places.narrow(1, 0, 2) * &known), &known], 1)
        .adaptive_avg_pool2d([height, width])
        .flatten(2, 3)
        .transpose(1, 2);
    let share = weighted.narrow(2, 2, 1);
    let place = weighted.narrow(2, 0, 2) / share.clamp_min(1e-6);
    // Distance to the centers of the cells along one axis, `[batch, positions, length]`, as 1 at the center and 0 one cell away.
    let near = |axis: i64, length: i64| {
        let at = (place.narrow(2, axis, 1) * length as f64 - 0.5).clamp(0.0, (length - 1) as f64);
        let cells = Tensor::arange(length, (Kind::Float, place.device()));
        (-(at - cells).abs() + 1.0).clamp_min(0.0)
    };
    let target = (near(0, rows).unsqueeze(3) * near(1, columns).unsqueeze(2)).flatten(2, 3);
    let logits = query.matmul(&key.transpose(2, 3)) * seen.scale;
    let log = logits.log_softmax(3, Kind::Float);
    // `[batch, heads, positions]`
    let crossed = -(log * target.unsqueeze(1)).sum_dim_intlist([3].as_slice(), false, Kind::Float);
    let counted = share
        .squeeze_dim(2)
        .ge(0.5)
        .to_kind(Kind::Float)
        .unsqueeze(1);
    let heads = crossed.size()[1] as f64;
    (crossed * &counted).sum(Kind::Float) / (counted.sum(Kind::Float) * heads).clamp_min(1.0)
}
