//! Boxes that are guessed without a map.

mod random;

use std::fmt;

use i2am_imaging::BoundingBox;
use serde::{Deserialize, Serialize};

/// What random boxes are drawn from: the same names give the same box on every machine.
#[derive(Debug, Clone, Copy)]
pub struct BoxSeed<'a> {
    /// The run's seed.
    pub seed: u64,
    /// The data set's name.
    pub dataset: &'a str,
    /// The sample's id.
    pub sample: &'a str,
}

/// The baselines. None of them knows the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineName {
    /// A box in the middle, with the picture's proportions and a fifth of its area: what a map that only ever shows the middle
    /// amounts to.
    // Rows keep the first spelling.
    #[serde(rename = "centre", alias = "center")]
    Center,
    /// The true box itself, overlap 1: the ceiling, and the box that pictures show.
    GroundTruth,
    /// A random box: area uniform in 10 to 30 % of the picture, width to height uniform in 0.5 to 2, place uniform.
    Random,
    /// The whole picture: its overlap is the share that the true box has of it.
    Whole,
}

/// Share of the picture that [`BaselineName::Center`] covers: the middle of the range that objects are chosen by.
const CENTER_AREA: f64 = 0.2;

impl BaselineName {
    /// All of them, in the order of listings.
    pub const ALL: [Self; 4] = [Self::Center, Self::GroundTruth, Self::Random, Self::Whole];

    /// The name as written in configurations and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Center => "centre",
            Self::GroundTruth => "ground-truth",
            Self::Random => "random",
            Self::Whole => "whole",
        }
    }

    /// One line for listings.
    pub fn description(self) -> &'static str {
        match self {
            Self::Center => "a fifth of the picture in its middle, with its proportions",
            Self::GroundTruth => "the true box, IoU 1",
            Self::Random => "seeded: 10 to 30 % of the picture, width to height 0.5 to 2, anywhere",
            Self::Whole => "the whole picture",
        }
    }

    /// The box in a picture of this height and width.
    ///
    /// # Source
    /// `qkrwnstj306/I2AM_PBE_Object_Detection`: `scripts/cal_bbox_as_overall_img.py`, `cal_random_bbox.py`, `cal_gt_bbox.py` @
    /// 27df587. The random box is that of the script, whose description says another range; it is seeded there by nothing, and
    /// compared with a box in another frame. The box in the middle is ours.
    pub fn guess(self, size: [usize; 2], truth: &BoundingBox, seed: BoxSeed<'_>) -> BoundingBox {
        match self {
            Self::Center => center(size),
            Self::GroundTruth => *truth,
            Self::Random => random::random(size, seed),
            Self::Whole => BoundingBox::whole(size),
        }
    }
}

impl fmt::Display for BaselineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn center(size: [usize; 2]) -> BoundingBox {
    let whole = BoundingBox::whole(size);
    let side = CENTER_AREA.sqrt();
    BoundingBox {
        x: whole.width * (1.0 - side) / 2.0,
        y: whole.height * (1.0 - side) / 2.0,
        width: whole.width * side,
        height: whole.height * side,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: BoxSeed<'_> = BoxSeed {
        seed: 1,
        dataset: "set",
        sample: "a",
    };

    #[test]
    fn the_middle_is_in_the_middle() {
        let truth = BoundingBox::whole([1, 1]);
        let found = BaselineName::Center.guess([200, 100], &truth, SEED);
        assert!((found.area() - 4000.0).abs() < 1e-9, "{found:?}");
        assert!((2.0 * found.x + found.width - 100.0).abs() < 1e-9);
        assert!((2.0 * found.y + found.height - 200.0).abs() < 1e-9);
        assert_eq!(BaselineName::GroundTruth.guess([9, 9], &truth, SEED), truth);
    }
}
