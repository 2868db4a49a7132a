//! Attention near the matching place, picked out of each softmax while it is there.
//!
//! Which pairs of a position and a token are near depends on the two grids only ([`near_pairs`]). They are some `(2 r + 1)²` a
//! position, so that picking them costs little compared with the softmax, and no more than their shares is ever kept.

use std::rc::Rc;

use i2am_attribution::{Grid, Near, near_pairs};
use tch::{Device, Kind, Tensor};

/// The pairs of a layer, in the orders in which softmaxes are walked through.
#[derive(Debug)]
pub(super) struct LayerPairs {
    /// Positions look at tokens: `[positions, tokens]`.
    pub(super) g2r: Pairs,
    /// Tokens look at positions: `[tokens, positions]`.
    pub(super) r2g: Pairs,
    /// The same pairs in a `[positions, tokens]` softmax.
    pub(super) r2g_by_position: Pairs,
    /// The pairs of `g2r` in a `[tokens, positions]` softmax.
    pub(super) g2r_by_token: Pairs,
    rings: i64,
}

impl LayerPairs {
    pub(super) fn new([generated, reference]: [Grid; 2], radii: &[usize], device: Device) -> Self {
        let of = |from: Grid, onto: Grid| {
            let pairs = near_pairs(from, onto, radii).into_iter();
            pairs.map(|pair| [pair.from, pair.onto, pair.ring])
        };
        let size = [generated.len(), reference.len()];
        let [g2r, r2g]: [Vec<[usize; 3]>; 2] =
            [of(generated, reference), of(reference, generated)].map(Iterator::collect);
        let turned = |pairs: &[[usize; 3]]| {
            let turned = pairs.iter().map(|&[from, onto, ring]| [onto, from, ring]);
            turned.collect()
        };
        let make = |size, pairs| Pairs::new(size, pairs, radii.len(), device);
        let back = [size[1], size[0]];
        Self {
            r2g_by_position: make(size, turned(&r2g)),
            g2r_by_token: make(back, turned(&g2r)),
            g2r: make(size, g2r),
            r2g: make(back, r2g),
            rings: radii.len() as i64,
        }
    }
}

impl LayerPairs {
    /// Takes from a softmax over tokens.
    pub(super) fn picker_g2r(&self, heads: i64, device: Device) -> Picker<'_> {
        Picker::new(&self.g2r, heads, device)
    }

    /// Takes from a softmax over positions, token by token.
    pub(super) fn picker_r2g(&self, heads: i64, device: Device) -> Picker<'_> {
        Picker::new(&self.r2g, heads, device)
    }
}

/// Cells of a `[rows, columns]` softmax.
#[derive(Debug)]
pub(super) struct Pairs {
    columns: i64,
    /// Row-major, ascending.
    places: Tensor,
    /// Where the places of each row begin, and those of the last end.
    starts: Vec<i64>,
    /// For each ring, which of the places lie in it.
    rings: Vec<Tensor>,
}

impl Pairs {
    /// `pairs` are rows, columns and rings.
    fn new(
        [rows, columns]: [usize; 2],
        mut pairs: Vec<[usize; 3]>,
        rings: usize,
        device: Device,
    ) -> Self {
        pairs.sort_unstable();
        let starts = (0..=rows).map(|row| pairs.partition_point(|pair| pair[0] < row) as i64);
        let places: Vec<i64> = pairs
            .iter()
            .map(|&[row, column, _]| (row * columns + column) as i64)
            .collect();
        let of_ring = |ring: usize| {
            let all = pairs.iter().enumerate();
            let own: Vec<i64> = all
                .filter(|(_, pair)| pair[2] == ring)
                .map(|(index, _)| index as i64)
                .collect();
            Tensor::from_slice(&own).to_device(device)
        };
        Self {
            columns: columns as i64,
            starts: starts.collect(),
            places: Tensor::from_slice(&places).to_device(device),
            rings: (0..rings).map(of_ring).collect(),
        }
    }

    /// The columns of all places, and where those of each row begin.
    pub(super) fn cells(&self) -> Cells<'_> {
        let columns = Vec::<i64>::try_from(self.columns()).expect("places are flat");
        Cells {
            columns: columns.into_iter().map(|column| column as usize).collect(),
            starts: &self.starts,
        }
    }

    /// Row of each place.
    pub(super) fn rows(&self) -> Tensor {
        self.places.divide_scalar_mode(self.columns, "floor")
    }

    /// Column of each place.
    pub(super) fn columns(&self) -> Tensor {
        self.places.remainder(self.columns)
    }

    /// Sums over the places of each ring, `[rings, heads]` f64, of `[heads, places]`. Indexed rather than scattered: the order of
    /// addition is the same every time on every device.
    pub(super) fn sums(&self, picked: &Tensor) -> Tensor {
        let sum = |ring: &Tensor| {
            let own = picked.index_select(1, ring);
            own.sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)
        };
        let sums: Vec<Tensor> = self.rings.iter().map(sum).collect();
        Tensor::stack(&sums, 0)
    }
}

