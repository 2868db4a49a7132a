//! Figures of maps: one model over time, heads and layers, and every model on one sample.

use std::path::Path;

use i2am_attribution::{AttentionRecord, Direction, Level, attribution_map, levels, normalise};
use i2am_imaging::{
    ColorMap, RgbImage, color_bar, overlay, pillow_bicubic_rgb, read_rgb, write_png_rgb,
};
use i2am_plot::tex;
use i2am_quantity::Marks;

use crate::ReportError;
use crate::order::best_first;
use crate::page::{PictureSource, sample_of};
use crate::run::Run;

/// What stands above a map of a level, if it is one of a kind.
type Caption = fn(&Level) -> Option<String>;

/// Share of the colors where a map is 1.
const STRENGTH: f32 = 0.8;
/// Height of the color bar in pixels.
const BAR: u32 = 256;
/// Pictures in one line.
const MOST: usize = 8;

/// A line of pictures: what stands before it, and each picture's file and caption.
struct Line {
    title: String,
    cells: Vec<(String, String)>,
}

/// Writes the figures and their pictures; the names of the figures' files, or why there are none.
///
/// # Errors
/// Pictures and records that are there and cannot be read, and files that cannot be written.
pub(super) fn write(
    run: &Run,
    pictures: Option<&dyn PictureSource>,
    out: &Path,
    prefix: &str,
    colors: ColorMap,
) -> Result<Result<Vec<String>, String>, ReportError> {
    let Some(sample) = sample_of(run) else {
        return Ok(Err("the run has no sample".to_owned()));
    };
    let Some(source) = pictures else {
        return Ok(Err("the data set was not found".to_owned()));
    };
    let given = match source.pictures(&sample) {
        Ok(given) => given,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut sheet = Sheet {
        run,
        out,
        prefix,
        colors,
        sample: &sample,
        marks: Marks::NONE,
    };
    let models = best_first(run).models;
    let mut lines = Vec::new();
    let mut best = None;
    for model in &models {
        let Some(shown) = Shown::read(run, model, &sample, &given.reference)? else {
            continue;
        };
        lines.push(sheet.of_model(model, &shown)?);
        best.get_or_insert((model, shown));
    }
    let Some((model, shown)) = best else {
        return Ok(Err(
            "no model has both an image and an attention record".to_owned()
        ));
    };
    let mut names = Vec::new();
    let mut caption = format!(
        "Every model on sample {}, best first: generated image, and attribution in both directions under the convention {}.",
        sample,
        run.convention.label()
    );
    names.push(sheet.figure("models", &lines, &caption)?);
    sheet.marks = Marks::NONE;
    let input = sheet.picture("given-input", &given.image, "input")?;
    let reference = sheet.picture("given-reference", &shown.reference, "reference")?;
    let mut lines = vec![Line {
        title: String::new(),
        cells: vec![input, reference],
    }];
    lines[0].cells.extend(sheet.of_model(model, &shown)?.cells);
    for direction in Direction::ALL {
        lines.extend(sheet.of_levels(&shown, direction)?);
    }
    caption = format!(
        "Attribution of {model} on sample {sample}, the one with the highest mean score: over all steps, heads and layers, then by time (noisiest first), \
         heads, and layers by the size of their maps. Convention {}.",
        run.convention.label()
    );
    names.push(sheet.figure("attribution", &lines, &caption)?);
    Ok(Ok(names))
}

/// What a model made of a sample.
struct Shown {
    image: RgbImage,
    /// At the size of the image.
    reference: RgbImage,
    record: AttentionRecord,
}

impl Shown {
    fn read(
        run: &Run,
        model: &str,
        sample: &str,
        reference: &RgbImage,
    ) -> Result<Option<Self>, ReportError> {
        let [image, record] = [
            run.paths.image(model, sample),
            run.paths.attention(model, sample),
        ];
        if !image.is_file() || !record.is_file() {
            return Ok(None);
        }
        let image = read_rgb(image)?;
        let size = [image.height(), image.width()].map(|length| length as usize);
        Ok(Some(Self {
            reference: pillow_bicubic_rgb(reference, size[0], size[1]),
            record: AttentionRecord::from_bytes(&i2am_files::read(&record)?, &record)?,
            image,
        }))
    }
}

/// A figure in the making.
struct Sheet<'a> {
    run: &'a Run,
    out: &'a Path,
    prefix: &'a str,
    colors: ColorMap,
    sample: &'a str,
    marks: Marks,
}

