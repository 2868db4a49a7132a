//! What is behind the person.

use super::canvas::{Canvas, Field, Size};
use super::color::{Color, wall};
use super::dice::Dice;
use super::geometry::{Bounds, Point, at};
use super::texture::cover;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Gradient,
    Tiles { side: f32 },
    Room { floor: f32 },
    Panels { width: f32 },
    Window { corner: Point },
}

/// Paints a quiet background over the whole canvas.
pub(super) fn paint(dice: &mut Dice, size: Size) -> Canvas {
    let first = wall(dice);
    let second = first.mixed(wall(dice), 0.7).lit(dice.between(0.8, 1.05));
    let kind = match dice.below(6) {
        0 => Kind::Plain,
        1 => Kind::Gradient,
        2 => Kind::Tiles {
            side: dice.between(0.09, 0.16),
        },
        3 => Kind::Room {
            floor: dice.between(0.72, 0.88),
        },
        4 => Kind::Panels {
            width: dice.between(0.1, 0.2),
        },
        _ => Kind::Window {
            corner: at(dice.between(-0.42, 0.1), dice.between(0.05, 0.15)),
        },
    };
    let mut canvas = Canvas::filled(size, first);
    if let Kind::Plain = kind {
        return canvas;
    }
    let blur = size.pixel();
    let everywhere = Field::trace(size, Bounds::ALL, |_| -1.0);
    canvas.paint(&everywhere, 0.0, |p| shade(kind, p, blur, first, second));
    canvas
}

fn shade(kind: Kind, p: Point, blur: f32, first: Color, second: Color) -> Color {
    // Distance to the joint between tiles or panels of the given size.
    let joint = |x: f32, side: f32| {
        let steps = x / side;
        ((steps - steps.floor() - 0.5).abs() - 0.5).abs() * side
    };
    match kind {
        Kind::Plain => first,
        Kind::Gradient => first.mixed(second, p.y),
        Kind::Tiles { side } => {
            let line = joint(p.x + 0.031, side).min(joint(p.y, side));
            first.mixed(second, cover(line - 0.004, blur))
        }
        Kind::Room { floor } => {
            let board = cover((p.y - floor).abs() - 0.006, blur);
            first
                .mixed(second, cover(floor - p.y, blur))
                .mixed(second.lit(0.7), board)
        }
        Kind::Panels { width } => {
            let steps = ((p.x + 3.0) / width).floor();
            if steps % 2.0 == 0.0 {
                first
            } else {
                first.mixed(second, 0.6)
            }
        }
        Kind::Window { corner } => {
            let q = p - corner;
            let (width, height) = (0.3, 0.34);
            let frame = q.x.abs().min((q.x - width).abs());
            let inside = (-q.x).max(q.x - width).max(-q.y).max(q.y - height);
            let cross = (q.x - width * 0.5).abs().min((q.y - height * 0.5).abs());
            let rim = inside
                .abs()
                .min(if inside < 0.0 { cross.min(frame) } else { 1.0 });
            first
                .mixed(second.lit(1.15), cover(inside, blur))
                .mixed(first.lit(0.8), cover(rim - 0.006, blur))
        }
    }
}
