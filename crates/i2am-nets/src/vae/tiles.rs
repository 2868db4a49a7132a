//! Large pictures in tiles, so that the memory of a pass does not grow with the picture.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::halves::Normalize;
use super::{Posterior, Vae};
use crate::layers::{GroupNorm, Statistics};

/// Sizes of tiles, per side.
///
/// A map is cut into tiles that are computed with a border of their neighbors, which is cut off again. Every normalization takes
/// its statistics from one pass over the whole map, thinned out to the size of a tile, so that all tiles are normalized alike;
/// but for that, and for the attention in the middle, which sees one tile, a tile is what it would be in the whole map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tiles {
    /// Of the encoder, in pixels.
    pub encoder: i64,
    /// Its border.
    pub encoder_border: i64,
    /// Of the decoder, in cells of the latent.
    pub decoder: i64,
    /// Its border.
    pub decoder_border: i64,
}

impl Default for Tiles {
    /// Those of the published PASD.
    fn default() -> Self {
        Self {
            encoder: 1024,
            encoder_border: 32,
            decoder: 224,
            decoder_border: 11,
        }
    }
}

impl Tiles {
    /// What is wrong with them for an autoencoder of `factor` pixels per cell: the key, what is expected, what was found.
    pub fn fault(&self, factor: i64) -> Option<(&'static str, String, i64)> {
        let expected =
            |least: i64, multiple: i64| format!("{least} or more, a multiple of {multiple}");
        let all = [
            ("model.tiles.encoder", self.encoder, factor, factor),
            ("model.tiles.encoder_border", self.encoder_border, 0, factor),
            ("model.tiles.decoder", self.decoder, 1, 1),
            ("model.tiles.decoder_border", self.decoder_border, 0, 1),
        ];
        all.into_iter()
            .find(|&(_, found, least, multiple)| found < least || found % multiple != 0)
            .map(|(key, found, least, multiple)| (key, expected(least, multiple), found))
    }
}

/// A run of positions along one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: i64,
    end: i64,
}

impl Run {
    fn length(self) -> i64 {
        self.end - self.start
    }
}

/// `[0, side)` in equal runs of at most `tile` (which is a multiple of `multiple`), each with the run that is computed for it.
fn runs(side: i64, tile: i64, border: i64, multiple: i64) -> Vec<(Run, Run)> {
    let count = (side + tile - 1) / tile;
    let even = (side + count - 1) / count;
    let length = (even + multiple - 1) / multiple * multiple;
    let run = |start: i64| {
        let own = Run {
            start,
            end: (start + length).min(side),
        };
        let with_border = Run {
            start: (own.start - border).max(0),
            end: (own.end + border).min(side),
        };
        (own, with_border)
    };
    (0..side).step_by(length as usize).map(run).collect()
}

/// One half of an autoencoder over the tiles of a map.
struct Tiled<'a> {
    tile: i64,
    border: i64,
    /// Cells of the input that belong together: tiles begin at a multiple of it.
    multiple: i64,
    /// Length in the output of a length in the input.
    scale: fn(i64, i64) -> i64,
    factor: i64,
    pass: &'a dyn Fn(&Tensor, Normalize<'_>) -> Tensor,
}

