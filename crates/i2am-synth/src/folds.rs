//! Light and creases on worn cloth.

use super::dice::Dice;
use super::geometry::{Point, Turn, at};

/// A few creases and the side the light comes from.
#[derive(Clone, Debug)]
pub(super) struct Folds {
    creases: [Crease; 4],
    light: f32,
}

#[derive(Clone, Copy, Debug)]
struct Crease {
    start: Point,
    turn: Turn,
    length: f32,
    width: f32,
    depth: f32,
}

impl Folds {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let mut crease = |start: Point, lean: f32| Crease {
            start: start + at(dice.around_zero(0.05), dice.around_zero(0.1)),
            turn: Turn::by(lean + dice.around_zero(0.3)),
            length: dice.between(0.25, 0.5),
            width: dice.between(0.03, 0.055),
            depth: dice.between(0.06, 0.16),
        };
        Self {
            creases: [
                crease(at(-0.4, 0.5), -1.0),
                crease(at(0.4, 0.5), 1.0),
                crease(at(-0.34, 0.95), -0.9),
                crease(at(0.3, 1.05), 0.7),
            ],
            light: dice.between(-0.16, 0.16),
        }
    }

    /// Brightness of the torso's cloth at `p` of the flat garment.
    pub(super) fn torso(&self, p: Point) -> f32 {
        let side = p.x * 2.0;
        let round = 1.03 - 0.13 * side * side + self.light * side * 0.6;
        self.creases
            .iter()
            .fold(round, |light, crease| light * crease.shade(p))
    }

    /// Brightness of a sleeve at `across`, from -1 to 1 of its half width.
    pub(super) fn sleeve(&self, across: f32) -> f32 {
        0.98 - 0.12 * across * across + self.light * across * 0.5
    }
}

impl Crease {
    fn shade(&self, p: Point) -> f32 {
        let q = (p - self.start).turned(self.turn);
        let bump = |t: f32| {
            let inside = (1.0 - t * t).max(0.0);
            inside * inside
        };
        let dark = bump(q.x / self.width) * bump(q.y / self.length);
        // The ridge next to a crease catches the light.
        let bright = bump((q.x - self.width * 1.4) / self.width) * bump(q.y / self.length);
        1.0 - self.depth * dark + 0.35 * self.depth * bright
    }
}
