//! [`PictureGrid`]: pictures with captions in rows on one sheet.

use image::imageops::replace;
use image::{Rgb, RgbImage};

use crate::text::{CHARACTER, draw, length, wrap};
use crate::{pillow_bicubic_rgb, pillow_nearest_rgb};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([32; 3]);
/// Around each picture, so that a white one has an edge.
const FRAME: Rgb<u8> = Rgb([208; 3]);
/// Between cells, and around the sheet.
const GAP: u32 = 12;
/// From one line of text to the next, and from the last one to its picture.
const LINE: u32 = CHARACTER + 4;

/// A picture and the words above it. Long captions wrap at the width of the picture.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The words above.
    pub caption: String,
    /// The picture.
    pub picture: RgbImage,
}

impl Cell {
    /// A cell of `picture` under `caption`.
    pub fn new(caption: impl Into<String>, picture: RgbImage) -> Self {
        Self {
            caption: caption.into(),
            picture,
        }
    }
}

/// How large the pictures of a row are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CellSize {
    /// As they are.
    Native,
    /// Every pixel as a square of that many pixels (at least 1).
    Times(u32),
    /// All at this height in pixels (at least 1), keeping their proportions: whole multiples pixel by pixel, anything
    /// else by [`pillow_bicubic_rgb`].
    Height(u32),
}

/// Rows of pictures with captions, on white paper.
///
/// ```
/// use i2am_imaging::{Cell, CellSize, PictureGrid, RgbImage};
///
/// let mut grid = PictureGrid::new();
/// grid.row("sample 00001_00", CellSize::Height(64), [Cell::new("image", RgbImage::new(48, 64))]);
/// let sheet = grid.render();
/// assert!(sheet.width() > 48 && sheet.height() > 64);
/// ```
#[derive(Debug, Clone, Default)]
pub struct PictureGrid {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    title: String,
    cells: Vec<DrawnCell>,
}

/// A cell as it will appear: lines of its caption, scaled picture.
#[derive(Debug, Clone)]
struct DrawnCell {
    caption: Vec<String>,
    picture: RgbImage,
}

impl PictureGrid {
    /// A sheet without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row of `cells` from left to right, drawn at `size`, under a `title` (which may be empty).
    pub fn row(
        &mut self,
        title: impl Into<String>,
        size: CellSize,
        cells: impl IntoIterator<Item = Cell>,
    ) -> &mut Self {
        let cells = cells
            .into_iter()
            .map(|cell| DrawnCell::new(&cell, size))
            .collect();
        self.rows.push(Row {
            title: title.into(),
            cells,
        });
        self
    }

    /// The sheet as one image, as large as its rows need.
    pub fn render(&self) -> RgbImage {
        let width = self.rows.iter().map(Row::width).max().unwrap_or_default();
        let height: u32 = self.rows.iter().map(|row| row.height() + GAP).sum();
        let mut sheet = RgbImage::from_pixel(width + 2 * GAP, height + GAP, PAPER);
        let mut top = GAP;
        for row in &self.rows {
            row.draw(&mut sheet, top);
            top += row.height() + GAP;
        }
        sheet
    }
}

impl Row {
    fn title_height(&self) -> u32 {
        if self.title.is_empty() { 0 } else { 2 * LINE }
    }

    fn caption_height(&self) -> u32 {
        LINE * self
            .cells
            .iter()
            .map(|cell| cell.caption.len() as u32)
            .max()
            .unwrap_or_default()
    }

    fn height(&self) -> u32 {
        let pictures = self
            .cells
            .iter()
            .map(|cell| cell.picture.height())
            .max()
            .unwrap_or_default();
        self.title_height() + self.caption_height() + pictures
    }

    fn width(&self) -> u32 {
        let cells: u32 = self.cells.iter().map(|cell| cell.width() + GAP).sum();
        cells
            .saturating_sub(GAP)
            .max(CHARACTER * length(&self.title) as u32)
    }

    fn draw(&self, sheet: &mut RgbImage, top: u32) {
        draw(sheet, &self.title, (GAP, top + LINE / 2), INK);
        let pictures_top = top + self.title_height() + self.caption_height();
        let mut left = GAP;
        for cell in &self.cells {
            // Captions of one row stand on one base line.
            let caption_top = pictures_top - LINE * cell.caption.len() as u32;
            for (index, line) in cell.caption.iter().enumerate() {
                draw(sheet, line, (left, caption_top + LINE * index as u32), INK);
            }
            frame(sheet, (left, pictures_top), cell.picture.dimensions());
            replace(sheet, &cell.picture, left.into(), pictures_top.into());
            left += cell.width() + GAP;
        }
    }
}

impl DrawnCell {
    /// Captions need some width, however narrow the picture is.
    const LEAST_COLUMNS: u32 = 10;

    fn new(cell: &Cell, size: CellSize) -> Self {
        let picture = scale(&cell.picture, size);
        let columns = (picture.width() / CHARACTER).max(Self::LEAST_COLUMNS);
        Self {
            caption: wrap(&cell.caption, columns as usize),
            picture,
        }
    }

    fn width(&self) -> u32 {
        let caption = self
            .caption
            .iter()
            .map(|line| length(line))
            .max()
            .unwrap_or_default();
        self.picture.width().max(CHARACTER * caption as u32)
    }
}

fn scale(picture: &RgbImage, size: CellSize) -> RgbImage {
    let (width, height) = picture.dimensions();
    let enlarged = |factor| {
        pillow_nearest_rgb(
            picture,
            (height * factor) as usize,
            (width * factor) as usize,
        )
    };
    match size {
        _ if picture.is_empty() => picture.clone(),
        CellSize::Native => picture.clone(),
        CellSize::Times(factor) => enlarged(factor.max(1)),
        CellSize::Height(wanted) if wanted > 0 && wanted % height == 0 => enlarged(wanted / height),
        CellSize::Height(wanted) => {
            let wanted = wanted.max(1);
            let proportional = f64::from(width) * f64::from(wanted) / f64::from(height);
            pillow_bicubic_rgb(
                picture,
                wanted as usize,
                proportional.round().max(1.0) as usize,
            )
        }
    }
}

/// A line around the rectangle at `(left, top)`.
fn frame(sheet: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32)) {
    let outer = RgbImage::from_pixel(width + 2, height + 2, FRAME);
    replace(sheet, &outer, i64::from(left) - 1, i64::from(top) - 1);
}
