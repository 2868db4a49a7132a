//! What torch's generator on the CPU draws, so that a seeded score is the same as the Python tool's. The generator of libtorch itself
//! belongs to the whole process, and is left alone.

use std::f64::consts::TAU;

use rand_mt::Mt;

/// `torch.Generator("cpu").manual_seed(seed)`.
pub(crate) struct Generator(Mt);

/// Numbers that are made normal together: half of them give lengths, half give angles.
const BLOCK: usize = 16;

impl Generator {
    pub(crate) fn new(seed: u32) -> Self {
        Self(Mt::new(seed))
    }

    /// `randperm(count)`.
    pub(crate) fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for place in 0..count.saturating_sub(1) {
            let drawn = self.0.next_u32() as usize % (count - place);
            order.swap(place, place + drawn);
        }
        order
    }

    /// `randn(count)` of 32-bit floats, up to the rounding of torch's own logarithm and cosine.
    ///
    /// # Panics
    /// If `count` is below 16: torch draws so few in another way.
    pub(crate) fn normal(&mut self, count: usize) -> Vec<f64> {
        assert!(count >= BLOCK, "torch draws fewer numbers in another way");
        let mut drawn: Vec<f64> = (0..count).map(|_| self.uniform()).collect();
        let whole = count - count % BLOCK;
        drawn[..whole].chunks_exact_mut(BLOCK).for_each(make_normal);
        if whole < count {
            // What is left over is drawn again, with some of the block before it.
            let last = &mut drawn[count - BLOCK..];
            last.fill_with(|| self.uniform());
            make_normal(last);
        }
        drawn
    }

    /// 24 bits in `[0, 1)`.
    fn uniform(&mut self) -> f64 {
        const STEPS: u32 = 1 << 24;
        f64::from(self.0.next_u32() % STEPS) / f64::from(STEPS)
    }
}

/// Box and Muller's pairs: a length and an angle become two coordinates.
fn make_normal(block: &mut [f64]) {
    let (lengths, angles) = block.split_at_mut(BLOCK / 2);
    for (length, angle) in lengths.iter_mut().zip(angles) {
        let radius = (-2.0 * (1.0 - *length).ln()).sqrt();
        let (sine, cosine) = (TAU * *angle).sin_cos();
        (*length, *angle) = (radius * cosine, radius * sine);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use i2am_testkit::fixtures;

    use super::*;

    #[test]
    fn draws_what_torch_draws() {
        let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
        for folder in fixtures(place, "features") {
            let drawn = folder.tensors("drawn");
            for (name, _) in drawn.iter().filter(|(name, _)| name.contains('.')) {
                let (kind, count) = name.split_once('.').expect("a kind and a count");
                let count = count.parse().expect("a count");
                if kind == "randperm" {
                    let found = Generator::new(2020).permutation(count);
                    let expected = drawn.i64(name).into_iter().map(|row| row as usize);
                    assert_eq!(found, expected.collect::<Vec<_>>(), "{name}");
                } else {
                    let found = Generator::new(2020).normal(count);
                    for (found, expected) in found.iter().zip(drawn.f32(name)) {
                        let off = (found - f64::from(expected)).abs();
                        assert!(off < 1e-5, "{name}: {found}, {expected}");
                    }
                }
            }
        }
    }
}
