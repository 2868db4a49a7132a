//! Boxes over the maps they were read off.

use i2am_imaging::draw_box;
use image::Rgb;

use super::{BoundingBox, Boxes, DIRECTION, Guess};
use crate::scores::{Canvas, Drawing, Drawn, Overlay};

/// The true box.
const TRUTH: Rgb<u8> = Rgb([0, 255, 0]);
/// A predicted one. Both stand out from the default colors of maps, black over red to yellow.
const PREDICTED: Rgb<u8> = Rgb([0, 220, 255]);
/// Lines are this share of the image's shorter side wide, at least one pixel.
const LINE: u32 = 160;
/// What the colors mean.
const LEGEND: &str = "boxes: ground truth green, predicted light blue";

/// The true box and a predicted one.
struct BoxPicture {
    truth: BoundingBox,
    guess: Guess,
}

impl Boxes {
    /// A drawing per box. The true box is in all of them, so it has none of its own.
    pub(super) fn drawings(self) -> Vec<Box<dyn Drawing>> {
        let Self { truth, guesses } = self;
        let is_guess = |guess: &Guess| guess.found.is_none_or(|(found, _)| found != truth);
        let drawing = |guess| Box::new(BoxPicture { truth, guess }) as Box<dyn Drawing>;
        guesses.into_iter().filter(is_guess).map(drawing).collect()
    }
}

impl Drawing for BoxPicture {
    /// Over the overlay of the map that the box comes from, baselines over the generated image.
    fn draw(&self, canvas: &Canvas<'_>) -> Option<Drawn> {
        let Guess { name, level, found } = &self.guess;
        let of_level = |overlay: &&Overlay| {
            overlay.direction == DIRECTION && Some(&overlay.level) == level.as_ref()
        };
        let overlay = canvas.overlays.iter().find(of_level);
        let below = overlay.map_or(canvas.generated, |overlay| &overlay.picture);
        let mut picture = below.clone();
        let line = (picture.width().min(picture.height()) / LINE).max(1);
        draw_box(&mut picture, &self.truth, TRUTH, line);
        let overlap = match found {
            None => "no box".to_owned(),
            Some((found, overlap)) => {
                draw_box(&mut picture, found, PREDICTED, line);
                format!("IoU {overlap:.2}")
            }
        };
        let (file, caption) = match level {
            Some(level) => (
                format!("{DIRECTION}.{level}.box-{name}"),
                format!("{name} on {level}, {overlap}"),
            ),
            None => (format!("box-{name}"), format!("baseline {name}, {overlap}")),
        };
        Some(Drawn {
            name: file,
            sheet: Some((LEGEND, caption)),
            picture,
        })
    }
}
