//! Color maps: a value in \[0, 1\] as a color.

use serde::{Deserialize, Serialize};

/// A color map, `"inferno"`, `"viridis"`, `"turbo"` or `"jet"` in a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ColorMap {
    /// Black over red to yellow; perceptually uniform: equal steps of the value look like equal steps.
    #[default]
    Inferno,
    /// Blue over green to yellow; perceptually uniform.
    Viridis,
    /// A rainbow without jet's false edges, though not uniform in lightness.
    Turbo,
    /// The rainbow of matplotlib, as in the pictures of the I2AM paper. Its lightness is not monotonic: it shows edges
    /// where the map has none. `OpenCV`'s map of that name is another table (and comes in the order blue, green, red).
    Jet,
}

impl ColorMap {
    /// Every map, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Inferno, Self::Viridis, Self::Turbo, Self::Jet];

    /// The color of `value`: red, green, blue. Values outside \[0, 1\] take the color of the nearer end, NaN that of 0.
    ///
    /// Jet equals `imsave(..., cmap="jet")` of matplotlib; inferno and viridis are within a level of matplotlib's. Turbo
    /// is the polynomial published with it, up to 32 levels (at the dark end) from matplotlib's table.
    ///
    /// # Source
    /// matplotlib 3.11.2 (fixture `colormap`).
    pub fn rgb(self, value: f32) -> [u8; 3] {
        self.color(index(value))
    }

    /// [`ColorMap::rgb`] for many values: the colors are worked out once.
    pub fn lookup(self) -> impl Fn(f32) -> [u8; 3] {
        let table: [_; 256] = std::array::from_fn(|index| self.color(index as u8));
        move |value| table[usize::from(index(value))]
    }

    fn color(self, index: u8) -> [u8; 3] {
        let gradient = match self {
            Self::Inferno => colorous::INFERNO,
            Self::Viridis => colorous::VIRIDIS,
            Self::Turbo => colorous::TURBO,
            Self::Jet => return jet(index),
        };
        gradient.eval_rational(usize::from(index), 256).as_array()
    }
}

/// The place of `value` in a table of 256 colors, as in matplotlib.
fn index(value: f32) -> u8 {
    // `as` clamps and turns NaN into 0.
    (value * 256.0) as u8
}

/// The last index of a table, and the highest level.
const LAST: f64 = 255.0;

/// Corners of a channel: position in the table, from 0 to 1, and level, from 0 to 1.
type Corners = [(f64, f64)];

const JET: [&Corners; 3] = [
    &[
        (0.0, 0.0),
        (0.35, 0.0),
        (0.66, 1.0),
        (0.89, 1.0),
        (1.0, 0.5),
    ],
    &[
        (0.0, 0.0),
        (0.125, 0.0),
        (0.375, 1.0),
        (0.64, 1.0),
        (0.91, 0.0),
        (1.0, 0.0),
    ],
    &[
        (0.0, 0.5),
        (0.11, 1.0),
        (0.34, 1.0),
        (0.65, 0.0),
        (1.0, 0.0),
    ],
];

/// Straight lines between the corners, cut down (not rounded) to a level, as matplotlib does. Cut levels depend on the
/// last bit: the operations and their order are part of the table.
fn jet(index: u8) -> [u8; 3] {
    exact_jet(index).map(|level| (level * LAST) as u8)
}

fn exact_jet(index: u8) -> [f64; 3] {
    let position = LAST * (f64::from(index) * (1.0 / LAST));
    JET.map(|corners| interpolate(corners, position))
}

/// The 256 colors of [`ColorMap::Jet`] before they are cut down to levels: red, green and blue in \[0, 1\].
///
/// Near the dark blue end several neighbors are equal.
///
/// # Source
/// matplotlib 3.11.2 (fixture `colormap`, of which these are the colors before rounding).
pub fn jet_colors() -> [[f64; 3]; 256] {
    std::array::from_fn(|index| exact_jet(index as u8))
}

/// The height at `position`, from 0 to [`LAST`], of the line through `corners`.
fn interpolate(corners: &Corners, position: f64) -> f64 {
    let right = corners
        .partition_point(|&(x, _)| x * LAST < position)
        .max(1);
    let ((x0, y0), (x1, y1)) = (corners[right - 1], corners[right]);
    (position - x0 * LAST) / (x1 * LAST - x0 * LAST) * (y1 - y0) + y0
}
