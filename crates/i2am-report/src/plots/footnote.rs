//! The marks of maps that need an explanation, and what they mean.

use i2am_quantity::Marks;

use i2am_plot::{Anchor, Canvas, MUTED, text_width};

const SIZE: f64 = 11.0;
const LINE: i32 = 15;

/// `label` with the mark that tables use, if it is about such maps.
pub(super) fn marked(label: String, marks: Marks) -> String {
    label + marks.text()
}

/// The footnote below a plot, in lines that fit.
pub(super) struct Footnote(Vec<String>);

impl Footnote {
    /// Of a plot `width` pixels wide; empty unless the plot shows such maps.
    pub(super) fn new(marks: Marks, width: i32) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for (mark, meaning) in marks.meanings() {
            lines.push(mark.to_owned());
            for word in meaning.split_whitespace() {
                match lines.last_mut() {
                    Some(line) if text_width(&format!("{line} {word}"), SIZE) <= width - 28 => {
                        line.push(' ');
                        line.push_str(word);
                    }
                    _ => lines.push(word.to_owned()),
                }
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
    use i2am_quantity::{Note, Notes};

    use super::*;

    #[test]
    fn a_footnote_says_all_in_lines_that_fit() {
        let marks = Notes::from(Note::OneToken).marks();
        let (_, meaning) = marks.meanings().next().unwrap();
        let footnote = Footnote::new(marks, 520);
        assert!(footnote.0.len() > 1 && footnote.height() == footnote.0.len() as i32 * LINE);
        assert_eq!(footnote.0.join(" "), format!("* {meaning}"));
        assert!(footnote.0.iter().all(|line| text_width(line, SIZE) <= 520));
        assert_eq!(Footnote::new(Marks::NONE, 520).height(), 0);
    }
}
