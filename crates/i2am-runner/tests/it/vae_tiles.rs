//! The autoencoder in tiles beside itself in one piece, on the trained one of the small Paint-by-Example.

use std::f64::consts::TAU;

use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::{Tiles, Vae, VaeConfig};
use i2am_nets::{CheckpointSource, Precision, Scope};
use i2am_testkit::workspace_root;
use tch::{Device, Kind, Tensor};

use crate::common::values;

const HEIGHT: i64 = 96;
const WIDTH: i64 = 128;

fn trained() -> Vae {
    let folder = workspace_root().join("datasets/zoo/paint-by-example");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let source = CheckpointSource::new(&checkpoint, Precision::F32, Device::Cpu);
    let config = VaeConfig::of(&checkpoint).unwrap();
    Vae::new(&Scope::root(&source, "vae"), config)
}

/// Stripes that grow finer to the right, darker to the bottom, and a bright disc: no two tiles have the same statistics.
fn picture() -> Tensor {
    let value = |channel: i64, y: i64, x: i64| {
        let (v, u) = (y as f64 / HEIGHT as f64, x as f64 / WIDTH as f64);
        let stripes = (TAU * (3.0 + 6.0 * u) * u + 2.0 * channel as f64).sin();
        let disc = (v - 0.4).hypot(u - 0.6) < 0.2;
        let level = 0.4 * stripes * (1.0 - v) + 0.5 * (0.5 - v);
        (if disc {
            0.8 - 0.3 * channel as f64
        } else {
            level
        }) as f32
    };
    let values: Vec<f32> = (0..3)
        .flat_map(|c| (0..HEIGHT).flat_map(move |y| (0..WIDTH).map(move |x| value(c, y, x))))
        .collect();
    Tensor::from_slice(&values).reshape([1, 3, HEIGHT, WIDTH])
}

/// How much more `tiled` jumps than `whole` across the columns and rows that begin a tile, mean over them.
fn seams(tiled: &Tensor, whole: &Tensor, tile: i64) -> f64 {
    let jumps = |x: &Tensor, side: i64| {
        let length = x.size()[side as usize];
        let starts: Vec<i64> = (tile..length).step_by(tile as usize).collect();
        let after = Tensor::from_slice(&starts);
        x.index_select(side, &after) - x.index_select(side, &(after - 1))
    };
    let more = [2, 3].map(|side| {
        let off = (jumps(tiled, side) - jumps(whole, side)).abs();
        off.mean(Kind::Double).double_value(&[])
    });
    f64::midpoint(more[0], more[1])
}

#[test]
fn a_picture_that_fits_is_not_cut() {
    let _guard = tch::no_grad_guard();
    let vae = trained();
    let tiles = Tiles {
        encoder: WIDTH - 16,
        encoder_border: 8,
        decoder: WIDTH / vae.config().factor() - 8,
        decoder_border: 4,
    };
    let latent = vae.encode(&picture()).mean;
    let tiled = vae.encode_tiled(&picture(), &tiles).mean;
    assert_eq!(values(&latent), values(&tiled));
    let (whole, tiled) = (vae.decode(&latent), vae.decode_tiled(&latent, &tiles));
    assert_eq!(values(&whole), values(&tiled));
}

/// Tiles of 32 pixels, a third and a quarter of the picture's sides. Mean jumps that are not in the picture in one piece were measured,
/// decoded, as 0.0056 (a level of a byte is 0.0078) and, encoded, as 0.038 of the latent's spread; without borders as 0.105 and 0.196,
/// and by each tile's own statistics as 0.0115 and 0.048.
#[test]
fn tiles_have_no_seams() {
    let _guard = tch::no_grad_guard();
    let vae = trained();
    let factor = vae.config().factor();
    let latent = vae.encode(&picture()).mean;
    let whole = vae.decode(&latent);
    let spread = latent.std(false).double_value(&[]);
    let measure = |border: i64| {
        let tiles = Tiles {
            encoder: 32,
            encoder_border: border * factor,
            decoder: 32 / factor,
            decoder_border: border,
        };
        let encoded = vae.encode_tiled(&picture(), &tiles).mean;
        let decoded = vae.decode_tiled(&latent, &tiles);
        assert_eq!(encoded.size(), latent.size());
        assert_eq!(decoded.size(), whole.size());
        (
            seams(&encoded, &latent, 32 / factor) / spread,
            seams(&decoded, &whole, 32),
        )
    };
    let ((encoded, decoded), (encoded_bare, decoded_bare)) = (measure(8), measure(0));
    assert!(encoded < 0.043, "encoded: {encoded}");
    assert!(decoded < 0.0078, "decoded: {decoded}");
    assert!(encoded_bare > 3.0 * encoded && decoded_bare > 10.0 * decoded);
}
