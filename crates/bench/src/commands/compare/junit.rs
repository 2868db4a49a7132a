//! A comparison as JUnit XML, which CI systems show as tests: a suite for each model, and a test for each value.

use std::fmt::Write as _;

use i2am_results::{Change, Comparison, Verdict};

use super::printed::place;

/// The document. A value that is missing or worse is a failed test, a value that only the run has is a skipped one.
pub(super) fn xml(comparison: &Comparison) -> String {
    let changes = &comparison.changes;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bench compare\"{}>\n",
        counts(changes.iter())
    );
    let mut models: Vec<&str> = Vec::new();
    for change in changes {
        if !models.contains(&change.model.as_str()) {
            models.push(&change.model);
        }
    }
    for model in models {
        let of_model = || changes.iter().filter(|change| change.model == model);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\"{}>",
            escaped(model),
            counts(of_model())
        );
        for change in of_model() {
            text.push_str(&case(change));
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

fn counts<'a>(changes: impl Iterator<Item = &'a Change>) -> String {
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for change in changes {
        tests += 1;
        failures += usize::from(change.verdict.is_failure());
        skipped += usize::from(change.verdict == Verdict::New);
    }
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")
}

fn case(change: &Change) -> String {
    let sample = change
        .sample
        .as_ref()
        .map_or_else(String::new, |id| format!(" of sample {id}"));
    let name = format!("{} {}{sample}", change.metric, place(change));
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        escaped(&change.model),
        escaped(name.trim())
    );
    let message = escaped(&message(change));
    match change.verdict {
        verdict if verdict.is_failure() => {
            format!(
                "{head}>\n      <failure type=\"{verdict}\" message=\"{message}\"/>\n    </testcase>\n"
            )
        }
        Verdict::New => {
            format!("{head}>\n      <skipped message=\"{message}\"/>\n    </testcase>\n")
        }
        _ => format!("{head}/>\n"),
    }
}

/// What became of a value, in one line.
pub(super) fn message(change: &Change) -> String {
    let number = |value: Option<f64>| crate::table::number(value, 6);
    let mut text = format!(
        "{}: expected {}, found {}, tolerance {}",
        change.verdict,
        number(change.old),
        number(change.new),
        number(change.tolerance)
    );
    if !change.reason.is_empty() {
        let _ = write!(text, ": {}", change.reason);
    }
    text
}

/// Text as it may stand in an attribute. What XML has no way to write becomes a question mark.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('?'),
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn texts_can_stand_in_attributes() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\u{1}"),
            "a&lt;b&gt;&amp;&quot;c&quot; ?"
        );
    }
}
