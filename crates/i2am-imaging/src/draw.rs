//! The filled shapes of Pillow's `ImageDraw` on gray pictures, pixel for pixel.
//!
//! Published preprocessing paints with them, so that a pixel more or less at an edge is another input. Coordinates are x and y in
//! pixels; as in Pillow they are cut to whole numbers towards zero, and what lies outside the picture is not drawn.
//!
//! # Source
//! Pillow 13.0.0 (fixture `draw`).

use image::{GrayImage, Luma};

/// `ImageDraw.rectangle((left, top, right, bottom), level, level)`: all four edges belong to it.
pub fn pillow_rectangle(image: &mut GrayImage, corners: [f64; 4], level: u8) {
    let [left, top, right, bottom] = corners.map(|value| value as i32);
    let height = image.height() as i32;
    for row in top.min(bottom).max(0)..=top.max(bottom).min(height - 1) {
        horizontal(image, left, row, right, level);
    }
}

/// `ImageDraw.ellipse((left, top, right, bottom), level, level)`: the ellipse that touches the four edges. Nothing if they are
/// in the wrong order.
pub fn pillow_ellipse(image: &mut GrayImage, corners: [f64; 4], level: u8) {
    let [left, top, right, bottom] = corners.map(|value| value as i32);
    let (a, b) = (right - left, bottom - top);
    if a < 0 || b < 0 {
        return;
    }
    // In half pixels from the center: `half_width` at `half_row` rows up and down.
    for (half_width, half_row) in quarter(a, b) {
        let (from, to) = (
            left + (a - half_width) / 2,
            left + i32::midpoint(a, half_width),
        );
        for row in [(b - half_row) / 2, i32::midpoint(b, half_row)] {
            horizontal(image, from, top + row, to, level);
        }
    }
}

/// The outline of a quarter of an ellipse with the axes `a` and `b`, from its side to its top: the widest `x` for each `y`, both in
/// half pixels. Of the three next points of the grid, the one nearest to the curve is taken.
fn quarter(a: i32, b: i32) -> Vec<(i32, i32)> {
    let [a2, b2] = [a, b].map(|axis| i64::from(axis) * i64::from(axis));
    let error = |x: i32, y: i32| {
        let [x, y] = [x, y].map(i64::from);
        (a2 * y * y + b2 * x * x - a2 * b2).abs()
    };
    let (mut x, mut y) = (a, b % 2);
    let mut rows = vec![(x, y)];
    while (x, y) != (a % 2, b) {
        let mut next = (x, y + 2);
        if x > 1 {
            for other in [(x - 2, y + 2), (x - 2, y)] {
                if error(next.0, next.1) > error(other.0, other.1) {
                    next = other;
                }
            }
        }
        if next.1 > y {
            rows.push(next);
        }
        (x, y) = next;
        if y > b {
            break;
        }
    }
    rows
}

/// `ImageDraw.line((from, to), level, width)` with a width of at least 2 pixels: a rectangle with straight ends.
pub fn pillow_wide_line(
    image: &mut GrayImage,
    from: [f64; 2],
    to: [f64; 2],
    width: u32,
    level: u8,
) {
    let [[x0, y0], [x1, y1]] = [from, to].map(|point| point.map(|value| value as i32));
    let (dx, dy) = (f64::from(x1 - x0), f64::from(y1 - y0));
    if (x0, y0) == (x1, y1) {
        horizontal(image, x0, y0, x0, level);
        return;
    }
    // An even width is split into unequal halves.
    let half = (f64::from(width) - 1.0) / 2.0;
    let [less, more] = [half_towards(half), half_away(half)].map(|half| half / dx.hypot(dy));
    let [x_less, x_more] = [less, more].map(|ratio| half_towards(ratio * dy) as i32);
    let [y_less, y_more] = [less, more].map(|ratio| half_towards(ratio * dx) as i32);
    let corners = [
        [x0 - x_less, y0 + y_more],
        [x1 - x_less, y1 + y_more],
        [x1 + x_more, y1 - y_less],
        [x0 + x_more, y0 - y_less],
    ];
    fill(image, &corners, level);
}

/// `ImageDraw.polygon(points, level, level)`.
pub fn pillow_polygon(image: &mut GrayImage, points: &[[f64; 2]], level: u8) {
    let points: Vec<[i32; 2]> = points
        .iter()
        .map(|point| point.map(|value| value as i32))
        .collect();
    fill(image, &points, level);
}