impl Sheet<'_> {
    /// Writes a picture; its file and caption.
    fn picture(
        &self,
        name: &str,
        picture: &RgbImage,
        caption: &str,
    ) -> Result<(String, String), ReportError> {
        let slug = crate::series::slug(&format!("{}{}-{name}", self.prefix, self.sample));
        let path = format!("figures/pictures/{}.png", slug.replace('.', "-"));
        write_png_rgb(self.out.join(&path), picture)?;
        Ok((path, caption.to_owned()))
    }

    /// A map over its picture; `None` where there is no map.
    fn map(&mut self, shown: &Shown, direction: Direction, level: &Level) -> Option<RgbImage> {
        let convention = &self.run.convention;
        let map = attribution_map(&shown.record, convention, direction, level).ok()?;
        let base = match direction {
            Direction::ReferenceToGenerated => &shown.image,
            Direction::GeneratedToReference => &shown.reference,
        };
        let [height, width] = [base.height(), base.width()].map(|length| length as usize);
        let plane = normalise(&map.plane, convention, direction, height, width, None);
        self.marks |= map.notes.marks();
        Some(overlay(base, &plane, self.colors, STRENGTH))
    }

    /// The image of a model and its two maps.
    fn of_model(&mut self, model: &str, shown: &Shown) -> Result<Line, ReportError> {
        let mut cells =
            vec![self.picture(&format!("{model}-generated"), &shown.image, "generated")?];
        for direction in Direction::ALL {
            if let Some(picture) = self.map(shown, direction, &Level::Unified) {
                let name = format!("{model}-{direction}");
                cells.push(self.picture(&name, &picture, direction.words())?);
            }
        }
        Ok(Line {
            title: model.to_owned(),
            cells,
        })
    }

    /// Maps of one direction by time, heads and layers.
    fn of_levels(&mut self, shown: &Shown, direction: Direction) -> Result<Vec<Line>, ReportError> {
        let all = levels(&shown.record, &self.run.convention, direction);
        let mut lines = Vec::new();
        let kinds: [(&str, Caption); 3] = [
            ("time", |level| match level {
                Level::Time(group) => Some((group + 1).to_string()),
                _ => None,
            }),
            ("heads", |level| match level {
                Level::Head(head) => Some(format!("head {head}")),
                _ => None,
            }),
            ("layers", |level| match level {
                Level::Resolution { height, width } => Some(format!("{height}×{width}")),
                _ => None,
            }),
        ];
        for (kind, caption) in kinds {
            let mut cells = Vec::new();
            for level in &all {
                let Some(caption) = caption(level) else {
                    continue;
                };
                if let Some(picture) = self.map(shown, direction, level)
                    && cells.len() < MOST
                {
                    let name = format!("{direction}-{kind}-{}", cells.len());
                    cells.push(self.picture(&name, &picture, &caption)?);
                }
            }
            if !cells.is_empty() {
                let title = format!("{kind}, {}", direction.words());
                lines.push(Line { title, cells });
            }
        }
        Ok(lines)
    }

    /// Writes a figure of lines with a color bar; the name of its file.
    fn figure(&self, name: &str, lines: &[Line], caption: &str) -> Result<String, ReportError> {
        let bar = color_bar(self.colors, STRENGTH, BAR);
        let (bar, _) = self.picture("color-bar", &bar, "")?;
        let most = lines.iter().map(|line| line.cells.len()).max().unwrap_or(1);
        let width = (0.92 / most.max(5) as f64 * 1000.0).floor() / 1000.0;
        let mut text = vec![
            "% Needs \\usepackage{graphicx}.".to_owned(),
            "\\begin{figure}".to_owned(),
            "  \\centering\\footnotesize\\setlength{\\tabcolsep}{1pt}".to_owned(),
        ];
        for line in lines {
            if !line.title.is_empty() {
                text.push(format!("  {}\\\\[2pt]", tex(&line.title)));
            }
            let files = line
                .cells
                .iter()
                .map(|(file, _)| format!("\\includegraphics[width={width}\\linewidth]{{{file}}}"));
            let captions = line.cells.iter().map(|(_, caption)| {
                format!(
                    "\\parbox[t]{{{width}\\linewidth}}{{\\centering {}}}",
                    tex(caption)
                )
            });
            let [files, captions] =
                [files.collect::<Vec<_>>(), captions.collect()].map(|cells| cells.join(" & "));
            let columns = "c".repeat(line.cells.len());
            text.extend([
                format!("  \\begin{{tabular}}{{{columns}}}"),
                format!("    {files} \\\\"),
                format!("    {captions}"),
                "  \\end{tabular}\\\\[4pt]".to_owned(),
            ]);
        }
        let meanings: Vec<String> = self
            .marks
            .meanings()
            .map(|(_, meaning)| format!(" {}", tex(meaning)))
            .collect();
        let file = format!("{}{name}", self.prefix);
        text.extend([
            format!(
                "  attribution \\raisebox{{-.4\\height}}{{\\includegraphics[height=2cm]{{{bar}}}}}"
            ),
            format!("  \\caption{{{}{}}}", tex(caption), meanings.concat()),
            format!("  \\label{{fig:{file}}}"),
            "\\end{figure}".to_owned(),
        ]);
        let path = format!("figures/{file}.tex");
        i2am_files::write_atomic(self.out.join(&path), text.join("\n") + "\n")?;
        Ok(path)
    }
}
