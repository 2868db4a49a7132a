//! The synthetic try-on set: a small drawing of the task, by seed.
//!
//! A person with a head, arms in some pose and a lower garment stands before a background and wears a shirt with a weave and,
//! mostly, a print. The shirt's own picture shows it upright on white. The worn shirt is the same cloth carried over by a
//! frame (shift, scale, rotation, shear, bend); sleeves follow the arms. Every sample depends on `(seed, index)` alone, and
//! only exact arithmetic is used, so the pixels are the same on every machine.
//!
//! [`render`] and [`render_further`] draw one sample; [`SynthSet`] writes a whole set into a folder.
//!
//! ```
//! let sample = i2am_synth::render(7, 0, 128, 96);
//! assert_eq!(sample.person.dimensions(), (96, 128));
//! // The worn garment lies within the region that is to be repainted.
//! let mut pixels = sample.worn_mask.iter().zip(sample.agnostic_mask.iter());
//! assert!(pixels.all(|(worn, repainted)| worn <= repainted));
//! ```

mod backdrop;
mod body;
mod body_map;
mod canvas;
mod color;
mod dice;
mod error;
mod folds;
mod garment;
mod geometry;
mod joints;
mod layout;
mod parse_map;
mod places;
mod portrait;
mod pose;
mod print;
mod scene;
mod set;
mod shapes;
mod texture;
mod warp;

#[cfg(test)]
mod tests;

use i2am_imaging::Correspondence;
use image::{GrayImage, Rgb, RgbImage};

use body::Person;
use canvas::Size;
use folds::Folds;
use garment::Garment;
use scene::Scene;

pub use dice::Dice;
pub use error::SynthError;
pub use pose::{JOINTS, Joint, Pose};
pub use set::{MARKER, SynthSet};

/// Goes up whenever a drawn pixel can change or a set gets more files; written into the folder of every set.
pub const VERSION: u32 = 3;

/// The gray that hides the region to repaint in the agnostic picture.
pub const HIDDEN: [u8; 3] = [128; 3];

/// The stream of random numbers for `purpose` of sample `index` of the set `seed`.
fn dice(seed: u64, index: u64, purpose: &str) -> Dice {
    Dice::of(&[
        b"i2am synthetic try-on\0",
        &seed.to_le_bytes(),
        &index.to_le_bytes(),
        purpose.as_bytes(),
    ])
}

/// One drawn sample; all pictures are `height` x `width`.
#[derive(Clone, Debug)]
pub struct SynthSample {
    /// The person wearing the garment: the ground truth.
    pub person: RgbImage,
    /// The garment upright on white.
    pub garment: RgbImage,
    /// 255 where `garment` shows the garment, else 0.
    pub garment_mask: GrayImage,
    /// The person with torso and arms hidden by [`HIDDEN`]; head and hands stay.
    pub agnostic: RgbImage,
    /// 255 where `agnostic` is hidden and is to be repainted, else 0.
    pub agnostic_mask: GrayImage,
    /// Body parts without clothes, each in its color, on black.
    pub densepose: RgbImage,
    /// 255 where `person` shows the garment, else 0; always within `agnostic_mask`.
    pub worn_mask: GrayImage,
    /// The garment in a few words, such as "striped T-shirt with a star".
    pub garment_name: String,
}

/// Draws sample `index` of the set `seed`.
///
/// The same arguments give the same pixels; other sizes give the same drawing at another resolution. Sizes are in pixels, at
/// least 1; the drawing is laid out for pictures that are 3 wide to 4 high.
pub fn render(seed: u64, index: u64, height: usize, width: usize) -> SynthSample {
    draw(seed, index, index, Size { height, width })
}

/// What warping and parsing networks are asked for in the published data: [`render_further`] knows it without them.
#[derive(Clone, Debug)]
pub struct SynthFurther {
    /// The label of every pixel of the person, as published parse maps number them.
    pub parse: GrayImage,
    /// `parse` with 0 in the masked region: of the arms, hands are left.
    pub agnostic_parse: GrayImage,
    /// The joints that lie in the picture.
    pub pose: Pose,
    /// The garment in the shape it has on the person, flat and whole, on white.
    pub warped: RgbImage,
    /// 255 where `warped` shows the garment, else 0.
    pub warped_mask: GrayImage,
    /// 255 where the person shows the print of this garment or the cloth right around it, else 0.
    pub printed_mask: GrayImage,
    /// For every pixel of the person in this garment that shows the garment, where in [`SynthSample::garment`] the same spot of cloth
    /// is seen; a few spots are hidden there.
    pub correspondence: Correspondence,
}

/// The further pictures of person `index` of the set `seed` in the garment of sample `garment`; sizes as in [`render`].
pub fn render_further(
    seed: u64,
    index: u64,
    garment: u64,
    height: usize,
    width: usize,
) -> SynthFurther {
    let size = Size { height, width };
    let shop = Garment::shop_frame(&mut dice(seed, garment, "shop"), size);
    let garment = Garment::draw(&mut dice(seed, garment, "garment"));
    let dice = |purpose: &str| dice(seed, index, purpose);
    let person = Person::draw(&mut dice("looks"), &mut dice("pose"), size);
    let scene = Scene::trace(size, &person, &garment);
    let front_hair = portrait::front_hair(size, &person);
    let parse = parse_map::paint(&scene, &front_hair);
    let (warped, warped_mask) = warp::paint(&scene);
    SynthFurther {
        agnostic_parse: parse_map::without(&parse, &scene.hole(&front_hair).to_gray()),
        parse,
        pose: joints::of(&person, size),
        warped: warped.to_rgb(),
        warped_mask: warped_mask.to_gray(),
        printed_mask: scene.printed(&front_hair).to_gray(),
        correspondence: places::trace(&scene, &front_hair, &shop),
    }
}

/// Draws person `index` in the garment of `garment_index`.
fn draw(seed: u64, index: u64, garment_index: u64, size: Size) -> SynthSample {
    let garment_dice = |purpose: &str| dice(seed, garment_index, purpose);
    let dice = |purpose: &str| dice(seed, index, purpose);
    let garment = Garment::draw(&mut garment_dice("garment"));
    let person = Person::draw(&mut dice("looks"), &mut dice("pose"), size);
    let folds = Folds::draw(&mut dice("folds"));
    let background = backdrop::paint(&mut dice("backdrop"), size);
    let shop_frame = Garment::shop_frame(&mut garment_dice("shop"), size);
    let (shop, shop_mask) = garment.shop_picture(&shop_frame, size);

    let scene = Scene::trace(size, &person, &garment);
    let front_hair = portrait::front_hair(size, &person);
    let mut canvas = background;
    portrait::paint(&mut canvas, &scene, &folds, &front_hair);
    let dressed = canvas.to_rgb();
    let hole = scene.hole(&front_hair).to_gray();
    SynthSample {
        agnostic: hidden(&dressed, &hole),
        person: dressed,
        garment: shop.to_rgb(),
        garment_mask: shop_mask.to_gray(),
        agnostic_mask: hole,
        densepose: body_map::paint(&scene).to_rgb(),
        worn_mask: scene.worn(&front_hair).to_gray(),
        garment_name: garment.name(),
    }
}

/// The picture whose masked region is filled with [`HIDDEN`].
fn hidden(picture: &RgbImage, hole: &GrayImage) -> RgbImage {
    let mut agnostic = picture.clone();
    for (pixel, mask) in agnostic.pixels_mut().zip(hole.pixels()) {
        if mask.0[0] == 255 {
            *pixel = Rgb(HIDDEN);
        }
    }
    agnostic
}
