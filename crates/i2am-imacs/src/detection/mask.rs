use i2am_imaging::BoundingBox;

/// Which pixels of a picture are set, row by row; at least one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    height: usize,
    width: usize,
    set: Vec<bool>,
}

impl Mask {
    /// The mask whose pixel in row `r`, column `c` is `is_set(r, c)`.
    ///
    /// # Panics
    /// If `height` or `width` is 0.
    pub fn from_fn(height: usize, width: usize, is_set: impl Fn(usize, usize) -> bool) -> Self {
        assert!(
            height > 0 && width > 0,
            "a mask of {height} x {width} pixels is empty"
        );
        let is_set = &is_set;
        let set = (0..height)
            .flat_map(|r| (0..width).map(move |c| is_set(r, c)))
            .collect();
        Self { height, width, set }
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the pixel in row `r`, column `c` is set.
    ///
    /// # Panics
    /// If there is no such pixel.
    pub fn get(&self, r: usize, c: usize) -> bool {
        assert!(c < self.width, "column {c} of {}", self.width);
        self.set[r * self.width + c]
    }

    /// Number of set pixels.
    pub fn count(&self) -> usize {
        self.set.iter().filter(|&&set| set).count()
    }

    /// Number of set pixels among those of `bounds`, whose edges lie between pixels.
    pub(crate) fn count_in(&self, bounds: &BoundingBox) -> usize {
        let [left, top, width, height] =
            [bounds.x, bounds.y, bounds.width, bounds.height].map(|edge| edge as usize);
        let row = |r: usize| &self.set[r * self.width + left..][..width];
        (top..top + height)
            .map(|r| row(r).iter().filter(|&&set| set).count())
            .sum()
    }
}
