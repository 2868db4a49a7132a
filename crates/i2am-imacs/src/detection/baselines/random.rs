use i2am_imaging::BoundingBox;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::BoxSeed;

/// Share of the picture.
const AREA: [f64; 2] = [0.1, 0.3];
/// Width to height.
const PROPORTIONS: [f64; 2] = [0.5, 2.0];

/// A box of whole pixels inside a picture of this height and width: sides cut down to pixels and to the picture's sides, then
/// placed anywhere.
pub(super) fn random([height, width]: [usize; 2], seed: BoxSeed<'_>) -> BoundingBox {
    let mut dice = generator(seed);
    let area = (height * width) as f64 * between(&mut dice, AREA);
    let proportions = between(&mut dice, PROPORTIONS);
    let rows = (area / proportions).sqrt() as usize;
    let columns = (proportions * rows as f64) as usize;
    let (rows, columns) = (rows.clamp(1, height), columns.clamp(1, width));
    let place = [height - rows, width - columns].map(|room| {
        let place = (unit(&mut dice) * (room + 1) as f64) as usize;
        place.min(room)
    });
    BoundingBox::of_pixels(place, [rows, columns])
}

fn between(dice: &mut ChaCha8Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * unit(dice)
}

/// Uniform in `[0, 1)`, 53 bits; made here so that no release of a library can change it.
fn unit(dice: &mut ChaCha8Rng) -> f64 {
    (dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// `ChaCha8` seeded by the SHA-256 of the seed and the names, each with its length.
fn generator(seed: BoxSeed<'_>) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.seed.to_le_bytes());
    for part in [seed.dataset, seed.sample, "random box"] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "edges of whole pixels are exact")]
mod tests {
    use super::*;

    fn boxes(size: [usize; 2]) -> Vec<BoundingBox> {
        let seed = |index: u64| BoxSeed {
            seed: index,
            dataset: "coco-detection",
            sample: "000000000139",
        };
        (0..2000).map(|index| random(size, seed(index))).collect()
    }

    #[test]
    fn boxes_keep_to_their_ranges_and_fill_them() {
        let whole = BoundingBox::whole([480, 640]);
        let found = boxes([480, 640]);
        for found in &found {
            assert!(found.x + found.width <= 640.0 && found.y + found.height <= 480.0);
            let share = found.area() / whole.area();
            assert!((0.098..0.301).contains(&share), "{share}");
            let proportions = found.width / found.height;
            assert!((0.49..2.01).contains(&proportions), "{proportions}");
        }
        let mean = found.iter().map(BoundingBox::area).sum::<f64>() / 2000.0;
        let share = mean / whole.area();
        assert!((share - 0.2).abs() < 0.005, "{share}");
        let touches = |edge: fn(&BoundingBox) -> bool| found.iter().any(edge);
        assert!(touches(|b| b.x == 0.0) && touches(|b| b.x + b.width == 640.0));
        assert!(touches(|b| b.y == 0.0) && touches(|b| b.y + b.height == 480.0));
    }

    #[test]
    fn small_and_narrow_pictures_hold_their_boxes() {
        for [height, width] in [[1, 1], [2, 90], [90, 2]] {
            for found in boxes([height, width]) {
                assert!(found.area() >= 1.0);
                assert!(found.x + found.width <= width as f64);
                assert!(found.y + found.height <= height as f64);
            }
        }
    }

    #[test]
    fn every_name_counts() {
        let seed = BoxSeed {
            seed: 1,
            dataset: "set",
            sample: "a",
        };
        let size = [480, 640];
        assert_eq!(random(size, seed), random(size, seed));
        for other in [
            BoxSeed { seed: 2, ..seed },
            BoxSeed {
                dataset: "other",
                ..seed
            },
            BoxSeed {
                sample: "b",
                ..seed
            },
        ] {
            assert_ne!(random(size, seed), random(size, other), "{other:?}");
        }
    }
}
