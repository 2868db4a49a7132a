//! Anti-aliased painting: a shape's signed distance, traced once, becomes ink, fill or mask.

use i2am_imaging::Correspondence;
use image::{GrayImage, Luma, Rgb, RgbImage};

use super::color::Color;
use super::geometry::{Bounds, Frame, Point, at};

/// Height and width of a picture in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Size {
    /// Side of a pixel in picture heights.
    pub(super) fn pixel(self) -> f32 {
        1.0 / self.height as f32
    }

    /// x and y of a point in pixels.
    pub(super) fn to_pixels(self, point: Point) -> [f64; 2] {
        let side = self.height as f64;
        [
            f64::from(point.x) * side + self.width as f64 * 0.5,
            f64::from(point.y) * side,
        ]
    }

    fn center_of(self, row: usize, column: usize) -> Point {
        let x = column as f32 + 0.5 - self.width as f32 * 0.5;
        at(x * self.pixel(), (row as f32 + 0.5) * self.pixel())
    }
}

/// How far a frame's bow between the corners, and a contour, reach beyond a box, in chest widths.
const BOW: f32 = 0.06;

/// The signed distance to a shape at the pixel centers of a box.
#[derive(Clone, Debug)]
pub(super) struct Field {
    size: Size,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    distances: Vec<f32>,
}

impl Field {
    /// Evaluates `distance` at the pixels within `bounds`; outside, the shape is taken to be far away.
    pub(super) fn trace(size: Size, bounds: Bounds, distance: impl Fn(Point) -> f32) -> Self {
        let scale = size.height as f32;
        let half = size.width as f32 * 0.5;
        // One pixel more on every side: half-covered pixels have their center outside.
        let clip = |low: f32, high: f32, end: usize| {
            let first = (low - 1.0).clamp(0.0, end as f32) as usize;
            let last = (high + 2.0).clamp(0.0, end as f32) as usize;
            first..last.max(first)
        };
        let rows = clip(bounds.low.y * scale, bounds.high.y * scale, size.height);
        let columns = clip(
            bounds.low.x * scale + half,
            bounds.high.x * scale + half,
            size.width,
        );
        let mut distances = Vec::with_capacity(rows.len() * columns.len());
        for row in rows.clone() {
            for column in columns.clone() {
                distances.push(distance(size.center_of(row, column)));
            }
        }
        Self {
            size,
            rows,
            columns,
            distances,
        }
    }

    /// Traces a shape given in the flat garment's coordinates, up to `margin` chest widths around the box that holds it.
    pub(super) fn trace_flat(
        size: Size,
        frame: &Frame,
        [low, high]: [Point; 2],
        margin: f32,
        distance: impl Fn(Point) -> f32,
    ) -> Self {
        let corners = [low, high, at(low.x, high.y), at(high.x, low.y)].map(|p| frame.place(p));
        let bounds = Bounds::around(corners).grown((margin + BOW) * frame.scale);
        Self::trace(size, bounds, |p| distance(frame.locate(p)) * frame.scale)
    }

    /// Another shape made from this one's distances.
    pub(super) fn map(&self, distance: impl Fn(Point, f32) -> f32) -> Self {
        let mut distances = Vec::with_capacity(self.distances.len());
        self.visit(|_, _, center, old| distances.push(distance(center, old)));
        Self {
            size: self.size,
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            distances,
        }
    }

    /// Calls `visit(row, column, center, distance)` for every traced pixel.
    pub(super) fn visit(&self, mut visit: impl FnMut(usize, usize, Point, f32)) {
        let mut next = 0;
        for row in self.rows.clone() {
            for column in self.columns.clone() {
                let center = self.size.center_of(row, column);
                visit(row, column, center, self.distances[next]);
                next += 1;
            }
        }
    }
}

/// A picture in the making.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    size: Size,
    pixels: Vec<Color>,
}

