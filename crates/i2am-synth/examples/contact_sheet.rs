//! Draws the first samples of a synthetic set side by side:
//! `cargo run --release -p i2am-synth --example contact_sheet -- FILE.png [SEED [COUNT [HEIGHT]]]`.

use std::process::ExitCode;

use i2am_synth::{SynthSample, render};
use image::{DynamicImage, GrayImage, RgbImage, imageops};

fn row_of(sample: &SynthSample) -> [RgbImage; 6] {
    let gray = |mask: &GrayImage| DynamicImage::ImageLuma8(mask.clone()).to_rgb8();
    [
        sample.garment.clone(),
        sample.person.clone(),
        sample.agnostic.clone(),
        gray(&sample.agnostic_mask),
        sample.densepose.clone(),
        gray(&sample.worn_mask),
    ]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        arguments
            .get(at)
            .and_then(|a| a.parse().ok())
            .unwrap_or(default)
    };
    let (seed, count, height) = (number(1, 1), number(2, 8), number(3, 256));
    let width = height * 3 / 4;
    let columns = 2;
    let mut sheet = RgbImage::new(
        (width * 6 * columns) as u32,
        (height * count.div_ceil(columns)) as u32,
    );
    for index in 0..count {
        let sample = render(seed, index, height as usize, width as usize);
        for (place, picture) in row_of(&sample).iter().enumerate() {
            let x = (index % columns * 6 + place as u64) * width;
            imageops::replace(
                &mut sheet,
                picture,
                x as i64,
                (index / columns * height) as i64,
            );
        }
    }
    let Some(path) = arguments.first() else {
        return ExitCode::from(2);
    };
    match sheet.save(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
