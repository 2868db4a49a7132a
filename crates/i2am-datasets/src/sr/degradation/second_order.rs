//! Blur, resize, noise and JPEG, twice, and ringing.
//!
//! Wang, Xie, Dong, Shan 2021 (Real-ESRGAN), section 3 and figure 2. Unlike there, the picture is rounded to 8 bits after every step,
//! which is small compared with the noise; and the area filter is the mean of all pixels under an output pixel.

use i2am_imaging::{
    Plane, RgbImage, encode_jpeg_rgb, pillow_bicubic_rgb, pillow_bilinear_rgb,
    torch_adaptive_average,
};
use image::ImageFormat;

use super::kernels::Kernel;
use super::{DegradationConfig, Pass, noise};
use i2am_synth::Dice;

/// `high` at `size` (height, width), by the draws of `dice`.
pub(super) fn degrade(
    config: &DegradationConfig,
    high: &RgbImage,
    size: [usize; 2],
    dice: &mut Dice,
) -> RgbImage {
    let DegradationConfig {
        kernels,
        sinc,
        first,
        second,
        ..
    } = config;
    let from = [high.height() as usize, high.width() as usize];
    let mut picture = blurred(high.clone(), first, *kernels, dice);
    picture = resized(&picture, scaled(from, first, dice), dice);
    picture = noise::add(&picture, first, dice);
    picture = compressed(&picture, first, dice);

    picture = blurred(picture, second, *kernels, dice);
    picture = resized(&picture, scaled(size, second, dice), dice);
    picture = noise::add(&picture, second, dice);
    let ringing = dice
        .chance(*sinc as f32)
        .then(|| Kernel::ringing(kernel_side(*kernels, dice), dice));
    let rung = |picture: RgbImage| match &ringing {
        Some(kernel) => kernel.apply(&picture),
        None => picture,
    };
    // Either may be the last that happened to a picture.
    if dice.chance(0.5) {
        picture = rung(resized(&picture, size, dice));
        compressed(&picture, second, dice)
    } else {
        picture = compressed(&picture, second, dice);
        rung(resized(&picture, size, dice))
    }
}

/// An odd side from the least to the largest.
fn kernel_side([least, largest]: [usize; 2], dice: &mut Dice) -> usize {
    least + 2 * dice.below((largest - least) / 2 + 1)
}

fn blurred(picture: RgbImage, pass: &Pass, kernels: [usize; 2], dice: &mut Dice) -> RgbImage {
    if !dice.chance(pass.blur as f32) {
        return picture;
    }
    let side = kernel_side(kernels, dice);
    Kernel::blur(side, pass.sigma, dice).apply(&picture)
}

/// `size` times a factor of the pass, at least one pixel.
fn scaled(size: [usize; 2], pass: &Pass, dice: &mut Dice) -> [usize; 2] {
    let [least, largest] = pass.resize;
    let draw = f64::from(dice.unit());
    let factor = if draw < pass.enlarge {
        noise::between(dice, [1.0, largest])
    } else if draw < pass.enlarge + pass.shrink {
        noise::between(dice, [least, 1.0])
    } else {
        1.0
    };
    size.map(|side| ((side as f64 * factor).round() as usize).max(1))
}

/// The picture at another size, by one of three filters.
fn resized(picture: &RgbImage, [height, width]: [usize; 2], dice: &mut Dice) -> RgbImage {
    match dice.below(3) {
        0 => averaged(picture, [height, width]),
        1 => pillow_bilinear_rgb(picture, height, width),
        _ => pillow_bicubic_rgb(picture, height, width),
    }
}

/// The mean of all pixels under an output pixel, channel by channel.
fn averaged(picture: &RgbImage, [height, width]: [usize; 2]) -> RgbImage {
    let from = [picture.height() as usize, picture.width() as usize];
    let planes = [0, 1, 2].map(|channel| {
        let level = |row: usize, column: usize| {
            f32::from(picture.get_pixel(column as u32, row as u32).0[channel])
        };
        torch_adaptive_average(&Plane::from_fn(from[0], from[1], level), height, width)
    });
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let level = |plane: &Plane| plane.get(y as usize, x as usize).round() as u8;
        image::Rgb([0, 1, 2].map(|channel: usize| level(&planes[channel])))
    })
}

/// The picture after JPEG.
fn compressed(picture: &RgbImage, pass: &Pass, dice: &mut Dice) -> RgbImage {
    let [least, best] = pass.jpeg;
    let quality = least + dice.below(usize::from(best - least) + 1) as u8;
    let bytes = encode_jpeg_rgb(picture, quality)
        .expect("a degraded picture has pixels and sides below 65,536");
    let decoded = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg);
    decoded
        .expect("what was just encoded can be decoded")
        .into_rgb8()
}
