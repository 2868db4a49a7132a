//! [`PictureGrid`]: pictures with captions in rows on one sheet.

use image::imageops::replace;
use image::{Rgb, RgbImage};

use crate::text::Type;
use crate::{pillow_bicubic_rgb, pillow_nearest_rgb};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([32; 3]);
/// Around each picture, so that a white one has an edge.
const FRAME: Rgb<u8> = Rgb([208; 3]);
/// Between cells, and around the sheet.
const GAP: u32 = 12;
/// Between groups on one line.
const GROUP_GAP: u32 = 28;
/// From a text to what is below it.
const BELOW: u32 = 5;

/// A picture and the words above it. Long captions wrap at the width of the picture.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The words above.
    pub caption: String,
    /// The picture.
    pub picture: RgbImage,
    /// Whether it keeps its size whatever the size of its row.
    pub keeps_size: bool,
}

impl Cell {
    /// A cell of `picture` under `caption`.
    pub fn new(caption: impl Into<String>, picture: RgbImage) -> Self {
        Self {
            caption: caption.into(),
            picture,
            keeps_size: false,
        }
    }

    /// A cell whose picture is drawn as it is, whatever the size of its row.
    pub fn unscaled(caption: impl Into<String>, picture: RgbImage) -> Self {
        Self {
            keeps_size: true,
            ..Self::new(caption, picture)
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
    blocks: Vec<Block>,
    notes: Vec<String>,
}

/// Cells under one title.
#[derive(Debug, Clone)]
struct Block {
    title: String,
    cells: Vec<DrawnCell>,
    /// Whether it may stand on a line with others, and be broken.
    flows: bool,
}

/// A cell as it will appear: lines of its caption, scaled picture.
#[derive(Debug, Clone)]
struct DrawnCell {
    caption: Vec<String>,
    picture: RgbImage,
}

/// Blocks that stand on one line, each with the lines of its title.
struct Line<'a>(Vec<(Vec<String>, &'a [DrawnCell], Type)>);

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
        self.add(title.into(), size, cells, false)
    }

    /// Adds `cells` like [`PictureGrid::row`], but on the line of the group before as long as there is room: no wider than the widest
    /// row, broken where it is wider than that.
    pub fn group(
        &mut self,
        title: impl Into<String>,
        size: CellSize,
        cells: impl IntoIterator<Item = Cell>,
    ) -> &mut Self {
        self.add(title.into(), size, cells, true)
    }

    /// Adds words below all pictures, in lines as wide as the sheet.
    pub fn note(&mut self, words: impl Into<String>) -> &mut Self {
        self.notes.push(words.into());
        self
    }

    fn add(
        &mut self,
        title: String,
        size: CellSize,
        cells: impl IntoIterator<Item = Cell>,
        flows: bool,
    ) -> &mut Self {
        let cells = cells
            .into_iter()
            .map(|cell| DrawnCell::new(&cell, size))
            .collect();
        self.blocks.push(Block {
            title,
            cells,
            flows,
        });
        self
    }

    /// The sheet as one image, as large as its rows need.
    pub fn render(&self) -> RgbImage {
        let rows = self.blocks.iter().filter(|block| !block.flows);
        let widest = rows.map(|row| width(&row.cells).max(Type::TITLE.width(&row.title)));
        let lines = self.lines(widest.max().unwrap_or_default());
        let width = lines.iter().map(Line::width).max().unwrap_or_default();
        let pictures: u32 = lines.iter().map(|line| line.height() + GAP).sum();
        let face = Type::CAPTION;
        let notes = self.notes.iter().flat_map(|note| face.wrap(note, width));
        let notes: Vec<String> = notes.collect();
        let words = match notes.len() {
            0 => 0,
            lines => lines as u32 * face.line() + GAP,
        };
        let mut sheet = RgbImage::from_pixel(width + 2 * GAP, GAP + pictures + words, PAPER);
        let mut top = GAP;
        for line in &lines {
            line.draw(&mut sheet, top);
            top += line.height() + GAP;
        }
        for note in &notes {
            face.draw(&mut sheet, note, (GAP, top), INK);
            top += face.line();
        }
        sheet
    }

    /// Groups share lines of `most` pixels.
    fn lines(&self, most: u32) -> Vec<Line<'_>> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for block in &self.blocks {
            if !block.flows {
                let title = (!block.title.is_empty()).then(|| block.title.clone());
                let title = title.into_iter().collect();
                lines.push(Line(vec![(title, &block.cells, Type::TITLE)]));
                continue;
            }
            for (part, cells) in broken(&block.cells, most).into_iter().enumerate() {
                let title = if part == 0 { block.title.as_str() } else { "" };
                let title = Type::HEAD.wrap(title, width(cells));
                let group = (title, cells, Type::HEAD);
                match lines.last_mut() {
                    Some(line) if line.takes(&group, most) => line.0.push(group),
                    _ => lines.push(Line(vec![group])),
                }
            }
        }
        lines
    }
}