impl Tiled<'_> {
    fn fits(&self, x: &Tensor) -> bool {
        let size = x.size();
        size[2].max(size[3]) <= self.tile + 2 * self.border
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let statistics = self.statistics(x);
        let (height, width) = (x.size()[2], x.size()[3]);
        let runs = |side: i64| runs(side, self.tile, self.border, self.multiple);
        let rows = runs(height).into_iter().map(|(own, computed)| {
            let strip = x.narrow(2, computed.start, computed.length());
            let tiles = runs(width).into_iter().map(|(across, with_border)| {
                let tile = strip.narrow(3, with_border.start, with_border.length());
                let mut known = statistics.iter();
                let done = (self.pass)(&tile, &mut |norm, x| {
                    let known = known
                        .next()
                        .expect("every pass asks the same normalizations");
                    norm.forward_by(x, known)
                });
                let down = self.cut(&done, 2, own, computed);
                self.cut(&down, 3, across, with_border)
            });
            Tensor::cat(&tiles.collect::<Vec<_>>(), 3)
        });
        Tensor::cat(&rows.collect::<Vec<_>>(), 2)
    }

    /// The part of `done`, computed for `computed`, that is `own`'s.
    fn cut(&self, done: &Tensor, side: i64, own: Run, computed: Run) -> Tensor {
        let to_output = |length: i64| (self.scale)(length, self.factor);
        let start = to_output(own.start - computed.start);
        done.narrow(side, start, to_output(own.length()))
    }

    /// Of every normalization, from single positions of `x` at equal distances: means over neighbors would be spread less than `x` is.
    fn statistics(&self, x: &Tensor) -> Vec<Statistics> {
        let size = x.size();
        let thinned = |side: i64| {
            let share = self.tile as f64 / size[2].max(size[3]) as f64;
            let side = (side as f64 * share / self.multiple as f64).round() as i64;
            side.max(1) * self.multiple
        };
        let few = x.upsample_nearest2d([thinned(size[2]), thinned(size[3])], None, None);
        let mut statistics = Vec::new();
        let _ = (self.pass)(&few, &mut |norm: &GroupNorm, x| {
            let own = norm.statistics(x);
            let done = norm.forward_by(x, &own);
            statistics.push(own);
            done
        });
        statistics
    }
}

impl Vae {
    /// [`Vae::encode`] in tiles; the same where `x` is not larger than one with its borders.
    pub fn encode_tiled(&self, x: &Tensor, tiles: &Tiles) -> Posterior {
        let factor = self.config().factor();
        let tiled = Tiled {
            tile: tiles.encoder,
            border: tiles.encoder_border,
            multiple: factor,
            scale: |length, factor| length / factor,
            factor,
            pass: &|x, normalize| self.moments_with(x, normalize),
        };
        if tiled.fits(x) {
            return self.encode(x);
        }
        Posterior::of_moments(&tiled.forward(x))
    }

    /// [`Vae::decode`] in tiles; the same where `z` is not larger than one with its borders.
    pub fn decode_tiled(&self, z: &Tensor, tiles: &Tiles) -> Tensor {
        let tiled = Tiled {
            tile: tiles.decoder,
            border: tiles.decoder_border,
            multiple: 1,
            scale: |length, factor| length * factor,
            factor: self.config().factor(),
            pass: &|z, normalize| self.decode_with(z, normalize),
        };
        if tiled.fits(z) {
            return self.decode(z);
        }
        tiled.forward(z)
    }
}

#[cfg(test)]
mod tests {
    use super::{Run, Tiles, runs};

    /// Whatever the side: the own runs follow each other, none is longer than a tile, none is computed with more than its borders.
    #[test]
    fn runs_cover_a_side_once() {
        for side in (8..400).step_by(8) {
            let runs = runs(side, 64, 16, 8);
            let mut next = 0;
            for (own, computed) in runs {
                assert_eq!((own.start, own.start % 8), (next, 0));
                assert!(
                    own.length() <= 64 && computed.length() <= 96,
                    "{own:?} {computed:?}"
                );
                assert!(computed.start <= own.start && own.end <= computed.end);
                assert_eq!(computed.start % 8, 0);
                next = own.end;
            }
            assert_eq!(next, side);
        }
    }

    #[test]
    fn runs_are_of_equal_length() {
        let [first, second] = runs(100, 64, 10, 1)[..] else {
            panic!("two runs");
        };
        let run = |start, end| Run { start, end };
        assert_eq!(first, (run(0, 50), run(0, 60)));
        assert_eq!(second, (run(50, 100), run(40, 100)));
    }

    #[test]
    fn faults_are_named() {
        let published = Tiles::default();
        assert_eq!(published.fault(8), None);
        let odd = Tiles {
            encoder: 1020,
            ..published.clone()
        };
        let (key, expected, found) = odd.fault(8).unwrap();
        assert_eq!(
            (key, expected.as_str(), found),
            ("model.tiles.encoder", "8 or more, a multiple of 8", 1020)
        );
        let none = Tiles {
            decoder: 0,
            ..published
        };
        assert_eq!(none.fault(8).unwrap().0, "model.tiles.decoder");
    }
}
