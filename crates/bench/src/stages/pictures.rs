//! What people would rather look at: overlays and one sheet per sample.

use anyhow::{Context as _, Result};
use i2am_attribution::{AttentionRecord, Direction, Level, attribution_map, levels, normalise};
use i2am_datasets::{Goal, Sample};
use i2am_imacs::scores::{Canvas, Drawing, Drawn, Overlay};
use i2am_imaging::{
    Cell, CellSize, PictureGrid, Plane, RgbImage, color_bar, overlay, pillow_bicubic_rgb,
    write_png_rgb,
};
use i2am_quantity::{Marks, Notes};
use i2am_results::RunPaths;

use crate::plan::Plan;

/// Height of a picture on the sheet.
const INPUTS: u32 = 256;
const MAPS: CellSize = CellSize::Height(160);
/// Mid-grey, as the models see the hole.
const HOLE: [u8; 3] = [128; 3];

/// The level of a map on the sheet: the title of its group, and its caption among `count` of them. None for levels that have no place
/// there.
fn on_sheet(level: &Level, count: usize) -> Option<(&'static str, String)> {
    match level {
        Level::Time(group) => {
            let place = match group {
                0 => " (noisiest)",
                last if last + 1 == count => " (last)",
                _ => "",
            };
            Some(("time", format!("{}{place}", group + 1)))
        }
        Level::Head(head) => Some(("heads", format!("head {head}"))),
        Level::Resolution { height, width } => {
            Some(("layers by size", format!("{height}×{width}")))
        }
        _ => None,
    }
}

/// The pictures of one sample.
pub(super) struct Pictures<'a> {
    pub(super) plan: &'a Plan,
    pub(super) paths: &'a RunPaths,
    pub(super) model: &'a str,
    pub(super) sample: &'a Sample,
    pub(super) image: &'a RgbImage,
}

impl Pictures<'_> {
    /// Writes what the configuration asks for.
    pub(super) fn write(
        &self,
        record: &AttentionRecord,
        drawings: &[Box<dyn Drawing>],
    ) -> Result<()> {
        let settings = &self.plan.config.pictures;
        let has_maps = settings.grid || settings.overlays;
        if has_maps || drawings.iter().any(|drawing| drawing.is_asked_for()) {
            // As large as the generated image, so that maps over either have one size.
            let (width, height) = self.image.dimensions();
            let reference =
                pillow_bicubic_rgb(&self.sample.reference, height as usize, width as usize);
            let overlays = if has_maps {
                self.overlays(record, &reference)
            } else {
                Vec::new()
            };
            self.write_maps(&overlays, drawings, &reference)?;
        }
        Ok(())
    }

    fn write_maps(
        &self,
        overlays: &[Overlay],
        drawings: &[Box<dyn Drawing>],
        reference: &RgbImage,
    ) -> Result<()> {
        let settings = &self.plan.config.pictures;
        let canvas = Canvas {
            convention: &self.plan.config.convention,
            generated: self.image,
            reference,
            overlays,
            colors: settings.colors,
            strength: settings.strength,
        };
        let (model, id) = (self.model, self.sample.id.as_str());
        let folder = self.paths.maps(model, id);
        // Levels that only an earlier convention had would stay among the new ones.
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        let write = |name: &str, picture: &RgbImage| {
            write_png_rgb(self.paths.map(model, id, name), picture)
        };
        let mut drawn = Vec::new();
        for drawing in drawings {
            let asked_for = drawing.is_asked_for();
            if !(asked_for || settings.overlays || settings.grid) {
                continue;
            }
            if let Some(picture) = drawing.draw(&canvas) {
                if asked_for || settings.overlays {
                    write(&picture.name, &picture.picture)?;
                }
                drawn.push(picture);
            }
        }
        if settings.overlays {
            for overlay in overlays {
                let Overlay {
                    direction, level, ..
                } = overlay;
                write(&format!("{direction}.{level}"), &overlay.picture)?;
            }
        }
        if settings.grid {
            write_png_rgb(self.paths.grid(model, id), &self.sheet(overlays, drawn))?;
        }
        Ok(())
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
                if let Some((map, marks)) = attribution(plan, record, direction, &level, base) {
                    overlays.push(Overlay {
                        direction,
                        level,
                        marks,
                        picture: overlay(base, &map, settings.colors, settings.strength),
                    });
                }
            }
        }
        overlays
    }
}

