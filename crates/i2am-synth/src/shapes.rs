//! Signed distances: negative inside, positive outside, in the unit of the points.

use super::geometry::{Bounds, Point, at};

/// An open path of straight pieces and curves that are cut into straight pieces.
#[derive(Clone, Debug)]
pub(super) struct Path {
    points: Vec<Point>,
}

/// Pieces a curve is cut into: at 1024 pixels of height the corners stay under a pixel.
const PIECES: usize = 6;

impl Path {
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

    /// Closes the path with a straight line to its start.
    pub(super) fn closed(self) -> Outline {
        Outline::polygon(self.points)
    }

    /// Closes a right half, drawn from top center to bottom center, with its mirror image.
    pub(super) fn mirrored(mut self) -> Outline {
        let left: Vec<Point> = self.points.iter().rev().map(|p| p.on_side(-1.0)).collect();
        self.points
            .extend(left.into_iter().filter(|p| p.x.abs() > 1e-6));
        self.closed()
    }
}

/// A closed polygon.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    points: Vec<Point>,
    edges: Vec<Edges>,
}

/// Edges looked at together: half of the drawing's time goes into distances to outlines, and the compiler turns loops of a
/// fixed length over arrays into vector instructions.
const LANES: usize = 8;

/// Some edges, field by field.
#[derive(Clone, Copy, Debug)]
struct Edges {
    x: [f32; LANES],
    y: [f32; LANES],
    dx: [f32; LANES],
    dy: [f32; LANES],
    /// Height of the end, as given: `y + dy` may round to something else than the next edge's start.
    end: [f32; LANES],
    /// One over the squared length.
    inverse: [f32; LANES],
}

impl Outline {
    pub(super) fn polygon(points: Vec<Point>) -> Self {
        let ends = points.iter().cycle().skip(1);
        let pairs: Vec<(Point, Point)> = points.iter().copied().zip(ends.copied()).collect();
        let edges = pairs.chunks(LANES).map(Edges::gather).collect();
        Self { points, edges }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn distance(&self, p: Point) -> f32 {
        let mut nearest = [f32::INFINITY; LANES];
        let mut crossings = [0_u32; LANES];
        for edges in &self.edges {
            edges.update(p, &mut nearest, &mut crossings);
        }
        let distance = nearest.into_iter().fold(f32::INFINITY, f32::min).sqrt();
        // A ray that crosses the outline an odd number of times starts inside.
        let inside = crossings.into_iter().fold(0, |all, one| all ^ one) == 1;
        if inside { -distance } else { distance }
    }
}

impl Edges {
    /// Fills up with copies of the first start: points have no crossing, and are no nearer than their edge.
    fn gather(pairs: &[(Point, Point)]) -> Self {
        let pair = |lane: usize| pairs.get(lane).copied().unwrap_or((pairs[0].0, pairs[0].0));
        let each = |value: fn(Point, Point) -> f32| {
            std::array::from_fn(|lane| {
                let (from, to) = pair(lane);
                value(from, to)
            })
        };
        Self {
            x: each(|from, _| from.x),
            y: each(|from, _| from.y),
            dx: each(|from, to| to.x - from.x),
            dy: each(|from, to| to.y - from.y),
            end: each(|_, to| to.y),
            inverse: each(|from, to| 1.0 / (to - from).dot(to - from).max(1e-12)),
        }
    }

    /// Takes in the squared distances from `p`, and whether a sideways ray from `p` crosses.
    #[inline]
    fn update(&self, p: Point, nearest: &mut [f32; LANES], crossings: &mut [u32; LANES]) {
        for lane in 0..LANES {
            let (dx, dy) = (self.dx[lane], self.dy[lane]);
            let (x, y) = (p.x - self.x[lane], p.y - self.y[lane]);
            let t = (x * dx + y * dy) * self.inverse[lane];
            // Not `clamp`: its care for NaN is in the way of vector instructions.
            let t = if t < 0.0 { 0.0 } else { t };
            let t = if t > 1.0 { 1.0 } else { t };
            let (off_x, off_y) = (x - dx * t, y - dy * t);
            let squared = off_x * off_x + off_y * off_y;
            nearest[lane] = if squared < nearest[lane] {
                squared
            } else {
                nearest[lane]
            };
            let spans = (self.y[lane] > p.y) != (self.end[lane] > p.y);
            let on_the_side = (dx * y - dy * x > 0.0) == (dy > 0.0);
            crossings[lane] ^= u32::from(spans & on_the_side);
        }
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
