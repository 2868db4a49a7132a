//! The subsets that `NumPy` draws, so that a seeded score is the same as the Python tool's.

use rand_mt::Mt;

/// `numpy.random.RandomState`.
pub(crate) struct RandomState(Mt);

impl RandomState {
    pub(crate) fn new(seed: u32) -> Self {
        Self(Mt::new(seed))
    }

    /// `choice(count, size, replace=False)`: the start of a permutation.
    pub(crate) fn choose(&mut self, count: usize, size: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.up_to(last as u32) as usize);
        }
        order.truncate(size);
        order
    }

    /// Uniform over `0..=most`, by taking as many bits as `most` has until they are not above it.
    fn up_to(&mut self, most: u32) -> u32 {
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let drawn = self.0.next_u32() & mask;
            if drawn <= most {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.4.6: `r = RandomState(2020); r.choice(10, 4, replace=False), r.choice(7, 7, replace=False)`.
    #[test]
    fn draws_what_numpy_draws() {
        let mut state = RandomState::new(2020);
        assert_eq!(state.choose(10, 4), [2, 4, 9, 1]);
        assert_eq!(state.choose(7, 7), [4, 3, 1, 2, 5, 6, 0]);
    }
}
