//! What people would rather look at: overlays and one sheet per sample.

use anyhow::{Context as _, Result};
use i2am_attribution::{AttentionRecord, Direction, Level, attribution_map, levels, normalise};
use i2am_datasets::{Goal, Sample};
use i2am_imaging::{
    Cell, CellSize, PictureGrid, Plane, RgbImage, overlay, pillow_bicubic_rgb, write_png_rgb,
};
use i2am_results::RunPaths;

use super::detection::{BoxPicture, Detected};
use super::specific::SpecificMap;
use crate::plan::Plan;

/// Height of a picture on the sheet.
const INPUTS: CellSize = CellSize::Height(192);
const MAPS: CellSize = CellSize::Height(128);
/// Mid-grey, as the models see the hole.
const HOLE: [u8; 3] = [128; 3];

/// A map laid over its picture.
struct Overlay {
    direction: Direction,
    level: Level,
    one_token: bool,
    picture: RgbImage,
}

type LevelFilter = fn(&Level) -> bool;

/// The pictures of one sample.
pub(super) struct Pictures<'a> {
    pub(super) plan: &'a Plan,
    pub(super) paths: &'a RunPaths,
    pub(super) model: &'a str,
    pub(super) sample: &'a Sample,
    pub(super) image: &'a RgbImage,
    /// Boxes read off the maps, where that is the task.
    pub(super) detected: Option<&'a Detected>,
}

impl Pictures<'_> {
    /// Writes what the configuration asks for.
    pub(super) fn write(&self, record: &AttentionRecord, specific: &[SpecificMap]) -> Result<()> {
        let settings = &self.plan.config.pictures;
        if settings.grid || settings.overlays || !specific.is_empty() {
            // As large as the generated picture, so that maps over either have one size.
            let (width, height) = self.image.dimensions();
            let reference =
                pillow_bicubic_rgb(&self.sample.reference, height as usize, width as usize);
            self.write_maps(record, specific, &reference)?;
        }
        Ok(())
    }

    fn write_maps(
        &self,
        record: &AttentionRecord,
        specific: &[SpecificMap],
        reference: &RgbImage,
    ) -> Result<()> {
        let settings = &self.plan.config.pictures;
        let overlays = if settings.grid || settings.overlays {
            self.overlays(record, reference)
        } else {
            Vec::new()
        };
        let boxes = self.boxes(&overlays);
        let folder = self.paths.maps(self.model, &self.sample.id);
        // Levels that only an earlier convention had would stay among the new ones.
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        for map in specific {
            if let Some(picture) = map.picture(self.plan, self.image, reference) {
                write_png_rgb(folder.join(map.file_name()), &picture)?;
            }
        }
        if settings.overlays {
            for Overlay {
                direction,
                level,
                picture,
                ..
            } in &overlays
            {
                let name = level.to_string().replace(':', "-");
                write_png_rgb(folder.join(format!("{direction}.{name}.png")), picture)?;
            }
            for BoxPicture { file, picture, .. } in &boxes {
                write_png_rgb(folder.join(format!("{file}.png")), picture)?;
            }
        }
        if settings.grid {
            write_png_rgb(
                self.paths.grid(self.model, &self.sample.id),
                &sheet(
                    self.model,
                    self.plan.dataset.goal(),
                    self.sample,
                    self.image,
                    &overlays,
                    boxes,
                ),
            )?;
        }
        Ok(())
    }

    /// The boxes drawn over the overlay of the map that each was read off.
    fn boxes(&self, overlays: &[Overlay]) -> Vec<BoxPicture> {
        let Some(detected) = self.detected else {
            return Vec::new();
        };
        detected.pictures(self.image, |name| {
            let of_level = |overlay: &&Overlay| {
                overlay.direction == Direction::ReferenceToGenerated
                    && overlay.level.to_string() == name
            };
            let overlay = overlays.iter().find(of_level);
            overlay.map(|overlay| &overlay.picture)
        })
    }

    fn overlays(&self, record: &AttentionRecord, reference: &RgbImage) -> Vec<Overlay> {
        let (plan, settings) = (self.plan, &self.plan.config.pictures);
        let mut overlays = Vec::new();
        for direction in Direction::ALL {
            let base = match direction {
                Direction::ReferenceToGenerated => self.image,
                Direction::GeneratedToReference => reference,
            };
            for level in levels(record, &plan.config.convention, direction) {
                if let Some((map, one_token)) = attribution(plan, record, direction, &level, base) {
                    overlays.push(Overlay {
                        direction,
                        level,
                        one_token,
                        picture: overlay(base, &map, settings.colors, settings.strength),
                    });
                }
            }
        }
        overlays
    }
}

