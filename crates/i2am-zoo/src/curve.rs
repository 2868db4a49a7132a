//! The loss curve of a stage.

use i2am_plot::{ACCENT, Axis, Canvas};

const WIDTH: i32 = 640;
const HEIGHT: i32 = 360;
const LEFT: i32 = 64;
const RIGHT: i32 = 16;
const TOP: i32 = 36;
const BOTTOM: i32 = 40;

/// `points` as a line over steps, losses on a logarithmic axis. Points with a loss that is not positive are left out.
pub(crate) fn svg(title: &str, points: &[(f64, f64)]) -> String {
    let points: Vec<(f64, f64)> = points
        .iter()
        .filter(|(_, loss)| *loss > 0.0 && loss.is_finite())
        .map(|&(step, loss)| (step, loss.log10()))
        .collect();
    let last = points.last().map_or(1.0, |&(step, _)| step).max(1.0);
    let x = Axis::between(0.0, last, LEFT, WIDTH - RIGHT);
    let y = Axis::over(points.iter().map(|&(_, log)| log), HEIGHT - BOTTOM, TOP);
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.heading(title, "");
    canvas.columns(x, x.ticks(), [TOP, HEIGHT - BOTTOM]);
    let [low, high] = y.ends();
    let losses = loss_ticks(low, high).into_iter();
    canvas.rows(
        y,
        losses.map(|loss| (loss.log10(), loss.to_string())),
        [LEFT, WIDTH - RIGHT],
    );
    let line = points
        .iter()
        .map(|&(step, log)| [x.place(step), y.place(log)]);
    canvas.path(line, ACCENT, 2);
    canvas.svg()
}

/// 1, 2 and 5 times the powers of ten between two logarithms.
fn loss_ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    powers
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, power)))
        // Divided, not multiplied by a negative power, so that 0.05 is written as 0.05.
        .map(|(digit, power): (f64, i32)| {
            if power < 0 {
                digit / 10_f64.powi(-power)
            } else {
                digit * 10_f64.powi(power)
            }
        })
        .filter(|tick| (low..=high).contains(&tick.log10()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{loss_ticks, svg};

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(loss_ticks(-1.4, -0.2), [0.05, 0.1, 0.2, 0.5]);
    }

    /// The line falls where the loss does; without points there is a frame and nothing in it.
    #[test]
    fn the_curve_runs_from_left_to_right_and_down() {
        let picture = svg("stage", &[(50.0, 0.5), (100.0, 0.05)]);
        assert!(
            picture.contains("points=\"344,"),
            "half of the way is not in the middle: {picture}"
        );
        let ys: Vec<f64> = picture
            .rsplit("points=\"")
            .next()
            .and_then(|rest| rest.split('"').next())
            .map(|points| {
                points
                    .split(' ')
                    .filter_map(|point| point.split(',').nth(1)?.parse().ok())
                    .collect()
            })
            .unwrap_or_default();
        assert_eq!(ys.len(), 2);
        assert!(ys[0] < ys[1]);
        assert!(svg("stage", &[]).contains("points=\"\""));
    }
}
