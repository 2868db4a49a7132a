//! Lines of text in DejaVu Sans (`assets/`), with smooth edges.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _, point};
use image::{Rgb, RgbImage};

/// A face of the font at a size in pixels, from the top of its highest letter to the bottom of its lowest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Type {
    size: f32,
    bold: bool,
}

static REGULAR: LazyLock<FontRef<'static>> =
    LazyLock::new(|| parsed(include_bytes!("../assets/DejaVuSans.ttf")));
static BOLD: LazyLock<FontRef<'static>> =
    LazyLock::new(|| parsed(include_bytes!("../assets/DejaVuSans-Bold.ttf")));

fn parsed(file: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(file).expect("the file in assets/ is a font")
}

impl Type {
    /// For titles.
    pub(crate) const TITLE: Self = Self {
        size: 22.0,
        bold: true,
    };
    /// For what stands above a group of pictures.
    pub(crate) const HEAD: Self = Self {
        size: 18.0,
        bold: true,
    };
    /// For captions.
    pub(crate) const CAPTION: Self = Self {
        size: 18.0,
        bold: false,
    };

    fn font(self) -> &'static FontRef<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    /// From one line to the next, in pixels.
    pub(crate) fn line(self) -> u32 {
        (self.size * 1.15).ceil() as u32
    }

    /// The width of `line` in pixels.
    pub(crate) fn width(self, line: &str) -> u32 {
        let mut end = 0.0;
        self.place(line, |_, _, right| end = right);
        end.ceil() as u32
    }

    /// Calls `of_glyph` with the number of each glyph, where it starts, and where the next one does.
    fn place(self, line: &str, mut of_glyph: impl FnMut(ab_glyph::GlyphId, f32, f32)) {
        let font = self.font().as_scaled(PxScale::from(self.size));
        let (mut left, mut previous) = (0.0, None);
        for character in line.chars() {
            let glyph = font.glyph_id(character);
            if let Some(previous) = previous {
                left += font.kern(previous, glyph);
            }
            let right = left + font.h_advance(glyph);
            of_glyph(glyph, left, right);
            (left, previous) = (right, Some(glyph));
        }
    }

    /// Draws `line` with its top left corner at `(x, y)`. Characters that the font lacks become an empty box; what lies outside the
    /// image is left out.
    pub(crate) fn draw(self, image: &mut RgbImage, line: &str, (x, y): (u32, u32), color: Rgb<u8>) {
        let font = self.font();
        let base = y as f32 + font.as_scaled(PxScale::from(self.size)).ascent();
        self.place(line, |glyph, left, _| {
            let placed = glyph.with_scale_and_position(self.size, point(x as f32 + left, base));
            let Some(outline) = font.outline_glyph(placed) else {
                return;
            };
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
            outline.draw(|column, row, cover| {
                let at = [left + i64::from(column), top + i64::from(row)].map(u32::try_from);
                if let [Ok(x), Ok(y)] = at
                    && let Some(pixel) = image.get_pixel_mut_checked(x, y)
                {
                    mix(pixel, color, cover);
                }
            });
        });
    }

    /// `text` in lines of at most `width` pixels, as long as every character fits: broken at spaces, else after the punctuation in the
    /// name of a layer or file, else anywhere.
    pub(crate) fn wrap(self, text: &str, width: u32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            for (part, piece) in self.pieces(word, width).iter().enumerate() {
                let space = if part == 0 { " " } else { "" };
                match lines.last_mut() {
                    Some(line) if self.width(&format!("{line}{space}{piece}")) <= width => {
                        line.push_str(space);
                        line.push_str(piece);
                    }
                    _ => lines.push(piece.clone()),
                }
            }
        }
        lines
    }

    /// The parts of a word between which a line may end, none wider than `width` unless it is one character.
    fn pieces(self, word: &str, width: u32) -> Vec<String> {
        if self.width(word) <= width {
            return vec![word.to_owned()];
        }
        let mut pieces: Vec<String> = Vec::new();
        for part in word.split_inclusive(['.', '_', '/', ':', '-']) {
            let mut piece = String::new();
            for character in part.chars() {
                piece.push(character);
                if self.width(&piece) > width && piece.chars().count() > 1 {
                    piece.pop();
                    pieces.push(std::mem::replace(&mut piece, character.to_string()));
                }
            }
            pieces.push(piece);
        }
        pieces
    }
}

/// Lets `color` cover a share of a pixel.
fn mix(pixel: &mut Rgb<u8>, color: Rgb<u8>, share: f32) {
    let share = share.clamp(0.0, 1.0);
    for (level, wanted) in pixel.0.iter_mut().zip(color.0) {
        let mixed = f32::from(*level) * (1.0 - share) + f32::from(wanted) * share;
        *level = (mixed + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: Type = Type::CAPTION;

    #[test]
    fn lines_break_at_spaces() {
        let width = TYPE.width("two short");
        assert_eq!(TYPE.wrap("two short words", width), ["two short", "words"]);
        assert!(TYPE.wrap("  ", 40).is_empty());
    }

    #[test]
    fn long_words_break_after_punctuation_or_anywhere() {
        let width = TYPE.width("at down_");
        assert_eq!(
            TYPE.wrap("at down_attn too", width),
            ["at down_", "attn too"]
        );
        let lines = TYPE.wrap("unbreakable", TYPE.width("unbre"));
        assert_eq!(lines.concat(), "unbreakable");
        assert!(
            lines
                .iter()
                .all(|line| TYPE.width(line) <= TYPE.width("unbre")),
            "{lines:?}"
        );
        assert_eq!(TYPE.wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn ink_lies_within_the_width_of_a_line_and_the_edge_cuts() {
        const INK: Rgb<u8> = Rgb([0; 3]);
        let paper = || RgbImage::from_pixel(60, 24, Rgb([255; 3]));
        let mut image = paper();
        TYPE.draw(&mut image, "Ag", (10, 2), INK);
        let dark = |image: &RgbImage| -> Vec<(u32, u32)> {
            let dark = image
                .enumerate_pixels()
                .filter(|(.., pixel)| pixel.0[0] < 128);
            dark.map(|(x, y, _)| (x, y)).collect()
        };
        let ink = dark(&image);
        let right = 10 + TYPE.width("Ag");
        assert!(
            !ink.is_empty()
                && ink
                    .iter()
                    .all(|&(x, y)| x >= 9 && x <= right && y >= 2 && y < 2 + TYPE.line())
        );
        let mut cut = paper();
        TYPE.draw(&mut cut, "Ag", (55, 20), INK);
        assert!(dark(&cut).len() < ink.len());
    }

    /// Names in the languages of our users, arrows and signs have letters; what the font lacks has the box of an unknown character.
    #[test]
    fn the_font_has_the_letters_that_sheets_need() {
        for font in [&*REGULAR, &*BOLD] {
            for letter in "azAZ09 äöüßéñçşğœøåŁžΣπжЯ→←×≈·−–…%₂³°".chars()
            {
                assert_ne!(font.glyph_id(letter).0, 0, "{letter}");
            }
            assert_eq!(font.glyph_id('本').0, 0);
        }
    }
}
