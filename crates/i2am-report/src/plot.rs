//! Drawing: the one file that knows the drawing library.
//!
//! Plots are SVG whose text is left to the viewer's own sans-serif font. Colours that stand for paper, ink and accent are the
//! same in every plot, so that the page can exchange them for those of a dark theme.

use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, FontTransform, IntoDrawingArea as _, IntoFont as _, PathElement, Polygon,
    RGBAColor, Rectangle, SVGBackend, ShapeStyle, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle};

use crate::ReportError;

/// Red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// Behind everything.
pub(crate) const PAPER: Rgb = [0xFF, 0xFF, 0xFF];
/// Titles and labels.
pub(crate) const INK: Rgb = [0x1B, 0x1F, 0x24];
/// Ticks and remarks.
pub(crate) const MUTED: Rgb = [0x5B, 0x64, 0x70];
/// Axes and grids.
pub(crate) const RULE: Rgb = [0xDC, 0xE0, 0xE6];
/// Points and fits.
pub(crate) const ACCENT: Rgb = [0x2F, 0x6F, 0xDE];

/// Size of titles.
const TITLE: f64 = 15.0;

/// Where a text lies relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The point is at its left end.
    Left,
    /// The point is at its middle.
    Middle,
    /// The point is at its right end.
    Right,
    /// Written upwards, the point at its lower end.
    Up,
    /// Written upwards, the point at its middle.
    UpMiddle,
}

enum Shape {
    Rectangle {
        from: [i32; 2],
        to: [i32; 2],
        fill: Rgb,
    },
    Path {
        points: Vec<[i32; 2]>,
        color: Rgb,
        width: u32,
    },
    Area {
        points: Vec<[i32; 2]>,
        color: Rgb,
        opacity: f64,
    },
    Circle {
        at: [i32; 2],
        radius: i32,
        color: Rgb,
        opacity: f64,
    },
    Text {
        at: [i32; 2],
        text: String,
        size: f64,
        color: Rgb,
        anchor: Anchor,
        bold: bool,
    },
}

/// What a plot is drawn on, in pixels from the upper left corner.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    shapes: Vec<Shape>,
}

impl Canvas {
    pub(crate) fn new(width: i32, height: i32) -> Self {
        Self {
            width: width.max(1) as u32,
            height: height.max(1) as u32,
            shapes: Vec::new(),
        }
    }

    pub(crate) fn rectangle(&mut self, from: [i32; 2], to: [i32; 2], fill: Rgb) {
        self.shapes.push(Shape::Rectangle { from, to, fill });
    }

    pub(crate) fn path(&mut self, points: Vec<[i32; 2]>, color: Rgb, width: u32) {
        self.shapes.push(Shape::Path {
            points,
            color,
            width,
        });
    }

    /// A filled polygon; `opacity` from 0 to 1.
    pub(crate) fn area(&mut self, points: Vec<[i32; 2]>, color: Rgb, opacity: f64) {
        self.shapes.push(Shape::Area {
            points,
            color,
            opacity,
        });
    }

    pub(crate) fn circle(&mut self, at: [i32; 2], radius: i32, color: Rgb, opacity: f64) {
        self.shapes.push(Shape::Circle {
            at,
            radius,
            color,
            opacity,
        });
    }

    /// Text of `size` pixels.
    pub(crate) fn text(
        &mut self,
        at: [i32; 2],
        text: impl Into<String>,
        size: f64,
        color: Rgb,
        anchor: Anchor,
    ) {
        self.shapes.push(Shape::Text {
            at,
            text: text.into(),
            size,
            color,
            anchor,
            bold: false,
        });
    }

    /// The title of a plot, and a remark below it.
    pub(crate) fn heading(&mut self, title: &str, remark: &str) {
        self.shapes.push(Shape::Text {
            at: [14, 20],
            text: title.to_owned(),
            size: TITLE,
            color: INK,
            anchor: Anchor::Left,
            bold: true,
        });
        self.text([14, 40], remark, 12.0, MUTED, Anchor::Left);
    }

    /// The plot as SVG.
    ///
    /// # Errors
    /// What the drawing library refuses.
    pub(crate) fn svg(&self, name: &str) -> Result<String, ReportError> {
        let mut svg = String::new();
        let drawn = {
            let area =
                SVGBackend::with_string(&mut svg, (self.width, self.height)).into_drawing_area();
            self.draw(&area)
        };
        drawn.map_err(|problem| ReportError::Plot {
            name: name.to_owned(),
            problem,
        })?;
        Ok(svg)
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), String> {
        let failed = |error: &dyn std::error::Error| error.to_string();
        area.fill(&rgba(PAPER, 1.0))
            .map_err(|error| failed(&error))?;
        for shape in &self.shapes {
            let drawn = match shape {
                Shape::Rectangle { from, to, fill } => {
                    let style = rgba(*fill, 1.0).filled();
                    area.draw(&Rectangle::new([point(*from), point(*to)], style))
                }
                Shape::Path {
                    points,
                    color,
                    width,
                } => {
                    let style = ShapeStyle {
                        color: rgba(*color, 1.0),
                        filled: false,
                        stroke_width: *width,
                    };
                    area.draw(&PathElement::new(pixels(points), style))
                }
                Shape::Area {
                    points,
                    color,
                    opacity,
                } => area.draw(&Polygon::new(
                    pixels(points),
                    rgba(*color, *opacity).filled(),
                )),
                Shape::Circle {
                    at,
                    radius,
                    color,
                    opacity,
                } => area.draw(&Circle::new(
                    point(*at),
                    *radius,
                    rgba(*color, *opacity).filled(),
                )),
                Shape::Text {
                    at,
                    text,
                    size,
                    color,
                    anchor,
                    bold,
                } => area.draw(&Text::new(
                    text.as_str(),
                    point(*at),
                    style(*size, *color, *anchor, *bold),
                )),
            };
            drawn.map_err(|error| failed(&error))?;
        }
        area.present().map_err(|error| failed(&error))
    }
}

