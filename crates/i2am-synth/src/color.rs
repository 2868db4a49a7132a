//! Colors and the palettes that the drawing draws from.

use super::dice::Dice;

/// Red, green, blue in `[0, 1]`, as stored in a picture (no gamma is undone: the drawing is flat).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Color(pub(super) [f32; 3]);

pub(super) const WHITE: Color = Color([1.0, 1.0, 1.0]);
pub(super) const BLACK: Color = Color([0.0, 0.0, 0.0]);

impl Color {
    pub(super) const fn bytes(red: u8, green: u8, blue: u8) -> Self {
        Self([
            red as f32 / 255.0,
            green as f32 / 255.0,
            blue as f32 / 255.0,
        ])
    }

    /// Hue in `[0, 1)` around the wheel, saturation and value in `[0, 1]`.
    pub(super) fn hsv(hue: f32, saturation: f32, value: f32) -> Self {
        let channel = |offset: f32| {
            let k = (offset + hue * 6.0) % 6.0;
            value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
        };
        Self([channel(5.0), channel(3.0), channel(1.0)])
    }

    /// `1 - amount` of this color, `amount` of the other.
    pub(super) fn mixed(self, other: Self, amount: f32) -> Self {
        let mix = |i: usize| self.0[i] + (other.0[i] - self.0[i]) * amount;
        Self([mix(0), mix(1), mix(2)])
    }

    /// Every channel times `factor`, kept in range.
    pub(super) fn lit(self, factor: f32) -> Self {
        Self(self.0.map(|c| (c * factor).clamp(0.0, 1.0)))
    }

    /// Distance by weighted channels, green counting most; 0 to about 1.
    pub(super) fn contrast(self, other: Self) -> f32 {
        let d = |i: usize| (self.0[i] - other.0[i]) * (self.0[i] - other.0[i]);
        (0.3 * d(0) + 0.5 * d(1) + 0.2 * d(2)).sqrt()
    }

    pub(super) fn to_bytes(self) -> [u8; 3] {
        self.0.map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
    }
}

const SKINS: [Color; 8] = [
    Color::bytes(252, 224, 200),
    Color::bytes(245, 205, 170),
    Color::bytes(232, 184, 142),
    Color::bytes(214, 160, 116),
    Color::bytes(186, 130, 90),
    Color::bytes(152, 100, 66),
    Color::bytes(118, 76, 50),
    Color::bytes(86, 56, 40),
];

const HAIRS: [Color; 8] = [
    Color::bytes(36, 28, 26),
    Color::bytes(66, 44, 32),
    Color::bytes(110, 70, 42),
    Color::bytes(164, 112, 60),
    Color::bytes(222, 184, 110),
    Color::bytes(178, 74, 38),
    Color::bytes(176, 176, 178),
    Color::bytes(124, 60, 110),
];

/// Slightly off one of the tones, so that no two people share one exactly.
fn near(dice: &mut Dice, tone: Color) -> Color {
    let warm = dice.around_zero(0.025);
    let Color([r, g, b]) = tone.lit(1.0 + dice.around_zero(0.06));
    Color([r + warm, g, b - warm]).lit(1.0)
}

pub(super) fn skin(dice: &mut Dice) -> Color {
    let tone = dice.pick(&SKINS);
    near(dice, tone)
}

pub(super) fn hair(dice: &mut Dice) -> Color {
    let tone = dice.pick(&HAIRS);
    near(dice, tone)
}

/// A garment's color: mostly saturated, all hues, sometimes dark, gray or pale.
pub(super) fn dye(dice: &mut Dice) -> Color {
    let hue = dice.unit();
    match dice.below(8) {
        0 => Color::hsv(hue, dice.between(0.0, 0.15), dice.between(0.12, 0.45)),
        1 => Color::hsv(hue, dice.between(0.05, 0.3), dice.between(0.8, 0.92)),
        2 => Color::hsv(hue, dice.between(0.6, 0.95), dice.between(0.3, 0.5)),
        _ => Color::hsv(hue, dice.between(0.55, 0.95), dice.between(0.6, 0.98)),
    }
}

/// The best contrast to `others` out of a handful of dyes.
pub(super) fn contrasting(dice: &mut Dice, others: &[Color]) -> Color {
    let weakest = |c: Color| {
        others
            .iter()
            .fold(f32::INFINITY, |w, &other| w.min(c.contrast(other)))
    };
    let mut best = dye(dice);
    for _ in 0..5 {
        let other = dye(dice);
        if weakest(other) > weakest(best) {
            best = other;
        }
    }
    best
}

/// A quiet color for a wall.
pub(super) fn wall(dice: &mut Dice) -> Color {
    let hue = dice.unit();
    if dice.chance(0.2) {
        return Color::hsv(hue, dice.between(0.1, 0.4), dice.between(0.3, 0.6));
    }
    Color::hsv(hue, dice.between(0.03, 0.3), dice.between(0.75, 0.98))
}
