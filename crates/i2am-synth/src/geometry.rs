//! Points, turns and the frame that carries the flat garment onto the leaning body.
//!
//! Only `+ - * /` and `sqrt` are used: these are exact by IEEE 754, while `sin`, `exp` and `powf` come from the platform's
//! mathematics library and would give other pixels elsewhere.

use std::ops::{Add, Mul, Sub};

/// A point or vector. In a picture, x runs from its center line to the right and y from its top edge down, in picture heights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

/// Shorthand for a point.
pub(super) const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        at(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        at(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        at(self.x * factor, self.y * factor)
    }
}

impl Point {
    pub(super) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// The z component of the cross product.
    pub(super) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Mirrored at the vertical axis when `side` is -1.
    pub(super) fn on_side(self, side: f32) -> Self {
        at(self.x * side, self.y)
    }

    /// Turned by `turn`, clockwise as seen in a picture (y down).
    pub(super) fn turned(self, turn: Turn) -> Self {
        at(
            self.x * turn.cos - self.y * turn.sin,
            self.x * turn.sin + self.y * turn.cos,
        )
    }
}

/// A rotation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    cos: f32,
    sin: f32,
}

impl Turn {
    /// A rotation by `radians`, between about -3 and 3.
    ///
    /// Taylor series for a quarter of the angle, then doubled twice and scaled back onto the circle.
    pub(super) fn by(radians: f32) -> Self {
        let a = radians * 0.25;
        let a2 = a * a;
        let mut sin = a * (1.0 - a2 / 6.0 * (1.0 - a2 / 20.0 * (1.0 - a2 / 42.0)));
        let mut cos = 1.0 - a2 / 2.0 * (1.0 - a2 / 12.0 * (1.0 - a2 / 30.0));
        for _ in 0..2 {
            (sin, cos) = (2.0 * sin * cos, cos * cos - sin * sin);
        }
        let length = (sin * sin + cos * cos).sqrt();
        Self {
            cos: cos / length,
            sin: sin / length,
        }
    }

    pub(super) fn reversed(self) -> Self {
        Self {
            cos: self.cos,
            sin: -self.sin,
        }
    }
}

/// Where the flat garment lies in a picture: shift, scale, rotation, shear and bend.
///
/// The flat garment's own coordinates have the origin between the shoulders, y down, and the chest's width as unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Picture position of the flat garment's origin.
    pub(super) origin: Point,
    /// Picture heights per unit.
    pub(super) scale: f32,
    pub(super) turn: Turn,
    /// Sideways shift per unit of height.
    pub(super) shear: f32,
    /// Sideways bow of the center line, largest in the middle of the torso.
    pub(super) bend: f32,
}

impl Frame {
    fn sideways(&self, y: f32) -> f32 {
        // Above and below the torso the bow goes on straight, along its tangent: the head must not curl away.
        let inside = y.clamp(0.0, TORSO);
        let tangent = if y < 0.0 { y } else { inside - y };
        self.shear * y + self.bend * (inside * (TORSO - inside) + TORSO * tangent)
    }

    /// From the flat garment into the picture.
    pub(super) fn place(&self, local: Point) -> Point {
        let bowed = at(local.x + self.sideways(local.y), local.y);
        self.origin + bowed.turned(self.turn) * self.scale
    }

    /// From the picture into the flat garment.
    pub(super) fn locate(&self, point: Point) -> Point {
        let bowed = ((point - self.origin) * (1.0 / self.scale)).turned(self.turn.reversed());
        at(bowed.x - self.sideways(bowed.y), bowed.y)
    }
}

/// Height of the torso, neck to hip, in chest widths.
pub(super) const TORSO: f32 = 1.4;

/// An axis-parallel box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) low: Point,
    pub(super) high: Point,
}

impl Bounds {
    /// Everything: clipped to the picture when drawn.
    pub(super) const ALL: Self = Self {
        low: at(-1e6, -1e6),
        high: at(1e6, 1e6),
    };

    /// The smallest box around points, none for no points: then an empty box.
    pub(super) fn around(points: impl IntoIterator<Item = Point>) -> Self {
        let empty = Self {
            low: at(1e6, 1e6),
            high: at(-1e6, -1e6),
        };
        points.into_iter().fold(empty, |b, p| Self {
            low: at(b.low.x.min(p.x), b.low.y.min(p.y)),
            high: at(b.high.x.max(p.x), b.high.y.max(p.y)),
        })
    }

    /// Wider by `margin` on every side.
    pub(super) fn grown(self, margin: f32) -> Self {
        Self {
            low: self.low - at(margin, margin),
            high: self.high + at(margin, margin),
        }
    }
}
