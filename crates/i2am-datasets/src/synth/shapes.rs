//! Signed distances: negative inside, positive outside, in the unit of the points.

use super::geometry::{Bounds, Point, at};

/// A closed outline made of straight pieces and curves that were cut into straight pieces.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    points: Vec<Point>,
}

/// Pieces a curve is cut into: at 1024 pixels of height the corners stay under a pixel.
const PIECES: usize = 6;

impl Outline {
    pub(super) fn polygon(points: Vec<Point>) -> Self {
        Self { points }
    }

    /// Starts an open path.
    pub(super) fn from(start: Point) -> Self {
        Self {
            points: vec![start],
        }
    }

    pub(super) fn line(mut self, end: Point) -> Self {
        self.points.push(end);
        self
    }

    /// A quadratic curve from the last point, pulled towards `control`.
    pub(super) fn curve(mut self, control: Point, end: Point) -> Self {
        let start = self.points[self.points.len() - 1];
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            let a = start + (control - start) * t;
            let b = control + (end - control) * t;
            self.points.push(a + (b - a) * t);
        }
        self
    }

    /// Closes a right half, drawn from top centre to bottom centre, with its mirror image.
    pub(super) fn mirrored(mut self) -> Self {
        let left: Vec<Point> = self.points.iter().rev().map(|p| p.on_side(-1.0)).collect();
        self.points
            .extend(left.into_iter().filter(|p| p.x.abs() > 1e-6));
        self
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn distance(&self, p: Point) -> f32 {
        let mut nearest = f32::INFINITY;
        let mut inside = false;
        let mut from = self.points[self.points.len() - 1];
        for &to in &self.points {
            let edge = to - from;
            let rel = p - from;
            let t = (rel.dot(edge) / edge.dot(edge).max(1e-12)).clamp(0.0, 1.0);
            let off = rel - edge * t;
            nearest = nearest.min(off.dot(off));
            // A ray to the left crosses this edge.
            if (from.y > p.y) != (to.y > p.y) {
                inside ^= (edge.cross(rel) > 0.0) == (edge.y > 0.0);
            }
            from = to;
        }
        let distance = nearest.sqrt();
        if inside { -distance } else { distance }
    }
}

/// A box with rounded corners around the origin.
pub(super) fn rounded_box(p: Point, half: Point, radius: f32) -> f32 {
    let q = at(p.x.abs() - (half.x - radius), p.y.abs() - (half.y - radius));
    let outside = at(q.x.max(0.0), q.y.max(0.0)).length();
    outside + q.x.max(q.y).min(0.0) - radius
}

/// An ellipse around the origin; exact on the outline, nearly so close to it.
pub(super) fn ellipse(p: Point, radii: Point) -> f32 {
    let q = at(p.x / radii.x, p.y / radii.y);
    let gradient = at(q.x / radii.x, q.y / radii.y).length();
    let k = q.length();
    if gradient < 1e-6 {
        return -radii.x.min(radii.y);
    }
    k * (k - 1.0) / gradient
}

/// A bent limb or sleeve: two straight pieces with a thickness that changes along them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limb {
    pub(super) joints: [Point; 3],
    /// Half thickness at each joint.
    pub(super) radii: [f32; 3],
}

/// A place on a limb.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnLimb {
    /// Signed distance to the limb's surface.
    pub(super) distance: f32,
    /// Length along the limb from the first joint; negative before it.
    pub(super) along: f32,
    /// Signed offset from the middle line.
    pub(super) across: f32,
}

impl Limb {
    pub(super) fn bounds(&self) -> Bounds {
        let widest = self.radii.iter().fold(0.0_f32, |w, &r| w.max(r));
        Bounds::around(self.joints).grown(widest)
    }

    fn piece(&self, which: usize, p: Point) -> OnLimb {
        let (from, to) = (self.joints[which], self.joints[which + 1]);
        let axis = to - from;
        let length = axis.length().max(1e-6);
        let direction = axis * (1.0 / length);
        let rel = p - from;
        let along = rel.dot(direction);
        let t = (along / length).clamp(0.0, 1.0);
        let radius = self.radii[which] + (self.radii[which + 1] - self.radii[which]) * t;
        OnLimb {
            distance: (rel - axis * t).length() - radius,
            along,
            across: direction.cross(rel),
        }
    }

    pub(super) fn locate(&self, p: Point) -> OnLimb {
        let upper = self.piece(0, p);
        let lower = self.piece(1, p);
        if upper.distance <= lower.distance {
            return upper;
        }
        let bend = (self.joints[1] - self.joints[0]).length();
        OnLimb {
            along: lower.along + bend,
            ..lower
        }
    }

    pub(super) fn distance(&self, p: Point) -> f32 {
        self.piece(0, p).distance.min(self.piece(1, p).distance)
    }

    /// The same limb, thicker (or thinner) by `ease`.
    pub(super) fn eased(self, ease: f32) -> Self {
        Self {
            radii: self.radii.map(|r| r + ease),
            ..self
        }
    }
}
