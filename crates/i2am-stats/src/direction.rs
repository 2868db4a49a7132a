/// Which way a metric goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Lower is better: FID, LPIPS.
    Lower,
    /// Higher is better: SSIM, PSNR.
    Higher,
}

impl Better {
    /// A correlation with the metric as one with its quality: positive means that the other side goes with better.
    pub fn orient(self, correlation: f64) -> f64 {
        match self {
            Self::Higher => correlation,
            // Not -0.0.
            Self::Lower => 0.0 - correlation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_of_what_should_be_low_is_good() {
        assert!((Better::Lower.orient(-0.5) - 0.5).abs() < f64::EPSILON);
        assert!((Better::Higher.orient(-0.5) + 0.5).abs() < f64::EPSILON);
        assert!(Better::Lower.orient(0.0).is_sign_positive());
    }
}