impl Canvas {
    pub(super) fn filled(size: Size, color: Color) -> Self {
        Self {
            size,
            pixels: vec![color; size.height * size.width],
        }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Lays color over the shape, grown by `grow` picture heights.
    pub(super) fn paint(&mut self, field: &Field, grow: f32, color: impl Fn(Point) -> Color) {
        let pixels_per_unit = self.size.height as f32;
        let width = self.size.width;
        field.visit(|row, column, center, distance| {
            let cover = (0.5 - (distance - grow) * pixels_per_unit).clamp(0.0, 1.0);
            if cover > 0.0 {
                let pixel = &mut self.pixels[row * width + column];
                *pixel = pixel.mixed(color(center), cover);
            }
        });
    }

    pub(super) fn to_rgb(&self) -> RgbImage {
        let mut image = RgbImage::new(self.size.width as u32, self.size.height as u32);
        for (pixel, color) in image.pixels_mut().zip(&self.pixels) {
            *pixel = Rgb(color.to_bytes());
        }
        image
    }
}

/// A picture of yes and no: 255 and 0.
#[derive(Clone, Debug)]
pub(super) struct Stencil {
    size: Size,
    pixels: Vec<bool>,
}

impl Stencil {
    pub(super) fn empty(size: Size) -> Self {
        Self {
            size,
            pixels: vec![false; size.height * size.width],
        }
    }

    /// Sets the pixels whose center lies within `grow` of the shape.
    pub(super) fn add(&mut self, field: &Field, grow: f32) {
        self.set(field, grow, true);
    }

    /// Clears the pixels whose center lies within `grow` of the shape.
    pub(super) fn cut(&mut self, field: &Field, grow: f32) {
        self.set(field, grow, false);
    }

    fn set(&mut self, field: &Field, grow: f32, value: bool) {
        let width = self.size.width;
        field.visit(|row, column, _, distance| {
            if distance < grow {
                self.pixels[row * width + column] = value;
            }
        });
    }

    pub(super) fn to_gray(&self) -> GrayImage {
        let mut image = GrayImage::new(self.size.width as u32, self.size.height as u32);
        for (pixel, &set) in image.pixels_mut().zip(&self.pixels) {
            *pixel = Luma([if set { 255 } else { 0 }]);
        }
        image
    }
}

/// A picture of numbers.
#[derive(Clone, Debug)]
pub(super) struct LabelMap {
    size: Size,
    numbers: Vec<u8>,
}

impl LabelMap {
    /// All 0.
    pub(super) fn empty(size: Size) -> Self {
        Self {
            size,
            numbers: vec![0; size.height * size.width],
        }
    }

    /// Labels the pixels whose center lies in the shape.
    pub(super) fn put(&mut self, field: &Field, label: u8) {
        let width = self.size.width;
        field.visit(|row, column, _, distance| {
            if distance < 0.0 {
                self.numbers[row * width + column] = label;
            }
        });
    }

    pub(super) fn to_gray(&self) -> GrayImage {
        let width = self.size.width;
        GrayImage::from_fn(width as u32, self.size.height as u32, |x, y| {
            Luma([self.numbers[y as usize * width + x as usize]])
        })
    }
}

/// A picture of points.
#[derive(Clone, Debug)]
pub(super) struct PlaceMap {
    size: Size,
    places: Vec<Option<Point>>,
}

impl PlaceMap {
    /// Without points.
    pub(super) fn empty(size: Size) -> Self {
        Self {
            size,
            places: vec![None; size.height * size.width],
        }
    }

    /// Sets the pixels whose center lies in the shape to what `place` says of the center.
    pub(super) fn put(&mut self, field: &Field, place: impl Fn(Point) -> Option<Point>) {
        let width = self.size.width;
        field.visit(|row, column, center, distance| {
            if distance < 0.0 {
                self.places[row * width + column] = place(center);
            }
        });
    }

    /// Clears the pixels whose center lies in the shape.
    pub(super) fn cut(&mut self, field: &Field) {
        self.put(field, |_| None);
    }

    /// The points as fractions of the height and width of a picture of the same size.
    pub(super) fn to_correspondence(&self) -> Correspondence {
        let Size { height, width } = self.size;
        Correspondence::from_fn(height, width, |row, column| {
            let [x, y] = self.size.to_pixels(self.places[row * width + column]?);
            Some([y / height as f64, x / width as f64])
        })
    }
}
