use std::io::Write as _;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// A line on standard error.
pub(crate) fn say(line: &str) {
    // Nothing can be done if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A bar with time left, hidden off a terminal.
pub(crate) fn bar(title: &str, length: u64) -> ProgressBar {
    let template = "{prefix:>10} {wide_bar} {pos}/{len} {msg} left {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(length)
        .with_style(style)
        .with_prefix(title.to_owned())
}

/// How fast steps go, for logs without a terminal.
pub(crate) struct Pace {
    first: u64,
    since: Instant,
}

impl Pace {
    /// Measures from `step` on.
    pub(crate) fn start(step: u64) -> Self {
        Self {
            first: step,
            since: Instant::now(),
        }
    }

    /// `150 of 6000, 1.43 s a step, 2 h 19 min left`; measures anew from here.
    pub(crate) fn describe(&mut self, step: u64, steps: u64) -> String {
        let made = step.saturating_sub(self.first).max(1);
        let each = self.since.elapsed().as_secs_f64() / made as f64;
        *self = Self::start(step);
        let minutes = (each * steps.saturating_sub(step) as f64 / 60.0).ceil() as u64;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!("{step} of {steps}, {each:.2} s a step, {hours} h {minutes:02} min left")
    }
}
