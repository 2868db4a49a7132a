//! The straight line through points.

use crate::interval::student_quantile;

/// A least-squares line and what its interval is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    mean_x: f64,
    mean_y: f64,
    /// Sum of squared deviations of x.
    squares_x: f64,
    /// Half width of the interval at the mean of x, without the part that grows away from it.
    scale: f64,
    n: f64,
}

impl Line {
    /// The line through `points`, from which the means of `groups` groups were taken; 1 for points as they are, whose own mean the
    /// line finds. `None` where a degree of freedom is missing (one point for the slope, one for each mean, and one more), or where
    /// all have one x.
    pub(crate) fn through(points: &[[f64; 2]], groups: usize) -> Option<Self> {
        let n = points.len() as f64;
        let freedom = points.len().checked_sub(groups + 1)?;
        let quantile = student_quantile(freedom)?;
        let mean = |index: usize| points.iter().map(|point| point[index]).sum::<f64>() / n;
        let (mean_x, mean_y) = (mean(0), mean(1));
        let squares_x: f64 = points.iter().map(|[x, _]| (x - mean_x).powi(2)).sum();
        if squares_x <= 0.0 {
            return None;
        }
        let products: f64 = points
            .iter()
            .map(|[x, y]| (x - mean_x) * (y - mean_y))
            .sum();
        let slope = products / squares_x;
        let residuals: f64 = points
            .iter()
            .map(|[x, y]| (y - mean_y - slope * (x - mean_x)).powi(2))
            .sum();
        Some(Self {
            slope,
            mean_x,
            mean_y,
            squares_x,
            scale: quantile * (residuals / freedom as f64).sqrt(),
            n,
        })
    }

    pub(crate) fn at(&self, x: f64) -> f64 {
        self.mean_y + self.slope * (x - self.mean_x)
    }

    /// Half width of the 95 % interval of the line at `x`.
    pub(crate) fn half_width(&self, x: f64) -> f64 {
        self.scale * (1.0 / self.n + (x - self.mean_x).powi(2) / self.squares_x).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_its_interval_by_hand() {
        // y = 1, 3, 2 over x = 0, 1, 2: slope 1/2, mean 2, residuals -1/2, 1, -1/2; t with 1 degree of freedom is 12.706.
        let line = Line::through(&[[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]], 1).unwrap();
        assert!((line.slope - 0.5).abs() < 1e-12);
        assert!((line.at(4.0) - 3.5).abs() < 1e-12);
        let expected = 12.706_204_736 * 1.5_f64.sqrt() * (1.0_f64 / 3.0 + 1.0 / 2.0).sqrt();
        assert!((line.half_width(0.0) - expected).abs() < 1e-6);
        assert!(line.half_width(1.0) < line.half_width(2.0));
    }

    #[test]
    fn means_that_were_taken_cost_degrees_of_freedom() {
        // Two groups of two points about their means: 4 points, 2 means, 1 slope leave 1.
        let points = [[-1.0, -1.0], [1.0, 1.0], [-1.0, 0.0], [1.0, 0.0]];
        let line = Line::through(&points, 2).unwrap();
        // Slope 1/2, residuals all 1/2 in size: their squares sum to 1.
        let expected = 12.706_204_736 * 1.0 * (1.0_f64 / 4.0).sqrt();
        assert!((line.slope - 0.5).abs() < 1e-12);
        assert!((line.half_width(0.0) - expected).abs() < 1e-6);
        assert_eq!(Line::through(&points, 3), None);
    }

    #[test]
    fn too_little_gives_no_line() {
        assert_eq!(Line::through(&[[0.0, 1.0], [1.0, 2.0]], 1), None);
        let upright = [[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]];
        assert_eq!(Line::through(&upright, 1), None);
        assert_eq!(Line::through(&[], 1), None);
    }
}
