//! `report.html`: everything on one page that needs nothing else.

mod answer;
mod choose;
mod gallery;
mod maps;
mod pictures;
mod sections;
mod specific;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use i2am_imaging::ColorMap;
use i2am_quantity::Marks;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::{Deserialize, Serialize};

pub use pictures::{PictureSource, Pictures};

use crate::ReportError;
use crate::plots::{Plot, PlotGroup};
use crate::run::Run;
use crate::table::{Table, index_of};
use gallery::{Gallery, Source};

/// `[page]`: what the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageConfig {
    /// Samples of each model whose pictures and maps can be looked at.
    pub samples: usize,
    /// How large the page may become, in 10^6 bytes; maps are left out beyond it.
    pub max_megabytes: f64,
    /// Most rows of pixels of a picture; larger ones are shown smaller.
    pub picture_height: usize,
    /// Most rows of a layer's map; finer ones are averaged.
    pub map_height: usize,
    /// Most rows of patches that can be clicked; finer ones are put together.
    pub specific_height: usize,
    /// The colors that maps have at first.
    pub colors: ColorMap,
}

impl Default for PageConfig {
    fn default() -> Self {
        Self {
            samples: 6,
            max_megabytes: 15.0,
            picture_height: 256,
            map_height: 32,
            specific_height: 16,
            colors: ColorMap::default(),
        }
    }
}

impl PageConfig {
    /// Checks the ranges of numbers.
    ///
    /// # Errors
    /// [`ReportError::Setting`]
    pub fn check(&self) -> Result<(), ReportError> {
        let refused = |key, expected, found: String| {
            Err(ReportError::Setting {
                key,
                expected,
                found,
            })
        };
        if !(self.max_megabytes.is_finite() && self.max_megabytes > 0.0) {
            return refused(
                "max_megabytes",
                "a number above 0",
                self.max_megabytes.to_string(),
            );
        }
        for (key, found) in [
            ("picture_height", self.picture_height),
            ("map_height", self.map_height),
            ("specific_height", self.specific_height),
        ] {
            if found == 0 {
                return refused(key, "at least 1", found.to_string());
            }
        }
        Ok(())
    }
}

const TEMPLATE: &str = include_str!("../templates/report.html");
const STYLE: &str = include_str!("../templates/report.css");
const SCRIPTS: [&str; 7] = [
    include_str!("../templates/maps.js"),
    include_str!("../templates/pictures.js"),
    include_str!("../templates/gallery.js"),
    include_str!("../templates/split.js"),
    include_str!("../templates/viewer.js"),
    include_str!("../templates/tables.js"),
    include_str!("../templates/explorer.js"),
];

/// What every page says of itself.
const BRAND: &str = "<p class=\"brand\">i2am-bench</p>";

/// Whether a file is a page that this crate wrote.
pub(crate) fn is_ours(file: &[u8]) -> bool {
    file.windows(BRAND.len())
        .any(|window| window == BRAND.as_bytes())
}

/// Bytes kept for the sentence about what did not fit.
const RESERVE: usize = 300;

/// The page, and what was left out of it.
pub(crate) struct Page {
    pub(crate) html: String,
    pub(crate) left_out: Vec<String>,
}

