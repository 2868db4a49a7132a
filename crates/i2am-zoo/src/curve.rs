//! A loss curve as SVG: a few lines of text need no drawing library.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Left, right, top, bottom.
const MARGINS: [f64; 4] = [64.0, 16.0, 36.0, 40.0];

/// `points` as a line over steps, losses on a logarithmic axis. Points with a loss that is not positive are left out.
pub(crate) fn svg(title: &str, points: &[(f64, f64)]) -> String {
    let points: Vec<(f64, f64)> = points
        .iter()
        .copied()
        .filter(|&(_, y)| y > 0.0 && y.is_finite())
        .collect();
    let [left, right, top, bottom] = MARGINS;
    let last = points.last().map_or(1.0, |p| p.0).max(1.0);
    let logs = points.iter().map(|p| p.1.log10());
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
        (low.min(y), high.max(y))
    });
    let (low, high) = if low.is_finite() {
        (low - 0.05, high + 0.05)
    } else {
        (-1.0, 0.0)
    };
    let place = |(step, loss): (f64, f64)| {
        let x = left + step / last * (WIDTH - left - right);
        let y = top + (high - loss.log10()) / (high - low) * (HEIGHT - top - bottom);
        (x, y)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"22\" font-size=\"14\">{title}</text>\n"
    );
    let mut line = |[x1, y1, x2, y2]: [f64; 4]| {
        let _ = writeln!(
            out,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ccc\"/>"
        );
    };
    let (losses, steps) = (loss_ticks(low, high), step_ticks(last));
    for &loss in &losses {
        let (_, y) = place((0.0, loss));
        line([left, y, WIDTH - right, y]);
    }
    for &step in &steps {
        let (x, _) = place((step, 1.0));
        line([x, top, x, HEIGHT - bottom]);
    }
    for loss in losses {
        let (_, y) = place((0.0, loss));
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{loss}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for step in steps {
        let (x, _) = place((step, 1.0));
        let y = HEIGHT - bottom + 18.0;
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{step}</text>"
        );
    }
    let path: Vec<String> = points
        .iter()
        .map(|&point| {
            let (x, y) = place(point);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>",
        path.join(" ")
    );
    out.push_str("</svg>\n");
    out
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

/// About five round numbers from 0 to `last`.
fn step_ticks(last: f64) -> Vec<f64> {
    let rough = last / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|digit| digit * power >= rough)
        .unwrap_or(10.0);
    let every = (digit * power).max(1.0);
    (0..=10)
        .map(|i| f64::from(i) * every)
        .filter(|step| *step <= last)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{loss_ticks, step_ticks, svg};

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(loss_ticks(-1.4, -0.2), [0.05, 0.1, 0.2, 0.5]);
        assert_eq!(step_ticks(6000.0), [0.0, 2000.0, 4000.0, 6000.0]);
        assert_eq!(step_ticks(3.0), [0.0, 1.0, 2.0, 3.0]);
    }

    /// The line falls where the loss does; without points there is a frame and nothing in it.
    #[test]
    fn the_curve_runs_from_left_to_right_and_down() {
        let picture = svg("stage", &[(50.0, 0.5), (100.0, 0.05)]);
        assert!(
            picture.contains("points=\"344.0,"),
            "half of the way is not in the middle: {picture}"
        );
        let ys: Vec<f64> = picture
            .split("points=\"")
            .nth(1)
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
