//! The mark of maps from layers that see the reference image as one pooled token, and what it means.

use i2am_quantity::Note;

use i2am_plot::{Anchor, Canvas, MUTED, text_width};

const SIZE: f64 = 11.0;
const LINE: i32 = 15;

/// `label` with the mark that tables use, if it is about such maps.
pub(super) fn marked(label: String, one_token: bool) -> String {
    if one_token { label + "*" } else { label }
}

/// The footnote below a plot, in lines that fit.
pub(super) struct Footnote(Vec<String>);

impl Footnote {
    /// Of a plot `width` pixels wide; empty unless the plot shows such maps.
    pub(super) fn new(one_token: bool, width: i32) -> Self {
        let mut lines: Vec<String> = Vec::new();
        let text = if one_token { Note::ONE_TOKEN_MEANS } else { "" };
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if text_width(&format!("{line} {word}"), SIZE) <= width - 28 => {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(_) => lines.push(word.to_owned()),
                None => lines.push(format!("* {word}")),
            }
        }
        Self(lines)
    }

    /// Pixels that it takes.
    pub(super) fn height(&self) -> i32 {
        self.0.len() as i32 * LINE
    }

    /// Writes it below `top`.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: i32) {
        for (index, line) in self.0.iter().enumerate() {
            let at = [14, top + index as i32 * LINE];
            canvas.text(at, line, SIZE, MUTED, Anchor::Left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footnote_says_all_in_lines_that_fit() {
        let footnote = Footnote::new(true, 520);
        assert!(footnote.0.len() > 1 && footnote.height() == footnote.0.len() as i32 * LINE);
        assert_eq!(footnote.0.join(" "), format!("* {}", Note::ONE_TOKEN_MEANS));
        assert!(footnote.0.iter().all(|line| text_width(line, SIZE) <= 520));
        assert_eq!(Footnote::new(false, 520).height(), 0);
    }
}
