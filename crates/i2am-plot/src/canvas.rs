use std::fmt::{self, Write as _};

use crate::tikz::Tikz;
use crate::{Axis, INK, MUTED, PAPER, RULE, Rgb};

/// Size of titles.
const TITLE: f64 = 15.0;
/// Size of the numbers along an axis.
const TICK: f64 = 11.0;

/// Where a text lies relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
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

/// What a plot is drawn on, in pixels from the upper left corner. Later shapes lie over earlier ones.
pub struct Canvas {
    svg: String,
    tikz: Tikz,
}

/// A finished plot in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// For screens.
    pub svg: String,
    /// A `tikzpicture` for LaTeX, in the font of the document; it needs the package `tikz`.
    pub tikz: String,
}

impl Canvas {
    /// Blank paper.
    pub fn new(width: i32, height: i32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let mut canvas = Self {
            svg: String::new(),
            tikz: Tikz::new([width, height]),
        };
        canvas.element(format_args!(r#"<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" font-family="sans-serif">"#));
        // Paper has its own color.
        canvas.svg_rectangle([0, 0], [width, height], PAPER);
        canvas
    }

    fn element(&mut self, element: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.svg, "{element}");
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: [i32; 2], to: [i32; 2], fill: Rgb) {
        self.tikz.rectangle(from, to, fill);
        self.svg_rectangle(from, to, fill);
    }

    fn svg_rectangle(&mut self, from: [i32; 2], to: [i32; 2], fill: Rgb) {
        let ([x, y], [width, height]) = (from, [to[0] - from[0], to[1] - from[1]]);
        let fill = hex(fill);
        self.element(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"/>"#
        ));
    }

