//! The print on the chest.

use super::color::Color;
use super::dice::Dice;
use super::geometry::{Point, Turn, at};
use super::shapes::{Outline, Path, rounded_box};

/// A shape in one color on the front of the torso.
#[derive(Clone, Debug)]
pub(super) struct Print {
    pub(super) ink: Color,
    motif: Motif,
    center: Point,
    /// Half the motif's height in chest widths.
    size: f32,
    turn: Turn,
    outline: Option<Outline>,
}

/// What is printed. Outlines fit the square from -1 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Motif {
    Square,
    Disc,
    Ring,
    Star,
    Triangle,
    Heart,
    Letter(char),
}

const MOTIFS: [Motif; 12] = [
    Motif::Square,
    Motif::Disc,
    Motif::Ring,
    Motif::Star,
    Motif::Star,
    Motif::Triangle,
    Motif::Heart,
    Motif::Letter('T'),
    Motif::Letter('L'),
    Motif::Letter('H'),
    Motif::Letter('E'),
    Motif::Letter('X'),
];

/// A five-pointed star: unit circle at multiples of 72 degrees, inner radius 0.45.
const STAR: [(f32, f32); 10] = [
    (0.0, -1.0),
    (0.2645, -0.3641),
    (0.9511, -0.3090),
    (0.4280, 0.1391),
    (0.5878, 0.8090),
    (0.0, 0.45),
    (-0.5878, 0.8090),
    (-0.4280, 0.1391),
    (-0.9511, -0.3090),
    (-0.2645, -0.3641),
];

const TRIANGLE: [(f32, f32); 3] = [(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)];

fn polygon(points: &[(f32, f32)]) -> Outline {
    Outline::polygon(points.iter().map(|&(x, y)| at(x, y)).collect())
}

fn heart() -> Outline {
    Path::from(at(0.0, -0.45))
        .curve(at(0.1, -0.95), at(0.5, -0.95))
        .curve(at(1.0, -0.95), at(1.0, -0.35))
        .curve(at(0.95, 0.2), at(0.0, 0.95))
        .mirrored()
}

/// The letters' strokes as (center, half size) boxes.
fn strokes(letter: char) -> &'static [(Point, Point)] {
    const LEFT: (Point, Point) = (at(-0.5, 0.0), at(0.22, 1.0));
    const RIGHT: (Point, Point) = (at(0.5, 0.0), at(0.22, 1.0));
    const TOP: (Point, Point) = (at(0.0, -0.78), at(0.72, 0.22));
    const FOOT: (Point, Point) = (at(0.0, 0.78), at(0.72, 0.22));
    const MIDDLE: (Point, Point) = (at(0.0, 0.0), at(0.6, 0.2));
    const STEM: (Point, Point) = (at(0.0, 0.0), at(0.22, 1.0));
    match letter {
        'T' => &[TOP, STEM],
        'L' => &[LEFT, FOOT],
        'H' => &[LEFT, MIDDLE, RIGHT],
        _ => &[LEFT, TOP, MIDDLE, FOOT],
    }
}

impl Print {
    pub(super) fn draw(dice: &mut Dice, ink: Color) -> Self {
        let motif = dice.pick(&MOTIFS);
        let tilt = if matches!(motif, Motif::Letter('X')) {
            0.785
        } else {
            0.0
        };
        Self {
            ink,
            motif,
            center: at(dice.around_zero(0.13), dice.between(0.44, 0.72)),
            size: dice.between(0.14, 0.23),
            turn: Turn::by(dice.around_zero(0.25) + tilt),
            outline: match motif {
                Motif::Star => Some(polygon(&STAR)),
                Motif::Triangle => Some(polygon(&TRIANGLE)),
                Motif::Heart => Some(heart()),
                _ => None,
            },
        }
    }

    /// Signed distance in the flat garment's coordinates.
    pub(super) fn distance(&self, p: Point) -> f32 {
        let q = ((p - self.center) * (1.0 / self.size)).turned(self.turn.reversed());
        if q.x.abs().max(q.y.abs()) > 2.0 {
            return self.size;
        }
        let d = match (self.motif, &self.outline) {
            (_, Some(outline)) => outline.distance(q),
            (Motif::Disc, _) => q.length() - 0.9,
            (Motif::Ring, _) => (q.length() - 0.7).abs() - 0.26,
            (Motif::Letter('X'), _) => {
                let bar = rounded_box(q, at(0.26, 1.1), 0.0);
                bar.min(rounded_box(q, at(1.1, 0.26), 0.0))
            }
            (Motif::Letter(letter), _) => strokes(letter)
                .iter()
                .map(|&(center, half)| rounded_box(q - center, half, 0.0))
                .fold(f32::INFINITY, f32::min),
            _ => rounded_box(q, at(0.8, 0.8), 0.1),
        };
        d * self.size
    }

    /// What is printed, with its article.
    pub(super) fn name(&self) -> String {
        match self.motif {
            Motif::Square => "a square".into(),
            Motif::Disc => "a disc".into(),
            Motif::Ring => "a ring".into(),
            Motif::Star => "a star".into(),
            Motif::Triangle => "a triangle".into(),
            Motif::Heart => "a heart".into(),
            Motif::Letter(letter) => format!("the letter {letter}"),
        }
    }
}