/// To the nearest whole number, halves away from zero.
fn half_away(value: f64) -> f64 {
    (value.abs() + 0.5).floor().copysign(value)
}

/// To the nearest whole number, halves towards zero.
fn half_towards(value: f64) -> f64 {
    (value.abs() - 0.5).ceil().copysign(value)
}

fn horizontal(image: &mut GrayImage, from: i32, row: i32, to: i32, level: u8) {
    let (width, height) = (image.width() as i32, image.height() as i32);
    if (0..height).contains(&row) {
        for column in from.max(0)..=to.min(width - 1) {
            image.put_pixel(column as u32, row as u32, Luma([level]));
        }
    }
}

/// An edge of a polygon that is not level.
struct Edge {
    x: i32,
    y: i32,
    top: i32,
    bottom: i32,
    /// x per row.
    slope: f32,
}

impl Edge {
    /// x in `row`. In `f32` like Pillow's, which decides on which side of a half an x falls.
    fn at(&self, row: i32) -> f32 {
        (row - self.y) as f32 * self.slope + self.x as f32
    }

    fn ends_in(&self, row: i32) -> bool {
        row == self.top || row == self.bottom
    }

    fn spans(&self, row: i32) -> bool {
        (self.top..=self.bottom).contains(&row)
    }
}

/// Fills a closed polygon row by row between every other crossing with its edges.
fn fill(image: &mut GrayImage, points: &[[i32; 2]], level: u8) {
    let height = image.height() as i32;
    let (mut first, mut last) = (height - 1, 0);
    let mut edges = Vec::new();
    for (index, &[x, y]) in points.iter().enumerate() {
        let [end_x, end_y] = points[(index + 1) % points.len()];
        first = first.min(y);
        last = last.max(y);
        if y == end_y {
            horizontal(image, x.min(end_x), y, x.max(end_x), level);
            continue;
        }
        edges.push(Edge {
            x,
            y,
            top: y.min(end_y),
            bottom: y.max(end_y),
            slope: (end_x - x) as f32 / (end_y - y) as f32,
        });
    }
    for row in first.max(0)..=last.min(height) {
        let mut crossings = crossings(&edges, row, row < last.min(height));
        crossings.sort_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let from = (pair[0].abs() + 0.5).floor().copysign(pair[0]);
            let to = (pair[1].abs() - 0.5).ceil().copysign(pair[1]);
            horizontal(image, from as i32, row, to as i32, level);
        }
    }
}

/// Where edges cross `row`. An edge that ends here while the polygon goes on below counts twice, so that the edge that takes over
/// makes a pair of its own.
fn crossings(edges: &[Edge], row: i32, goes_on: bool) -> Vec<f32> {
    let mut crossings = Vec::new();
    for (index, edge) in edges.iter().enumerate() {
        if !edge.spans(row) {
            continue;
        }
        let x = edge.at(row);
        if row == edge.bottom && goes_on {
            crossings.extend([x, x]);
        } else if edge.ends_in(row) && edge.slope != 0.0 {
            crossings.push(corner(edge, &edges[..index], row, x));
        } else {
            crossings.push(x);
        }
    }
    crossings
}

/// Draws a pointed corner out to where it meets the next row, so that a flat corner has no gap: moves the crossing `x` of `edge`
/// where it meets one of the `earlier` edges and both lead away to the same side by more than a pixel.
fn corner(edge: &Edge, earlier: &[Edge], row: i32, x: f32) -> f32 {
    let neighbor = if row == edge.bottom { row - 1 } else { row + 1 };
    let meets = |other: &&Edge| {
        other.ends_in(row)
            && other.slope != 0.0
            && (x.round() as i64) == (other.at(row).round() as i64)
            && other.spans(neighbor)
    };
    let Some(other) = earlier.iter().find(meets) else {
        return x;
    };
    let (here, there) = (edge.at(neighbor), other.at(neighbor));
    if x > here + 1.0 && x > there + 1.0 {
        here.max(there).round() + 1.0
    } else if x < here - 1.0 && x < there - 1.0 {
        here.min(there).round() - 1.0
    } else {
        x
    }
}