/// The map as it is scored, without a mask, and whether it is of one token; none where there is no map.
fn attribution(
    plan: &Plan,
    record: &AttentionRecord,
    direction: Direction,
    level: &Level,
    base: &RgbImage,
) -> Option<(Plane, bool)> {
    let convention = &plan.config.convention;
    let map = attribution_map(record, convention, direction, level).ok()?;
    let [height, width] = [base.height(), base.width()].map(|length| length as usize);
    let attribution = normalise(&map.plane, convention, direction, height, width, None);
    Some((attribution, map.one_token))
}

fn sheet(
    model: &str,
    goal: Goal,
    sample: &Sample,
    image: &RgbImage,
    overlays: &[Overlay],
    boxes: Vec<BoxPicture>,
) -> RgbImage {
    let mut grid = PictureGrid::new();
    let mut inputs = match goal {
        Goal::Repaint => vec![
            Cell::new("to inpaint", with_hole(sample)),
            Cell::new("reference", sample.reference.clone()),
        ],
        Goal::Enlarge { scale } => vec![
            Cell::new("low resolution", sample.reference.clone()),
            Cell::new(format!("bicubic x{scale}"), sample.image.clone()),
        ],
    };
    inputs.push(Cell::new("generated", image.clone()));
    inputs.extend(
        sample
            .ground_truth
            .clone()
            .map(|truth| Cell::new("ground truth", truth)),
    );
    let unified = |map: &Overlay| {
        (map.level == Level::Unified).then(|| {
            let caption = format!("{} unified{}", map.direction, mark(map.one_token));
            Cell::new(caption, map.picture.clone())
        })
    };
    inputs.extend(overlays.iter().filter_map(unified));
    grid.row(format!("{model}, sample {}", sample.id), INPUTS, inputs);
    if !boxes.is_empty() {
        let cells = boxes
            .into_iter()
            .map(|drawn| Cell::new(drawn.caption, drawn.picture));
        grid.row(Detected::LEGEND, MAPS, cells);
    }
    for direction in Direction::ALL {
        let titles: [(&str, LevelFilter); 3] = [
            ("time groups, noisiest first", |level| {
                matches!(level, Level::Time(_))
            }),
            ("heads", |level| matches!(level, Level::Head(_))),
            ("resolutions", |level| {
                matches!(level, Level::Resolution { .. })
            }),
        ];
        for (title, wanted) in titles {
            let shown = overlays
                .iter()
                .filter(|map| map.direction == direction && wanted(&map.level));
            let one_token = shown.clone().any(|map| map.one_token);
            let cell = |map: &Overlay| Cell::new(map.level.to_string(), map.picture.clone());
            let cells: Vec<Cell> = shown.map(cell).collect();
            if !cells.is_empty() {
                let title = format!("{direction}: {title}{}", mark(one_token));
                grid.row(title, MAPS, cells);
            }
        }
    }
    grid.render()
}

/// What belongs to every map of a layer that sees the reference as one pooled token.
fn mark(one_token: bool) -> &'static str {
    if one_token { " (one-token)" } else { "" }
}

/// The picture with its hole in grey.
fn with_hole(sample: &Sample) -> RgbImage {
    let mut picture = sample.image.clone();
    for (pixel, mask) in picture.pixels_mut().zip(sample.mask.pixels()) {
        if mask.0[0] >= 128 {
            pixel.0 = HOLE;
        }
    }
    picture
}
