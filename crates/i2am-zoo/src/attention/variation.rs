//! `StableVITON`'s attention total variation (Kim et al. 2024, section 3.3).
//!
//! The center of a position's attention is the mean place in the reference that it attends to. Where a garment is worn, neighbours
//! should attend to neighbouring places; the loss is the mean absolute step of the center from one position to the next.
//!
//! It knows no mask of the reference, which is what IMACS scores against: a model trained towards the score could not tell whether
//! the score follows quality.

use i2am_nets::Observation;
use i2am_nets::layers::attend;
use tch::{Kind, Tensor};

/// On the positions whose share in `worn`, `[batch, 1, h, w]`, is at least one half.
pub(super) fn loss(
    seen: &Observation<'_>,
    (height, width): (i64, i64),
    grid: (i64, i64),
    worn: &Tensor,
) -> Tensor {
    let centers = centers(seen, (height, width), grid);
    let worn = worn.adaptive_avg_pool2d([height, width]).ge(0.5);
    variation(&centers, &worn.to_kind(Kind::Float))
}

/// Mean place attended to, over heads: `[batch, 2, H, W]`, rows and columns of the reference from -1 to 1.
fn centers(
    seen: &Observation<'_>,
    (height, width): (i64, i64),
    (rows, columns): (i64, i64),
) -> Tensor {
    let options = (Kind::Float, seen.query.device());
    let axis = |length: i64| Tensor::linspace(-1.0, 1.0, length, options);
    let places = Tensor::stack(
        &Tensor::meshgrid_indexing(&[axis(rows), axis(columns)], "ij"),
        2,
    );
    let size = seen.key.size();
    let places = places
        .reshape([1, 1, rows * columns, 2])
        .expand([size[0], size[1], rows * columns, 2], false);
    // Attention whose values are places; `attend` scales as the layer does.
    attend(seen.query, seen.key, &places)
        .reshape([size[0], height, width, size[1], 2])
        .mean_dim([3].as_slice(), false, Kind::Float)
        .permute([0, 3, 1, 2])
}

/// Mean absolute difference of neighbours, sideways and downwards, where both are in `mask` `[batch, 1, H, W]`.
fn variation(centers: &Tensor, mask: &Tensor) -> Tensor {
    let along = |axis: i64| {
        let length = centers.size()[axis as usize];
        let (first, second) = (
            |x: &Tensor| x.narrow(axis, 0, length - 1),
            |x: &Tensor| x.narrow(axis, 1, length - 1),
        );
        let both = first(mask) * second(mask);
        let steps = (second(centers) - first(centers)).abs() * &both;
        steps.sum(Kind::Float) / both.sum(Kind::Float).clamp_min(1.0)
    };
    along(2) + along(3)
}
