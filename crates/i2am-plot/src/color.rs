/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Behind everything.
pub const PAPER: Rgb = [0xFF, 0xFF, 0xFF];
/// Titles and labels.
pub const INK: Rgb = [0x1B, 0x1F, 0x24];
/// Ticks and remarks.
pub const MUTED: Rgb = [0x5B, 0x64, 0x70];
/// Axes and grids.
pub const RULE: Rgb = [0xDC, 0xE0, 0xE6];
/// Points and fits.
pub const ACCENT: Rgb = [0x2F, 0x6F, 0xDE];

/// A color for a value from -1 (red) over 0 (nearly white) to 1 (blue), and whether ink on it should be light. People who see no
/// difference between red and green can still distinguish the two sides.
pub fn diverging(value: f64) -> (Rgb, bool) {
    const STOPS: [[f64; 3]; 5] = [
        [165.0, 35.0, 40.0],
        [233.0, 150.0, 128.0],
        [245.0, 244.0, 240.0],
        [139.0, 178.0, 224.0],
        [28.0, 82.0, 160.0],
    ];
    let place = (value.clamp(-1.0, 1.0) + 1.0) * 2.0;
    let first = (place as usize).min(STOPS.len() - 2);
    let share = place - first as f64;
    let channel = |index: usize| {
        let (a, b) = (STOPS[first][index], STOPS[first + 1][index]);
        (a + (b - a) * share).round() as u8
    };
    let color = [channel(0), channel(1), channel(2)];
    (color, value.abs() > 0.62)
}

#[cfg(test)]
mod tests {
    use super::diverging;

    #[test]
    fn colors_part_at_zero() {
        assert_eq!(diverging(0.0).0, [245, 244, 240]);
        assert_eq!(diverging(-7.0).0, [165, 35, 40]);
        assert_eq!(diverging(1.0), ([28, 82, 160], true));
    }
}
