use std::io::Write as _;

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
