//! Rows of several samples put together to one batch.

use i2am_nets::vae::Posterior;
use i2am_nets::{Context, Places, Segment, Tokens};
use tch::Tensor;

/// What networks read of one sample, which can be that of several.
pub(super) trait Join: Sized {
    /// That of all `samples`, of which there is at least one; that of one sample is what it was.
    fn join(samples: &[&Self]) -> Self;
}

/// A part of every sample, joined.
pub(super) fn joined<S, T: Join>(samples: &[&S], part: impl Fn(&S) -> &T) -> T {
    let parts: Vec<&T> = samples.iter().map(|sample| part(sample)).collect();
    T::join(&parts)
}

/// As [`joined`], of a part that all samples have or none.
pub(super) fn joined_if_any<S, T: Join>(
    samples: &[&S],
    part: impl Fn(&S) -> Option<&T>,
) -> Option<T> {
    let parts: Option<Vec<&T>> = samples.iter().map(|sample| part(sample)).collect();
    parts.map(|parts| T::join(&parts))
}

/// `[rows, ..]` each: the first rows of all samples, then the second ones. Rows `[without, with]` of a guided pass stay halves.
impl Join for Tensor {
    fn join(samples: &[&Self]) -> Self {
        match samples {
            [one] => one.shallow_clone(),
            several => {
                let rows = several.first().map_or(0, |sample| sample.size()[0]);
                let row = |row: i64| several.iter().map(move |sample| sample.narrow(0, row, 1));
                let all: Vec<Tensor> = (0..rows).flat_map(row).collect();
                Tensor::cat(&all, 0)
            }
        }
    }
}

impl Join for Posterior {
    fn join(samples: &[&Self]) -> Self {
        Self {
            mean: joined(samples, |s| &s.mean),
            log_variance: joined(samples, |s| &s.log_variance),
        }
    }
}

/// What tokens stand for is the same in all samples; of which positions they are made is not.
impl Join for Tokens {
    fn join(samples: &[&Self]) -> Self {
        let segment = |(index, first): (usize, &Segment)| Segment {
            role: first.role,
            tokens: first.tokens.clone(),
            places: match first.places {
                Places::Pooled => Places::Pooled,
                Places::Grid(grid) => Places::Grid(grid),
                Places::Mixed { grid, .. } => {
                    let weights = |tokens: &&Self| match &tokens.segments[index].places {
                        Places::Mixed { weights, .. } => Some(weights.shallow_clone()),
                        Places::Pooled | Places::Grid(_) => None,
                    };
                    let all: Vec<Tensor> = samples.iter().filter_map(weights).collect();
                    let weights = Tensor::join(&all.iter().collect::<Vec<_>>());
                    Places::Mixed { grid, weights }
                }
            },
        };
        Self {
            tokens: joined(samples, |s| &s.tokens),
            segments: samples[0]
                .segments
                .iter()
                .enumerate()
                .map(segment)
                .collect(),
        }
    }
}

/// Of what cross-attention reads. Self-attention of every sample reads the same half, or features that are made for a whole batch.
impl Join for Context {
    fn join(samples: &[&Self]) -> Self {
        let second = joined_if_any(samples, |s| Some(&s.second.as_ref()?.0));
        let factor = samples[0].second.as_ref().map(|(_, factor)| *factor);
        Self {
            cross: joined_if_any(samples, |s| s.cross.as_ref()),
            second: second.zip(factor),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use i2am_nets::{Context, Places, Role, Segment, Tokens};
    use tch::Tensor;

    use super::Join as _;

    fn values(x: &Tensor) -> Vec<f32> {
        Vec::try_from(x.contiguous().view(-1)).expect("a flat f32 tensor")
    }

    fn rows(first: f32) -> Tensor {
        Tensor::from_slice(&[first, first + 1.0]).view([2, 1, 1])
    }

    #[test]
    fn rows_without_the_reference_come_first() {
        let joined = Tensor::join(&[&rows(10.0), &rows(20.0), &rows(30.0)]);
        assert_eq!(joined.size(), [6, 1, 1]);
        assert_eq!(values(&joined), [10.0, 20.0, 30.0, 11.0, 21.0, 31.0]);
    }

    #[test]
    fn mixtures_are_those_of_their_sample() {
        let context = |first: f32| Context {
            second: Some((
                Tokens {
                    tokens: rows(first),
                    segments: vec![Segment {
                        role: Role::Reference(0),
                        tokens: 0..1,
                        places: Places::Mixed {
                            grid: (1, 1),
                            weights: rows(-first),
                        },
                    }],
                },
                0.5,
            )),
            ..Context::default()
        };
        let joined = Context::join(&[&context(10.0), &context(20.0)]);
        let (tokens, factor) = joined.second.expect("both have one");
        assert_eq!(factor.to_bits(), 0.5_f64.to_bits());
        assert_eq!(values(&tokens.tokens), [10.0, 20.0, 11.0, 21.0]);
        match &tokens.segments[0].places {
            Places::Mixed { weights, .. } => {
                assert_eq!(values(weights), [-10.0, -20.0, -9.0, -19.0]);
            }
            other => panic!("{other:?}"),
        }
    }
}
