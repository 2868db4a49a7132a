//! Text of a file as a message shows it.

/// Characters of a text that a message shows.
const LONGEST: usize = 80;

/// `text` between backticks, in one line: characters that cannot be seen are written out, as `\n` or `\u{feff}`, and what is long is cut.
pub fn shown(text: &str) -> String {
    let visible = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        c => c.escape_debug().to_string(),
    };
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(LONGEST).map(visible).collect();
    let rest = if characters.next().is_some() {
        "..."
    } else {
        ""
    };
    format!("`{start}{rest}`")
}