fn style(size: f64, color: Rgb, anchor: Anchor, bold: bool) -> TextStyle<'static> {
    /// By how much the library takes sizes smaller than they are.
    const SHRINKS_BY: f64 = 1.24;
    let font = ("sans-serif", size * SHRINKS_BY).into_font();
    let font = if bold {
        font.style(FontStyle::Bold)
    } else {
        font
    };
    let (horizontal, transform) = match anchor {
        Anchor::Left => (HPos::Left, FontTransform::None),
        Anchor::Middle => (HPos::Center, FontTransform::None),
        Anchor::Right => (HPos::Right, FontTransform::None),
        Anchor::Up => (HPos::Left, FontTransform::Rotate270),
        Anchor::UpMiddle => (HPos::Center, FontTransform::Rotate270),
    };
    TextStyle {
        font: font.transform(transform),
        color: rgba(color, 1.0).to_backend_color(),
        pos: Pos::new(horizontal, VPos::Center),
    }
}

fn rgba([red, green, blue]: Rgb, opacity: f64) -> RGBAColor {
    RGBAColor(red, green, blue, opacity)
}

fn point([x, y]: [i32; 2]) -> (i32, i32) {
    (x, y)
}

fn pixels(points: &[[i32; 2]]) -> Vec<(i32, i32)> {
    points.iter().copied().map(point).collect()
}

/// Width of a plot's title in pixels, roughly.
pub(crate) fn title_width(text: &str) -> i32 {
    text_width(text, TITLE * 1.1)
}

/// Width of a text in pixels, roughly: the viewer's font is not known.
pub(crate) fn text_width(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * size * 0.56).ceil() as i32
}

/// A linear axis over `low..=high`, from pixel `from` to pixel `to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Axis {
    /// Covers `values`, with a little room at both ends.
    pub(crate) fn over(values: impl IntoIterator<Item = f64>, from: i32, to: i32) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let room = if high > low {
            0.06 * (high - low)
        } else {
            0.5 * low.abs().max(1.0)
        };
        Self {
            low: low - room,
            high: high + room,
            from,
            to,
        }
    }

    /// The pixel of `value`; values outside land on the nearer end.
    pub(crate) fn pixel(self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    pub(crate) fn ends(self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Round numbers along the axis, and how they are written.
    pub(crate) fn ticks(self) -> Vec<(f64, String)> {
        const WANTED: f64 = 5.0;
        let rough = (self.high - self.low) / WANTED;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let step = steps
            .map(|step| step * magnitude)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let decimals = (0..9)
            .find(|decimals| {
                let scaled = step * 10_f64.powi(*decimals);
                (scaled - scaled.round()).abs() < 1e-6 * scaled
            })
            .unwrap_or(9);
        let (first, last) = (
            (self.low / step).ceil() as i64,
            (self.high / step).floor() as i64,
        );
        let tick = |index: i64| {
            let value = index as f64 * step;
            (value, crate::names::number(value, decimals as usize))
        };
        (first..=last).map(tick).collect()
    }
}

/// A colour for a value from -1 (red) over 0 (nearly white) to 1 (blue), and whether ink on it should be light. Both sides are told
/// apart by people who see no difference between red and green.
pub(crate) fn diverging(value: f64) -> (Rgb, bool) {
    const STOPS: [[f64; 3]; 5] = [
        [165.0, 35.0, 40.0],
        [233.0, 150.0, 128.0],
        [245.0, 244.0, 240.0],
        [139.0, 178.0, 224.0],
        [28.0, 82.0, 160.0],
    ];
    let place = (value.clamp(-1.0, 1.0) + 1.0) * 2.0;
    let first = (place as usize).min(STOPS.len() - 2);
    let share = place - first as f64;
    let channel = |index: usize| {
        let (a, b) = (STOPS[first][index], STOPS[first + 1][index]);
        (a + (b - a) * share).round() as u8
    };
    let color = [channel(0), channel(1), channel(2)];
    (color, value.abs() > 0.62)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |low: f64, high: f64| -> Vec<String> {
            let axis = Axis {
                low,
                high,
                from: 0,
                to: 100,
            };
            axis.ticks().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(-1.02, 0.31), ["−1.0", "−0.5", "0.0"]);
        assert_eq!(texts(0.0, 10.0), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(0.0911, 0.0924), ["0.0915", "0.0920"]);
    }

    #[test]
    fn an_axis_goes_from_end_to_end_and_survives_equal_values() {
        let axis = Axis::over([2.0, 2.0], 100, 0);
        assert_eq!(axis.pixel(2.0), 50);
        assert_eq!(axis.pixel(f64::INFINITY), 0);
        assert!(!axis.ticks().is_empty());
        assert_eq!(Axis::over([], 0, 10).pixel(0.5), 5);
    }

    #[test]
    fn colours_part_at_zero() {
        assert_eq!(diverging(0.0).0, [245, 244, 240]);
        assert_eq!(diverging(-7.0).0, [165, 35, 40]);
        assert_eq!(diverging(1.0), ([28, 82, 160], true));
    }

    #[test]
    fn text_is_escaped_and_needs_no_font() {
        let mut canvas = Canvas::new(100, 50);
        canvas.heading("a < b & c", "");
        let svg = canvas.svg("test").unwrap();
        assert!(svg.contains("a &lt; b &amp; c"), "{svg}");
        assert!(
            svg.contains("sans-serif") && !svg.contains("@font-face"),
            "{svg}"
        );
    }
}