/// `cells` in parts that are no wider than `most` pixels, unless they are one cell.
fn broken(cells: &[DrawnCell], most: u32) -> Vec<&[DrawnCell]> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for end in 1..=cells.len() {
        if end - start > 1 && width(&cells[start..end]) > most {
            parts.push(&cells[start..end - 1]);
            start = end - 1;
        }
    }
    if start < cells.len() {
        parts.push(&cells[start..]);
    }
    parts
}

/// Of cells next to each other.
fn width(cells: &[DrawnCell]) -> u32 {
    let cells: u32 = cells.iter().map(|cell| cell.width() + GAP).sum();
    cells.saturating_sub(GAP)
}

/// Of a group: its title may be one long word.
fn group_width((title, cells, face): &(Vec<String>, &[DrawnCell], Type)) -> u32 {
    let title = title.iter().map(|line| face.width(line)).max();
    width(cells).max(title.unwrap_or_default())
}

impl<'a> Line<'a> {
    /// Whether a group still fits: never behind a row, which has another face.
    fn takes(&self, group: &(Vec<String>, &'a [DrawnCell], Type), most: u32) -> bool {
        let alike = self.0.iter().all(|(.., face)| *face == group.2);
        alike && self.width() + GROUP_GAP + group_width(group) <= most
    }

    fn width(&self) -> u32 {
        let groups: u32 = self
            .0
            .iter()
            .map(|group| group_width(group) + GROUP_GAP)
            .sum();
        groups.saturating_sub(GROUP_GAP)
    }

    fn title_height(&self) -> u32 {
        let heights = self.0.iter().map(|(title, _, face)| match title.len() {
            0 => 0,
            lines => lines as u32 * face.line() + BELOW,
        });
        heights.max().unwrap_or_default()
    }

    fn cells(&self) -> impl Iterator<Item = &DrawnCell> {
        self.0.iter().flat_map(|(_, cells, _)| *cells)
    }

    fn caption_height(&self) -> u32 {
        match self.cells().map(|cell| cell.caption.len()).max() {
            None | Some(0) => 0,
            Some(lines) => lines as u32 * Type::CAPTION.line() + BELOW,
        }
    }

    fn height(&self) -> u32 {
        let pictures = self.cells().map(|cell| cell.picture.height()).max();
        self.title_height() + self.caption_height() + pictures.unwrap_or_default()
    }

    fn draw(&self, sheet: &mut RgbImage, top: u32) {
        let captions_top = top + self.title_height();
        let pictures_top = captions_top + self.caption_height();
        let mut left = GAP;
        for group in &self.0 {
            let (title, cells, face) = group;
            // Titles, like captions, stand right above what they name.
            let title_top = captions_top - BELOW.min(self.title_height());
            for (index, line) in title.iter().rev().enumerate() {
                let y = title_top - face.line() * (index as u32 + 1);
                face.draw(sheet, line, (left, y), INK);
            }
            let mut x = left;
            for cell in *cells {
                let caption_top = pictures_top - BELOW.min(self.caption_height());
                for (index, line) in cell.caption.iter().rev().enumerate() {
                    let y = caption_top - Type::CAPTION.line() * (index as u32 + 1);
                    Type::CAPTION.draw(sheet, line, (x, y), INK);
                }
                frame(sheet, (x, pictures_top), cell.picture.dimensions());
                replace(sheet, &cell.picture, x.into(), pictures_top.into());
                x += cell.width() + GAP;
            }
            left += group_width(group) + GROUP_GAP;
        }
    }
}

impl DrawnCell {
    /// Captions need some width in pixels, however narrow the picture is.
    const LEAST_WIDTH: u32 = 80;

    fn new(cell: &Cell, size: CellSize) -> Self {
        let size = if cell.keeps_size {
            CellSize::Native
        } else {
            size
        };
        let picture = scale(&cell.picture, size);
        let width = picture.width().max(Self::LEAST_WIDTH);
        Self {
            caption: Type::CAPTION.wrap(&cell.caption, width),
            picture,
        }
    }

    fn width(&self) -> u32 {
        let lines = self.caption.iter().map(|line| Type::CAPTION.width(line));
        self.picture.width().max(lines.max().unwrap_or_default())
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
