//! Regions of a mask: pixels joined by an edge or a corner.

use i2am_imaging::BoundingBox;

use super::Mask;

/// Set pixels that are joined by edges or corners (8-connectivity).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    /// Row and column of its first pixel, from left to right and from top to bottom.
    pub(super) first: [usize; 2],
    /// Number of pixels.
    pub(super) pixels: usize,
    /// The smallest box around them.
    pub(super) bounds: BoundingBox,
}

/// The regions of a mask and which pixel belongs to which.
pub(super) struct Regions {
    /// In the order of their first pixels.
    pub(super) all: Vec<Region>,
    /// For every pixel, row by row, 1 plus the place of its region; 0 where the mask is not set.
    labels: Vec<usize>,
    width: usize,
}

impl Regions {
    pub(super) fn of(mask: &Mask) -> Self {
        let (height, width) = (mask.height(), mask.width());
        let mut found = Self {
            all: Vec::new(),
            labels: vec![0; height * width],
            width,
        };
        for r in 0..height {
            for c in 0..width {
                if mask.get(r, c) && found.labels[r * width + c] == 0 {
                    let region = found.fill(mask, [r, c]);
                    found.all.push(region);
                }
            }
        }
        found
    }

    /// Labels everything joined to `first`.
    fn fill(&mut self, mask: &Mask, first: [usize; 2]) -> Region {
        let label = self.all.len() + 1;
        let (mut pixels, [mut top, mut left], [mut bottom, mut right]) = (0, first, first);
        let mut open = vec![first];
        self.labels[first[0] * self.width + first[1]] = label;
        while let Some([r, c]) = open.pop() {
            pixels += 1;
            (top, bottom) = (top.min(r), bottom.max(r));
            (left, right) = (left.min(c), right.max(c));
            for near_r in r.saturating_sub(1)..(r + 2).min(mask.height()) {
                for near_c in c.saturating_sub(1)..(c + 2).min(mask.width()) {
                    let entry = &mut self.labels[near_r * self.width + near_c];
                    if *entry == 0 && mask.get(near_r, near_c) {
                        *entry = label;
                        open.push([near_r, near_c]);
                    }
                }
            }
        }
        Region {
            first,
            pixels,
            bounds: BoundingBox::of_pixels([top, left], [bottom + 1 - top, right + 1 - left]),
        }
    }

    /// The region of a pixel; none where the mask is not set.
    pub(super) fn at(&self, r: usize, c: usize) -> Option<&Region> {
        let label = self.labels[r * self.width + c];
        label.checked_sub(1).map(|place| &self.all[place])
    }
}

/// The region for which `size` is largest; of equals, the one that begins furthest down, and there furthest right: `OpenCV` lists
/// outlines in that order and the published scripts keep the first. Regions in holes of others come after those in that list, but
/// are smaller by any measure used here.
pub(super) fn largest<T: PartialOrd>(
    regions: &[Region],
    size: impl Fn(&Region) -> T,
) -> Option<&Region> {
    let mut best: Option<(&Region, T)> = None;
    for region in regions.iter().rev() {
        let size = size(region);
        if best.as_ref().is_none_or(|(_, most)| size > *most) {
            best = Some((region, size));
        }
    }
    best.map(|(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_join() {
        let rows = ["#...#", ".#..#", "....."];
        let mask = Mask::from_fn(3, 5, |r, c| rows[r].as_bytes()[c] == b'#');
        let found = Regions::of(&mask);
        let sizes: Vec<_> = found.all.iter().map(|r| (r.first, r.pixels)).collect();
        assert_eq!(sizes, [([0, 0], 2), ([0, 4], 2)]);
        assert_eq!(found.all[0].bounds, BoundingBox::of_pixels([0, 0], [2, 2]));
        assert_eq!(found.at(1, 1), Some(&found.all[0]));
        assert_eq!(found.at(2, 2), None);
    }

    #[test]
    fn of_equals_the_lowest_is_kept() {
        let mask = Mask::from_fn(5, 5, |r, c| r % 2 == 0 && c % 2 == 0);
        let found = Regions::of(&mask);
        let kept = largest(&found.all, |region| region.pixels).unwrap();
        assert_eq!(kept.first, [4, 4]);
        assert_eq!(largest(&[], |region| region.pixels), None);
    }
}
