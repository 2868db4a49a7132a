/// A linear axis over `low..=high`, from pixel `from` to pixel `to`.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Axis {
    /// Covers exactly the range from `low` to `high`, which must be greater.
    pub fn between(low: f64, high: f64, from: i32, to: i32) -> Self {
        Self {
            low,
            high,
            from,
            to,
        }
    }

    /// Covers `values`, with a little room at both ends.
    pub fn over(values: impl IntoIterator<Item = f64>, from: i32, to: i32) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let room = if high > low {
            0.06 * (high - low)
        } else {
            0.5 * low.abs().max(1.0)
        };
        Self::between(low - room, high + room, from, to)
    }

    /// How far `value` is from `from`, in pixels; values outside land on the nearer end.
    fn along(self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        share * f64::from(self.to - self.from)
    }

    /// The pixel of `value`; values outside land on the nearer end.
    pub fn pixel(self, value: f64) -> i32 {
        self.from + self.along(value).round() as i32
    }

    /// [`Axis::pixel`] before rounding, for lines through many points.
    pub fn place(self, value: f64) -> f64 {
        f64::from(self.from) + self.along(value)
    }

    /// The lowest and the highest value.
    pub fn ends(self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Round numbers along the axis, and how they are written.
    pub fn ticks(self) -> Vec<(f64, String)> {
        const WANTED: f64 = 5.0;
        let rough = (self.high - self.low) / WANTED;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let step = steps
            .map(|step| step * magnitude)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let decimals = (0..9)
            .find(|decimals| {
                let scaled = step * 10_f64.powi(*decimals);
                (scaled - scaled.round()).abs() < 1e-6 * scaled
            })
            .unwrap_or(9) as usize;
        let (first, last) = (
            (self.low / step).ceil() as i64,
            (self.high / step).floor() as i64,
        );
        let tick = |index: i64| {
            let value = index as f64 * step;
            (value, format!("{value:.decimals$}").replace('-', "−"))
        };
        (first..=last).map(tick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |low: f64, high: f64| -> Vec<String> {
            let ticks = Axis::between(low, high, 0, 100).ticks();
            ticks.into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(-1.02, 0.31), ["−1.0", "−0.5", "0.0"]);
        assert_eq!(texts(0.0, 10.0), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(0.0911, 0.0924), ["0.0915", "0.0920"]);
        assert_eq!(texts(0.0, 3.0), ["0", "1", "2", "3"]);
        assert_eq!(texts(0.0, 6000.0), ["0", "2000", "4000", "6000"]);
    }

    #[test]
    fn an_axis_goes_from_end_to_end_and_survives_equal_values() {
        let axis = Axis::over([2.0, 2.0], 100, 0);
        assert_eq!(axis.pixel(2.0), 50);
        assert_eq!(axis.pixel(f64::INFINITY), 0);
        assert!(!axis.ticks().is_empty());
        assert_eq!(Axis::over([], 0, 10).pixel(0.5), 5);
    }
}