/// Writes the page about `sources`.
///
/// # Errors
/// [`ReportError`] for pictures and records that are there and cannot be read.
pub(crate) fn render(
    sources: &[Source<'_>],
    tables: &[Table],
    plots: &[Plot],
    config: &PageConfig,
) -> Result<Page, ReportError> {
    config.check()?;
    let (mut gallery, plans) = Gallery::prepare(sources, config)?;
    let files = tables.iter().map(|table| (table.name.clone(), table.csv()));
    gallery.tables = files.collect();
    let without_samples = fill(sources, tables, plots, &gallery).len() + RESERVE;
    let bytes = (config.max_megabytes * 1e6) as usize;
    gallery.fill(&plans, config, bytes.saturating_sub(without_samples))?;
    let html = fill(sources, tables, plots, &gallery);
    Ok(Page {
        html,
        left_out: gallery.left_out,
    })
}

fn fill(sources: &[Source<'_>], tables: &[Table], plots: &[Plot], gallery: &Gallery) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let indexed: Vec<&'static str> = tables
        .first()
        .map_or_else(Vec::new, |table| table.indexed.clone());
    environment.add_filter("score", move |text: &str| score(text, &indexed));
    environment
        .add_template("report.html", TEMPLATE)
        .expect("the template is well-formed");
    let safe = |text: &str| Value::from_safe_string(text.to_owned());
    let runs: Vec<Value> = sources.iter().map(|(run, _)| about(run)).collect();
    let titles: Vec<&str> = sources.iter().map(|(run, _)| run.label.as_str()).collect();
    let marks: Marks = tables.iter().map(Table::marks).collect();
    let meanings: Vec<_> = marks.meanings().collect();
    let groups = [
        (PlotGroup::Agreement, "How scores correlate with metrics"),
        (PlotGroup::Truth, "Is this map true?"),
        (PlotGroup::Ladder, "How scores and metrics follow damage"),
        (PlotGroup::Levels, "Where attention looks outside the mask"),
        (PlotGroup::Distributions, "How samples are spread"),
    ];
    let groups: Vec<Value> = groups
        .into_iter()
        .filter_map(|(group, title)| {
            let own = plots.iter().filter(|plot| plot.group == group);
            let own: Vec<Value> = own
                .map(|plot| context! { name => plot.name.as_str(), description => plot.description.as_str(), svg => safe(&inline(&plot.drawing.svg)) })
                .collect();
            (!own.is_empty()).then(|| context! { title, plots => own })
        })
        .collect();
    let about_tasks: Vec<Value> = sections::TASKS
        .iter()
        .filter_map(|task| section(task, tables))
        .collect();
    let others: Vec<&Table> = tables
        .iter()
        .filter(|table| !sections::has_section(table))
        .collect();
    let all: Vec<&Run> = sources.iter().map(|(run, _)| *run).collect();
    let data = serde_json::to_string(gallery).expect("plain data has a JSON text");
    let template = environment
        .get_template("report.html")
        .expect("it was just added");
    template
        .render(context! {
            title => titles.join(", "),
            brand => safe(BRAND),
            style => safe(STYLE),
            scripts => SCRIPTS.map(safe),
            runs,
            answer => answer::answer(&all, plots),
            sections => about_tasks,
            tables => Value::from(Serde(others)),
            groups,
            meanings,
            left_out => gallery.left_out.clone(),
            // Nothing in it may end the element it stands in.
            data => safe(&data.replace('<', "\\u003c")),
        })
        .expect("the template asks for nothing else")
}

/// The section of a task that `tables` have something for.
fn section(task: &sections::Task, tables: &[Table]) -> Option<Value> {
    let own = task.tables(tables);
    let sentences: Vec<String> = own
        .iter()
        .filter_map(|table| sections::finding(table))
        .collect();
    (!own.is_empty()).then(|| {
        context! {
            id => task.id,
            short => task.short,
            title => task.title,
            lead => task.lead,
            sentences,
            tables => Value::from(Serde(own)),
        }
    })
}

/// The sample that a page shows first; none of a run without samples.
pub(crate) fn sample_of(run: &Run) -> Option<String> {
    choose::samples(run, 1).0.into_iter().next()
}

/// Bytes as text.
fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// 32-bit floats as text, little-endian.
fn encode_f32(values: &[f32]) -> String {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    encode(&bytes.collect::<Vec<u8>>())
}

/// What is known of a run.
fn about(run: &Run) -> Value {
    let manifest = &run.manifest;
    let dataset = [
        &manifest.dataset.name,
        &manifest.dataset.split,
        &manifest.dataset.pairing,
    ];
    let dataset: Vec<&str> = dataset
        .iter()
        .map(|part| part.as_str())
        .filter(|part| !part.is_empty())
        .collect();
    let counts = manifest.counts;
    let commit = manifest.git.as_ref().map(|git| {
        let short: String = git.commit.chars().take(10).collect();
        if git.dirty {
            format!("{short} with changes")
        } else {
            short
        }
    });
    let versions = manifest
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"));
    context! {
        label => run.label.as_str(),
        dataset => dataset.join(", "),
        models => run.models().len(),
        attempted => counts.attempted,
        failed => counts.failed,
        convention => run.convention.label(),
        started => manifest.started.as_str(),
        finished => manifest.finished.clone(),
        seed => manifest.seed,
        device => manifest.device.as_str(),
        commit,
        versions => versions.collect::<Vec<_>>().join(", "),
        warnings => manifest.warnings.iter().cloned().chain(run.failures()).collect::<Vec<_>>(),
        config => serde_json::to_string_pretty(&manifest.config).unwrap_or_default(),
    }
}

/// A name with its index set lower: `IMACS_g`.
fn score(text: &str, indexed: &[&str]) -> Value {
    let mut html = String::new();
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    for title in indexed {
        if let Some((name, index)) = index_of(title) {
            html = html.replace(title, &format!("{name}<sub>{index}</sub>"));
        }
    }
    Value::from_safe_string(html)
}

/// A plot as part of the page: it may shrink with it.
fn inline(svg: &str) -> String {
    let start = svg.find("<svg").unwrap_or(0);
    svg[start..].replacen("<svg ", "<svg aria-hidden=\"true\" ", 1)
}