/// The map as it is scored, without a mask, and its marks; none where there is no map.
fn attribution(
    plan: &Plan,
    record: &AttentionRecord,
    direction: Direction,
    level: &Level,
    base: &RgbImage,
) -> Option<(Plane, Marks)> {
    let convention = &plan.config.convention;
    let map = attribution_map(record, convention, direction, level).ok()?;
    let [height, width] = [base.height(), base.width()].map(|length| length as usize);
    let attribution = normalise(&map.plane, convention, direction, height, width, None);
    Some((attribution, map.notes.marks()))
}

impl Pictures<'_> {
    fn sheet(&self, overlays: &[Overlay], drawn: Vec<Drawn>) -> RgbImage {
        let Self {
            model,
            sample,
            image,
            ..
        } = *self;
        let mut grid = PictureGrid::new();
        let mut inputs = match self.plan.dataset.goal() {
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
                let caption = format!("{}{}", arrow(map.direction), named(map.marks));
                Cell::new(caption, map.picture.clone())
            })
        };
        inputs.extend(overlays.iter().filter_map(unified));
        let settings = &self.plan.config.pictures;
        if !overlays.is_empty() {
            let bar = color_bar(settings.colors, settings.strength, INPUTS);
            inputs.push(Cell::unscaled("attribution", bar));
        }
        let title = format!("{model}, sample {}", sample.id);
        grid.row(title, CellSize::Height(INPUTS), inputs);
        let mut rows: Vec<(&str, Vec<Cell>)> = Vec::new();
        for Drawn { sheet, picture, .. } in drawn {
            let Some((title, caption)) = sheet else {
                continue;
            };
            let cell = Cell::new(caption, picture);
            match rows.iter_mut().find(|(known, _)| *known == title) {
                Some((_, cells)) => cells.push(cell),
                None => rows.push((title, vec![cell])),
            }
        }
        for (title, cells) in rows {
            grid.group(title, MAPS, cells);
        }
        for wanted in ["time", "heads", "layers by size"] {
            for direction in Direction::ALL {
                let own = |map: &&Overlay| {
                    let is_wanted = on_sheet(&map.level, 0).is_some_and(|(kind, _)| kind == wanted);
                    map.direction == direction && is_wanted
                };
                let shown: Vec<&Overlay> = overlays.iter().filter(own).collect();
                let marks: Marks = shown.iter().map(|map| map.marks).collect();
                let cell = |map: &&Overlay| {
                    let (_, caption) = on_sheet(&map.level, shown.len())?;
                    Some(Cell::new(caption, map.picture.clone()))
                };
                let cells: Vec<Cell> = shown.iter().filter_map(cell).collect();
                if !cells.is_empty() {
                    let title = format!("{}: {wanted}{}", arrow(direction), named(marks));
                    grid.group(title, MAPS, cells);
                }
            }
        }
        for (_, meaning) in marks_on_sheet(overlays).meanings() {
            grid.note(meaning);
        }
        grid.render()
    }
}

/// The marks of the maps that are on the sheet; single layers are not.
fn marks_on_sheet(overlays: &[Overlay]) -> Marks {
    let is_shown = |level: &Level| *level == Level::Unified || on_sheet(level, 0).is_some();
    let shown = overlays.iter().filter(|map| is_shown(&map.level));
    shown.map(|map| map.marks).collect()
}

/// From where to where a map reads.
fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ReferenceToGenerated => "reference → generated",
        Direction::GeneratedToReference => "generated → reference",
    }
}

/// What belongs to every map of a layer that sees the reference as one pooled token.
fn named(marks: Marks) -> String {
    if marks.is_empty() {
        return String::new();
    }
    format!(" ({})", Notes::from(marks))
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

#[cfg(test)]
mod tests {
    use i2am_quantity::Note;

    use super::*;

    /// A model whose warp blocks read places has layers of one token, too; their maps are not on its sheet, and so are not explained there.
    #[test]
    fn marks_of_maps_that_are_not_shown_are_not_explained() {
        let map = |level: Level, notes: &Notes| Overlay {
            direction: Direction::ReferenceToGenerated,
            level,
            marks: notes.marks(),
            picture: RgbImage::new(1, 1),
        };
        let one_token = Notes::from(Note::OneToken);
        let layer = Level::Layer("down_blocks.0.attentions.0".to_owned());
        let pooled = map(layer, &one_token);
        let plain = map(Level::Unified, &Notes::NONE);
        assert!(marks_on_sheet(&[plain.clone(), pooled]).is_empty());
        let head = map(Level::Head(0), &one_token);
        assert!(!marks_on_sheet(&[plain, head]).is_empty());
    }
}
