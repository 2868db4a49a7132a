//! The blocks, named A to E as in torchvision. Branches are joined in the order of their fields.

use tch::Tensor;

use super::conv::{Builder, Conv};

fn join(branches: &[Tensor]) -> Tensor {
    Tensor::cat(branches, 1)
}

/// 3×3 mean that leaves the padding out, as TensorFlow's does.
fn average_pool(x: &Tensor) -> Tensor {
    x.avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None)
}

/// 3×3 maximum, stride 2.
pub(super) fn max_pool(x: &Tensor) -> Tensor {
    x.max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)
}

fn chain(convs: &[Conv], x: &Tensor) -> Tensor {
    convs
        .iter()
        .fold(x.shallow_clone(), |x, conv| conv.forward(&x))
}

/// 35×35.
#[derive(Debug)]
pub(super) struct A {
    branch1x1: Conv,
    branch5x5: [Conv; 2],
    branch3x3dbl: [Conv; 3],
    branch_pool: Conv,
}

impl A {
    pub(super) fn new(b: &Builder<'_>, inputs: i64, pool: i64) -> Self {
        Self {
            branch1x1: b.same("branch1x1", inputs, 64, [1, 1]),
            branch5x5: [
                b.same("branch5x5_1", inputs, 48, [1, 1]),
                b.same("branch5x5_2", 48, 64, [5, 5]),
            ],
            branch3x3dbl: [
                b.same("branch3x3dbl_1", inputs, 64, [1, 1]),
                b.same("branch3x3dbl_2", 64, 96, [3, 3]),
                b.same("branch3x3dbl_3", 96, 96, [3, 3]),
            ],
            branch_pool: b.same("branch_pool", inputs, pool, [1, 1]),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        join(&[
            self.branch1x1.forward(x),
            chain(&self.branch5x5, x),
            chain(&self.branch3x3dbl, x),
            self.branch_pool.forward(&average_pool(x)),
        ])
    }
}

/// 35×35 to 17×17.
#[derive(Debug)]
pub(super) struct B {
    branch3x3: Conv,
    branch3x3dbl: [Conv; 3],
}

impl B {
    pub(super) fn new(b: &Builder<'_>, inputs: i64) -> Self {
        Self {
            branch3x3: b.valid("branch3x3", inputs, 384, 2),
            branch3x3dbl: [
                b.same("branch3x3dbl_1", inputs, 64, [1, 1]),
                b.same("branch3x3dbl_2", 64, 96, [3, 3]),
                b.valid("branch3x3dbl_3", 96, 96, 2),
            ],
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        join(&[
            self.branch3x3.forward(x),
            chain(&self.branch3x3dbl, x),
            max_pool(x),
        ])
    }
}

/// 17×17, with 7×7 convolutions taken apart.
#[derive(Debug)]
pub(super) struct C {
    branch1x1: Conv,
    branch7x7: [Conv; 3],
    branch7x7dbl: [Conv; 5],
    branch_pool: Conv,
}

impl C {
    pub(super) fn new(b: &Builder<'_>, inner: i64) -> Self {
        let inputs = 768;
        Self {
            branch1x1: b.same("branch1x1", inputs, 192, [1, 1]),
            branch7x7: [
                b.same("branch7x7_1", inputs, inner, [1, 1]),
                b.same("branch7x7_2", inner, inner, [1, 7]),
                b.same("branch7x7_3", inner, 192, [7, 1]),
            ],
            branch7x7dbl: [
                b.same("branch7x7dbl_1", inputs, inner, [1, 1]),
                b.same("branch7x7dbl_2", inner, inner, [7, 1]),
                b.same("branch7x7dbl_3", inner, inner, [1, 7]),
                b.same("branch7x7dbl_4", inner, inner, [7, 1]),
                b.same("branch7x7dbl_5", inner, 192, [1, 7]),
            ],
            branch_pool: b.same("branch_pool", inputs, 192, [1, 1]),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        join(&[
            self.branch1x1.forward(x),
            chain(&self.branch7x7, x),
            chain(&self.branch7x7dbl, x),
            self.branch_pool.forward(&average_pool(x)),
        ])
    }
}

/// 17×17 to 8×8.
#[derive(Debug)]
pub(super) struct D {
    branch3x3: [Conv; 2],
    branch7x7x3: [Conv; 4],
}

impl D {
    pub(super) fn new(b: &Builder<'_>) -> Self {
        let inputs = 768;
        Self {
            branch3x3: [
                b.same("branch3x3_1", inputs, 192, [1, 1]),
                b.valid("branch3x3_2", 192, 320, 2),
            ],
            branch7x7x3: [
                b.same("branch7x7x3_1", inputs, 192, [1, 1]),
                b.same("branch7x7x3_2", 192, 192, [1, 7]),
                b.same("branch7x7x3_3", 192, 192, [7, 1]),
                b.valid("branch7x7x3_4", 192, 192, 2),
            ],
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        join(&[
            chain(&self.branch3x3, x),
            chain(&self.branch7x7x3, x),
            max_pool(x),
        ])
    }
}

/// How the last branch of an E block pools. The published graph takes the mean in the first and the maximum in the second.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pool {
    Average,
    Max,
}

/// 8×8.
#[derive(Debug)]
pub(super) struct E {
    branch1x1: Conv,
    branch3x3_1: Conv,
    branch3x3_2: [Conv; 2],
    branch3x3dbl: [Conv; 2],
    branch3x3dbl_3: [Conv; 2],
    pool: Pool,
    branch_pool: Conv,
}

impl E {
    pub(super) fn new(b: &Builder<'_>, inputs: i64, pool: Pool) -> Self {
        Self {
            branch1x1: b.same("branch1x1", inputs, 320, [1, 1]),
            branch3x3_1: b.same("branch3x3_1", inputs, 384, [1, 1]),
            branch3x3_2: [
                b.same("branch3x3_2a", 384, 384, [1, 3]),
                b.same("branch3x3_2b", 384, 384, [3, 1]),
            ],
            branch3x3dbl: [
                b.same("branch3x3dbl_1", inputs, 448, [1, 1]),
                b.same("branch3x3dbl_2", 448, 384, [3, 3]),
            ],
            branch3x3dbl_3: [
                b.same("branch3x3dbl_3a", 384, 384, [1, 3]),
                b.same("branch3x3dbl_3b", 384, 384, [3, 1]),
            ],
            pool,
            branch_pool: b.same("branch_pool", inputs, 192, [1, 1]),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let fork = |convs: &[Conv; 2], x: &Tensor| convs.each_ref().map(|conv| conv.forward(x));
        let [a, b] = fork(&self.branch3x3_2, &self.branch3x3_1.forward(x));
        let [c, d] = fork(&self.branch3x3dbl_3, &chain(&self.branch3x3dbl, x));
        let pooled = match self.pool {
            Pool::Average => average_pool(x),
            Pool::Max => x.max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false),
        };
        join(&[
            self.branch1x1.forward(x),
            a,
            b,
            c,
            d,
            self.branch_pool.forward(&pooled),
        ])
    }
}
