//! A plot as a `tikzpicture`: the same shapes as in SVG, texts in the font of the document.

use std::fmt::Write as _;

use crate::{Anchor, Rgb, tex};

/// Pixels to points: a plot of 480 pixels is as wide as a column of text.
const POINTS: f64 = 0.5;

/// What is drawn so far.
pub(crate) struct Tikz {
    text: String,
}

impl Tikz {
    pub(crate) fn new([width, height]: [i32; 2]) -> Self {
        // Lines may be cut a little at the edge of a picture otherwise.
        Self {
            text: format!(
                "\\begin{{tikzpicture}}[x={POINTS}pt,y=-{POINTS}pt]\n\\useasboundingbox (0,0) rectangle ({width},{height});\n"
            ),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    pub(crate) fn rectangle(&mut self, from: [i32; 2], to: [i32; 2], fill: Rgb) {
        let ([left, top], [right, bottom]) = (from, to);
        let color = color(fill);
        self.line(format_args!(
            "\\fill[fill={color}] ({left},{top}) rectangle ({right},{bottom});"
        ));
    }

    /// `points` as in SVG: `x,y x,y`.
    pub(crate) fn path(&mut self, points: &str, stroke: Rgb, width: u32) {
        let (points, color) = (joined(points), color(stroke));
        let width = f64::from(width) * POINTS;
        self.line(format_args!(
            "\\draw[draw={color},line width={width}pt] {points};"
        ));
    }

    pub(crate) fn area(&mut self, points: &str, fill: Rgb, opacity: f64) {
        let (points, color) = (joined(points), color(fill));
        self.line(format_args!(
            "\\fill[fill={color},opacity={opacity}] {points} -- cycle;"
        ));
    }

    pub(crate) fn circle(&mut self, [x, y]: [i32; 2], radius: i32, fill: Rgb, opacity: f64) {
        let (color, radius) = (color(fill), f64::from(radius) * POINTS);
        self.line(format_args!(
            "\\fill[fill={color},opacity={opacity}] ({x},{y}) circle[radius={radius}pt];"
        ));
    }

    pub(crate) fn text(
        &mut self,
        [x, y]: [i32; 2],
        text: &str,
        size: f64,
        ink: Rgb,
        anchor: Anchor,
        bold: bool,
    ) {
        let place = match anchor {
            Anchor::Left => "anchor=mid west",
            Anchor::Middle => "anchor=mid",
            Anchor::Right => "anchor=mid east",
            Anchor::Up => "rotate=90,anchor=mid west",
            Anchor::UpMiddle => "rotate=90,anchor=mid",
        };
        let (color, text) = (color(ink), tex(text));
        let weight = if bold { "\\bfseries " } else { "" };
        // A little larger than on a screen, because papers are read at this size.
        let size = size * POINTS * 1.15;
        let lead = size * 1.2;
        self.line(format_args!(
            "\\node[inner sep=0pt,{place},text={color}] at ({x},{y}) {{\\fontsize{{{size:.1}}}{{{lead:.1}}}\\selectfont {weight}{text}}};"
        ));
    }

    pub(crate) fn finished(mut self) -> String {
        self.text.push_str("\\end{tikzpicture}\n");
        self.text
    }
}

/// `x,y x,y` as a path of lines.
fn joined(points: &str) -> String {
    let points: Vec<String> = points
        .split(' ')
        .map(|point| format!("({point})"))
        .collect();
    points.join(" -- ")
}

fn color([red, green, blue]: Rgb) -> String {
    format!("{{rgb,255:red,{red};green,{green};blue,{blue}}}")
}