    /// A line through `points`.
    pub fn path<T: Into<f64>>(
        &mut self,
        points: impl IntoIterator<Item = [T; 2]>,
        color: Rgb,
        width: u32,
    ) {
        let points = list(points);
        self.tikz.path(&points, color, width);
        let color = hex(color);
        self.element(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}"/>"#
        ));
    }

    /// A filled polygon; `opacity` from 0 to 1.
    pub fn area<T: Into<f64>>(
        &mut self,
        points: impl IntoIterator<Item = [T; 2]>,
        color: Rgb,
        opacity: f64,
    ) {
        let points = list(points);
        self.tikz.area(&points, color, opacity);
        let color = hex(color);
        self.element(format_args!(
            r#"<polygon points="{points}" fill="{color}" opacity="{opacity}"/>"#
        ));
    }

    /// A filled circle; `opacity` from 0 to 1.
    pub fn circle(&mut self, [x, y]: [i32; 2], radius: i32, color: Rgb, opacity: f64) {
        self.tikz.circle([x, y], radius, color, opacity);
        let color = hex(color);
        self.element(format_args!(
            r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{color}" opacity="{opacity}"/>"#
        ));
    }

    /// Text of `size` pixels.
    pub fn text(
        &mut self,
        at: [i32; 2],
        text: impl AsRef<str>,
        size: f64,
        color: Rgb,
        anchor: Anchor,
    ) {
        self.write(at, text.as_ref(), size, color, anchor, "");
    }

    /// The title of a plot, and a remark below it.
    pub fn heading(&mut self, title: &str, remark: &str) {
        let bold = r#" font-weight="bold""#;
        self.write([14, 20], title, TITLE, INK, Anchor::Left, bold);
        if !remark.is_empty() {
            self.text([14, 40], remark, 12.0, MUTED, Anchor::Left);
        }
    }

    fn write(
        &mut self,
        [x, y]: [i32; 2],
        text: &str,
        size: f64,
        color: Rgb,
        anchor: Anchor,
        weight: &str,
    ) {
        self.tikz
            .text([x, y], text, size, color, anchor, !weight.is_empty());
        let place = match anchor {
            Anchor::Left | Anchor::Up => "start",
            Anchor::Middle | Anchor::UpMiddle => "middle",
            Anchor::Right => "end",
        };
        let turn = match anchor {
            Anchor::Up | Anchor::UpMiddle => format!(r#" transform="rotate(270, {x}, {y})""#),
            _ => String::new(),
        };
        let (color, text) = (hex(color), escaped(text));
        // The shift puts the middle of digits and capitals at the point; viewers agree on it, and not on `dominant-baseline`.
        self.element(format_args!(r#"<text x="{x}" y="{y}" dy="0.35em" text-anchor="{place}" font-size="{size}"{weight} fill="{color}"{turn}>{text}</text>"#));
    }

    /// A vertical line from `top` to `bottom` at every tick of a horizontal axis, and its text below.
    pub fn columns(
        &mut self,
        axis: Axis,
        ticks: impl IntoIterator<Item = (f64, String)>,
        [top, bottom]: [i32; 2],
    ) {
        for (value, text) in ticks {
            let x = axis.pixel(value);
            self.path([[x, top], [x, bottom]], RULE, 1);
            self.text([x, bottom + 14], text, TICK, MUTED, Anchor::Middle);
        }
    }

    /// A horizontal line from `left` to `right` at every tick of a vertical axis, and its text before it.
    pub fn rows(
        &mut self,
        axis: Axis,
        ticks: impl IntoIterator<Item = (f64, String)>,
        [left, right]: [i32; 2],
    ) {
        for (value, text) in ticks {
            let y = axis.pixel(value);
            self.path([[left, y], [right, y]], RULE, 1);
            self.text([left - 8, y], text, TICK, MUTED, Anchor::Right);
        }
    }

    /// The plot as SVG.
    pub fn svg(self) -> String {
        self.drawing().svg
    }

    /// The plot as SVG and for LaTeX.
    pub fn drawing(mut self) -> Drawing {
        self.svg.push_str("</svg>\n");
        Drawing {
            svg: self.svg,
            tikz: self.tikz.finished(),
        }
    }
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Points to a tenth of a pixel.
fn list<T: Into<f64>>(points: impl IntoIterator<Item = [T; 2]>) -> String {
    let tenths = |value: T| (value.into() * 10.0).round() / 10.0;
    let points = points.into_iter().map(|point| {
        let [x, y] = point.map(tenths);
        format!("{x},{y}")
    });
    points.collect::<Vec<_>>().join(" ")
}

/// `text` as XML has it. What XML cannot hold is replaced by the character for that.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{FFFE}' | '\u{FFFF}' => out.push(char::REPLACEMENT_CHARACTER),
            other if other.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

/// Width of a plot's title in pixels, roughly.
pub fn title_width(text: &str) -> i32 {
    text_width(text, TITLE * 1.1)
}

/// Width of a text in pixels, roughly: the viewer's font is not known.
pub fn text_width(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * size * 0.56).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Canvas, Drawing};
    use crate::{ACCENT, Axis, INK};

    #[test]
    fn text_is_escaped_and_needs_no_font() {
        let mut canvas = Canvas::new(100, 50);
        canvas.heading("a < b & c\u{1}", "");
        let svg = canvas.svg();
        assert!(svg.contains("a &lt; b &amp; c\u{FFFD}"), "{svg}");
        assert!(
            svg.contains("sans-serif") && !svg.contains("@font-face"),
            "{svg}"
        );
    }

    /// Every kind of shape and text once.
    #[test]
    fn a_small_plot() {
        let mut canvas = Canvas::new(200, 120);
        canvas.heading("Title", "Remark");
        let x = Axis::between(0.0, 2.0, 40, 190);
        let y = Axis::between(-1.0, 1.0, 100, 50);
        canvas.columns(x, x.ticks().into_iter().step_by(2), [50, 100]);
        canvas.rows(y, [(-1.0, "−1".to_owned())], [40, 190]);
        canvas.rectangle([50, 60], [60, 70], ACCENT);
        canvas.area([[40, 100], [115, 75], [115, 100]], ACCENT, 0.12);
        canvas.path(
            [0.0, 0.333, 2.0].map(|at| [x.place(at), y.place(at - 1.0)]),
            ACCENT,
            2,
        );
        canvas.circle([x.pixel(1.0), y.pixel(0.0)], 3, ACCENT, 0.5);
        canvas.text([14, 100], "up", 12.0, INK, Anchor::Up);
        canvas.text([28, 75], "middle", 12.0, INK, Anchor::UpMiddle);
        let Drawing { svg, tikz } = canvas.drawing();
        insta::assert_snapshot!("a_small_plot", svg);
        // The same shapes for LaTeX; the accent is #2F6FDE.
        for line in [
            "\\useasboundingbox (0,0) rectangle (200,120);",
            "\\fill[fill={rgb,255:red,47;green,111;blue,222}] (50,60) rectangle (60,70);",
            "(40,100) -- (115,75) -- (115,100) -- cycle;",
            "\\bfseries Title};",
            "rotate=90,anchor=mid west",
            "$-$1};",
        ] {
            assert!(tikz.contains(line), "{line}: {tikz}");
        }
    }
}
