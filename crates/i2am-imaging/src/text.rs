//! Short lines of text in an 8 x 8 pixel font.

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Width and height of a character in pixels, its space to the next one included.
pub(crate) const CHARACTER: u32 = 8;

/// Draws `line` with its top left corner at `(x, y)`. Characters that the font lacks become `?`; what lies outside the
/// image is left out.
pub(crate) fn draw(image: &mut RgbImage, line: &str, (x, y): (u32, u32), color: Rgb<u8>) {
    for (place, character) in line.chars().enumerate() {
        let left = x + CHARACTER * place as u32;
        for (row, bits) in glyph(character).into_iter().enumerate() {
            for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                if let Some(pixel) = image.get_pixel_mut_checked(left + column, y + row as u32) {
                    *pixel = color;
                }
            }
        }
    }
}

/// The eight rows of a character, its leftmost pixel in the lowest bit.
fn glyph(character: char) -> [u8; 8] {
    let known = |character| {
        BASIC_FONTS
            .get(character)
            .or_else(|| LATIN_FONTS.get(character))
    };
    known(character).or_else(|| known('?')).unwrap_or_default()
}

/// `text` in lines of at most `columns` characters (at least one), broken at spaces, else after the punctuation in the
/// name of a layer or file, else anywhere.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        for (part, piece) in pieces(word, columns.max(1)).iter().enumerate() {
            let space = if part == 0 { " " } else { "" };
            match lines.last_mut() {
                Some(line) if length(line) + space.len() + length(piece) <= columns => {
                    line.push_str(space);
                    line.push_str(piece);
                }
                _ => lines.push(piece.clone()),
            }
        }
    }
    lines
}

/// The parts of a word between which a line may end, none longer than `columns` characters.
fn pieces(word: &str, columns: usize) -> Vec<String> {
    if length(word) <= columns {
        return vec![word.to_owned()];
    }
    let parts = word.split_inclusive(['.', '_', '/', ':', '-']);
    let characters = parts.map(|part| part.chars().collect::<Vec<_>>());
    characters
        .flat_map(|part| {
            part.chunks(columns)
                .map(String::from_iter)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The number of characters of `line`.
pub(crate) fn length(line: &str) -> usize {
    line.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("two short words", 9), ["two short", "words"]);
        assert_eq!(wrap("äöü  ß", 3), ["äöü", "ß"]);
        assert!(wrap("  ", 4).is_empty());
    }

    #[test]
    fn long_words_break_after_punctuation_or_anywhere() {
        assert_eq!(
            wrap("at down_blocks.0.attn2 too", 9),
            ["at down_", "blocks.0.", "attn2 too"]
        );
        assert_eq!(wrap("unbreakable", 4), ["unbr", "eaka", "ble"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn a_bar_is_one_column_and_the_edge_cuts() {
        const INK: Rgb<u8> = Rgb([1, 2, 3]);
        let mut image = RgbImage::new(12, 8);
        draw(&mut image, "||", (0, 0), INK);
        let columns: Vec<u32> = image
            .enumerate_pixels()
            .filter(|(_, y, pixel)| *y == 1 && **pixel == INK)
            .map(|(x, ..)| x)
            .collect();
        assert_eq!(columns, [3, 4, 11]);
    }

    #[test]
    fn an_unknown_character_is_a_question_mark() {
        assert_eq!(glyph('本'), glyph('?'));
        assert_ne!(glyph('ü'), glyph('?'));
    }
}
