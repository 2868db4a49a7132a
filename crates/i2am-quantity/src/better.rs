//! Which direction of a quantity is better.

use serde::{Deserialize, Serialize};

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Higher is better: SSIM, PSNR, IMACS.
    Higher,
    /// Lower is better: FID, LPIPS.
    Lower,
    /// Neither: a change is reported, but it is no loss.
    Neither,
}

impl Better {
    /// The arrow of a heading; empty where neither direction is better.
    pub const fn arrow(self) -> &'static str {
        match self {
            Self::Higher => "↑",
            Self::Lower => "↓",
            Self::Neither => "",
        }
    }

    /// Whether `a` is better than `b`.
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::Higher => a > b,
            Self::Lower => a < b,
            Self::Neither => false,
        }
    }

    /// A correlation with the quantity as one with what is better: positive means that the other side rises where this quantity gets
    /// better. None where neither direction is better.
    pub fn orient(self, correlation: f64) -> Option<f64> {
        match self {
            Self::Higher => Some(correlation),
            // Not -0.0.
            Self::Lower => Some(0.0 - correlation),
            Self::Neither => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_of_what_should_be_low_is_good() {
        assert_eq!(Better::Lower.orient(-0.5), Some(0.5));
        assert_eq!(Better::Higher.orient(-0.5), Some(-0.5));
        assert_eq!(Better::Neither.orient(-0.5), None);
        let zero = Better::Lower.orient(0.0).unwrap();
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn what_is_better_depends_on_the_direction() {
        assert!(Better::Lower.prefers(1.0, 2.0) && !Better::Lower.prefers(2.0, 1.0));
        assert!(Better::Higher.prefers(2.0, 1.0) && !Better::Higher.prefers(1.0, 1.0));
        assert!(!Better::Neither.prefers(1.0, 2.0) && !Better::Neither.prefers(2.0, 1.0));
    }
}
