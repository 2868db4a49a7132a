//! Boxes over the maps they were read off.

use i2am_imaging::{RgbImage, draw_box};
use image::Rgb;

use super::{DIRECTION, Detected, Guess};

/// The true box.
const TRUTH: Rgb<u8> = Rgb([0, 255, 0]);
/// A predicted one. Both stand out from the default colours of maps, black over red to yellow.
const PREDICTED: Rgb<u8> = Rgb([0, 220, 255]);
/// Lines are this share of the picture's shorter side wide, at least one pixel.
const LINE: u32 = 160;

/// A picture with the true box and a predicted one.
pub(in crate::stages) struct BoxPicture {
    /// For a file: `r2g.unified.box-best-fit`, `box-random`.
    pub(in crate::stages) file: String,
    /// For the sheet: `best-fit on unified, IoU 0.53`.
    pub(in crate::stages) caption: String,
    pub(in crate::stages) picture: RgbImage,
}

impl Detected {
    /// What the colours mean.
    pub(in crate::stages) const LEGEND: &str = "boxes: ground truth green, predicted light blue";

    /// A picture per box, over the overlay of the map that it comes from, baselines over `image`. The true box is in all of them,
    /// so it has none of its own.
    pub(in crate::stages) fn pictures<'a>(
        &self,
        image: &'a RgbImage,
        overlay_of: impl Fn(&str) -> Option<&'a RgbImage>,
    ) -> Vec<BoxPicture> {
        let is_guess = |guess: &&Guess| guess.found.is_none_or(|(found, _)| found != self.truth);
        let drawn = |guess: &Guess| {
            let overlay = guess.level.as_deref().and_then(&overlay_of);
            let mut picture = overlay.unwrap_or(image).clone();
            let line = (picture.width().min(picture.height()) / LINE).max(1);
            draw_box(&mut picture, &self.truth, TRUTH, line);
            let overlap = match guess.found {
                None => "no box".to_owned(),
                Some((found, overlap)) => {
                    draw_box(&mut picture, &found, PREDICTED, line);
                    format!("IoU {overlap:.2}")
                }
            };
            let name = &guess.name;
            let (file, caption) = match &guess.level {
                Some(level) => (
                    format!("{DIRECTION}.{}.box-{name}", level.replace(':', "-")),
                    format!("{name} on {level}, {overlap}"),
                ),
                None => (format!("box-{name}"), format!("baseline {name}, {overlap}")),
            };
            BoxPicture {
                file,
                caption,
                picture,
            }
        };
        self.guesses.iter().filter(is_guess).map(drawn).collect()
    }
}
