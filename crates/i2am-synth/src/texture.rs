//! What is woven into and printed onto the garment.

use super::color::{Color, contrasting, dye};
use super::dice::Dice;
use super::geometry::{Point, Turn, at};
use super::print::Print;

/// The weave, in the flat garment's coordinates (unit: chest width).
#[derive(Clone, Copy, Debug)]
enum Weave {
    Plain,
    /// Stripes across or along the body; `share` of each period is in the second color.
    Stripes {
        upright: bool,
        period: f32,
        share: f32,
        phase: f32,
    },
    Dots {
        period: f32,
        radius: f32,
        phase: Point,
    },
    Checks {
        period: f32,
        phase: Point,
    },
    /// Two colors meeting at a straight line.
    Halves {
        turn: Turn,
        offset: f32,
    },
}

/// Colors, weave and print of one garment.
#[derive(Clone, Debug)]
pub(super) struct Texture {
    pub(super) base: Color,
    second: Color,
    weave: Weave,
    pub(super) print: Option<Print>,
}

/// How much of a shape at signed distance `d` covers a spot `blur` wide.
pub(super) fn cover(d: f32, blur: f32) -> f32 {
    (0.5 - d / blur).clamp(0.0, 1.0)
}

/// Signed distance to the nearest stripe, stripes taking `share` of every `period`.
fn stripe(x: f32, period: f32, share: f32) -> f32 {
    let phase = x / period;
    let phase = phase - phase.floor();
    ((phase - 0.5).abs() - share * 0.5) * period
}

impl Texture {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let base = dye(dice);
        let second = contrasting(dice, &[base]);
        let weave = Weave::draw(dice);
        let print = dice.chance(0.75).then(|| {
            let ground: &[Color] = match weave {
                Weave::Plain => &[base],
                _ => &[base, second],
            };
            let ink = contrasting(dice, ground);
            Print::draw(dice, ink)
        });
        Self {
            base,
            second,
            weave,
            print,
        }
    }

    /// The cloth's color at `p`, averaged over a spot `blur` wide; without the print.
    pub(super) fn cloth(&self, p: Point, blur: f32) -> Color {
        self.base.mixed(self.second, self.weave.amount(p, blur))
    }

    /// The cloth's color with the print on it.
    pub(super) fn front(&self, p: Point, blur: f32) -> Color {
        let cloth = self.cloth(p, blur);
        match &self.print {
            Some(print) => cloth.mixed(print.ink, cover(print.distance(p), blur)),
            None => cloth,
        }
    }

    /// The weave in one word.
    pub(super) fn name(&self) -> &'static str {
        match self.weave {
            Weave::Plain => "plain",
            Weave::Stripes { upright: true, .. } => "pinstriped",
            Weave::Stripes { upright: false, .. } => "striped",
            Weave::Dots { .. } => "dotted",
            Weave::Checks { .. } => "checked",
            Weave::Halves { .. } => "two-coloured",
        }
    }
}

impl Weave {
    fn draw(dice: &mut Dice) -> Self {
        let phase = at(dice.unit(), dice.unit());
        match dice.below(7) {
            0 | 1 => Self::Plain,
            2 | 3 => {
                let period = dice.between(0.17, 0.36);
                Self::Stripes {
                    upright: dice.chance(0.5),
                    period,
                    share: dice.between(0.35, 0.6),
                    phase: phase.x * period,
                }
            }
            4 => {
                let period = dice.between(0.2, 0.32);
                Self::Dots {
                    period,
                    radius: period * dice.between(0.24, 0.36),
                    phase: phase * period,
                }
            }
            5 => {
                let period = dice.between(0.26, 0.46);
                Self::Checks {
                    period,
                    phase: phase * period,
                }
            }
            _ => Self::Halves {
                turn: Turn::by(dice.between(-1.6, 1.6)),
                offset: dice.around_zero(0.25),
            },
        }
    }

    /// How much of the second color there is at `p`.
    fn amount(&self, p: Point, blur: f32) -> f32 {
        match *self {
            Self::Plain => 0.0,
            Self::Stripes {
                upright,
                period,
                share,
                phase,
            } => {
                let x = if upright { p.x } else { p.y };
                cover(stripe(x + phase, period, share), blur)
            }
            Self::Dots {
                period,
                radius,
                phase,
            } => {
                let q = (p + phase) * (1.0 / period);
                let row = q.y.floor();
                // Every other row is moved by half a step.
                let x = q.x + if row % 2.0 == 0.0 { 0.0 } else { 0.5 };
                let centerd = at(x - x.floor() - 0.5, q.y - row - 0.5) * period;
                cover(centerd.length() - radius, blur)
            }
            Self::Checks { period, phase } => {
                let across = cover(stripe(p.x + phase.x, period, 0.5), blur);
                let down = cover(stripe(p.y + phase.y, period, 0.5), blur);
                across + down - 2.0 * across * down
            }
            Self::Halves { turn, offset } => {
                let q = (p - at(0.0, 0.6)).turned(turn);
                cover(q.x - offset, blur)
            }
        }
    }
}