/// The cells of [`Pairs`] for readers without tensors.
pub(super) struct Cells<'a> {
    columns: Vec<usize>,
    starts: &'a [i64],
}

impl Cells<'_> {
    /// The columns of the places in `row`, ascending.
    pub(super) fn row(&self, row: usize) -> &[usize] {
        &self.columns[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

/// What has been picked out of one softmax so far.
pub(super) struct Picker<'a> {
    pairs: &'a Pairs,
    /// `[heads, places]`.
    picked: Tensor,
}

impl<'a> Picker<'a> {
    pub(super) fn new(pairs: &'a Pairs, heads: i64, device: Device) -> Self {
        let picked = Tensor::zeros([heads, pairs.places.size()[0]], (Kind::Float, device));
        Self { pairs, picked }
    }

    /// Takes the places of the rows from `start` on out of `shares`, `[heads, rows, columns]`.
    pub(super) fn take(&self, shares: &Tensor, start: i64) {
        let size = shares.size();
        let (heads, length) = (size[0], size[1]);
        let [first, end] = [start, start + length].map(|row| self.pairs.starts[row as usize]);
        if first == end {
            return;
        }
        let places = self.pairs.places.narrow(0, first, end - first) - start * self.pairs.columns;
        let found = shares.reshape([heads, -1]).index_select(1, &places);
        self.picked.narrow(1, first, end - first).copy_(&found);
    }

    pub(super) fn picked(&self) -> &Tensor {
        &self.picked
    }

    pub(super) fn sums(&self) -> Tensor {
        self.pairs.sums(&self.picked)
    }
}

/// Where the sums of one step go.
pub(super) struct NearSums<'a> {
    pub(super) pairs: &'a LayerPairs,
    /// `[rings, heads]` f64, views of a layer's sums.
    pub(super) r2g: Tensor,
    pub(super) g2r: Tensor,
}

impl<'a> NearSums<'a> {
    /// For the two softmaxes one after the other, in the order of directions.
    pub(super) fn pickers(&self, heads: i64) -> [Picker<'a>; 2] {
        [&self.pairs.r2g, &self.pairs.g2r].map(|pairs| Picker::new(pairs, heads, self.r2g.device()))
    }

    /// Those of one head.
    pub(super) fn of_head(&self, head: i64) -> Self {
        Self {
            pairs: self.pairs,
            r2g: self.r2g.narrow(1, head, 1),
            g2r: self.g2r.narrow(1, head, 1),
        }
    }

    pub(super) fn add(&mut self, r2g: &Tensor, g2r: &Tensor) {
        let _ = self.r2g.g_add_(r2g);
        let _ = self.g2r.g_add_(g2r);
    }
}

/// The running sums of a layer, `[groups, rings, heads]` f64.
pub(super) struct LayerNear {
    pairs: Rc<LayerPairs>,
    r2g: Tensor,
    g2r: Tensor,
}

impl LayerNear {
    pub(super) fn new(pairs: Rc<LayerPairs>, groups: i64, heads: i64, device: Device) -> Self {
        let zeros = || Tensor::zeros([groups, pairs.rings, heads], (Kind::Double, device));
        Self {
            r2g: zeros(),
            g2r: zeros(),
            pairs,
        }
    }

    pub(super) fn group(&self, group: i64) -> NearSums<'_> {
        NearSums {
            pairs: &self.pairs,
            r2g: self.r2g.select(0, group),
            g2r: self.g2r.select(0, group),
        }
    }

    /// The sums within each radius, as a record holds them.
    pub(super) fn record(&self, radii: &[usize]) -> Near {
        let within = |sums: &Tensor| {
            let flat = sums.cumsum(1, Kind::Double).transpose(0, 1).contiguous();
            let flat = flat.to_device(Device::Cpu).view(-1);
            Vec::try_from(flat).expect("a flat f64 tensor is an f64 vector")
        };
        Near {
            radii: radii.to_vec(),
            r2g: within(&self.r2g),
            g2r: within(&self.g2r),
        }
    }
}
