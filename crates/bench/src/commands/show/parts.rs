//! The parts of a run, each as text for the terminal.

use anyhow::Result;
use i2am_quantity::{Marks, Place};
use i2am_report::{Table, TableConfig};
use i2am_results::{AggregateRow, DebugRow, Manifest, RunPaths, read_debug, read_failures};

use crate::cli::{ShowArgs, StageName};
use crate::registry::quantities;
use crate::table::{self, WIDTH, shown, wrapped};

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Scores,
    Levels,
    Heads,
    Correlations,
    Detection,
    Faithfulness,
    Locality,
    Correspondence,
    Ladder,
    Failures,
    Warnings,
    Time,
}

impl Part {
    /// In the order in which they are printed.
    pub(super) const ALL: [Self; 12] = [
        Self::Scores,
        Self::Levels,
        Self::Heads,
        Self::Detection,
        Self::Faithfulness,
        Self::Locality,
        Self::Correspondence,
        Self::Ladder,
        Self::Correlations,
        Self::Failures,
        Self::Warnings,
        Self::Time,
    ];

    /// What the command line asks for; the scores without anything else.
    pub(super) fn asked(args: &ShowArgs) -> Vec<Self> {
        let is_asked = |part: &Self| {
            args.all
                || match part {
                    Self::Scores => args.scores,
                    Self::Levels => args.levels,
                    Self::Heads => args.heads,
                    Self::Correlations => args.correlations,
                    Self::Detection => args.detection,
                    Self::Faithfulness => args.faithfulness,
                    Self::Locality => args.locality,
                    Self::Correspondence => args.correspondence,
                    Self::Ladder => args.ladder,
                    Self::Failures => args.failures,
                    Self::Warnings => args.warnings,
                    Self::Time => args.time,
                }
        };
        let asked: Vec<Self> = Self::ALL.into_iter().filter(is_asked).collect();
        if asked.is_empty() {
            vec![Self::Scores]
        } else {
            asked
        }
    }

    /// The flag that asks for it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Scores => "--scores",
            Self::Levels => "--levels",
            Self::Heads => "--heads",
            Self::Correlations => "--correlations",
            Self::Detection => "--detection",
            Self::Faithfulness => "--faithfulness",
            Self::Locality => "--locality",
            Self::Correspondence => "--correspondence",
            Self::Ladder => "--ladder",
            Self::Failures => "--failures",
            Self::Warnings => "--warnings",
            Self::Time => "--time",
        }
    }

    /// The tables of a report that belong to it.
    fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Scores => &["results"],
            Self::Correlations => &[
                "correlations",
                "correlations_within",
                "correlations_compared",
            ],
            Self::Detection => &["detection"],
            Self::Faithfulness => &["faithfulness", "agreement", "mark"],
            Self::Locality => &["locality", "locality_levels"],
            Self::Correspondence => &["correspondence", "correspondence_distance"],
            Self::Ladder => &["detection_power", "ladder_correlations"],
            Self::Levels | Self::Heads | Self::Failures | Self::Warnings | Self::Time => &[],
        }
    }
}

/// What parts are made of.
pub(super) struct Source<'a> {
    pub(super) paths: &'a RunPaths,
    pub(super) manifest: &'a Manifest,
    pub(super) aggregate: &'a [AggregateRow],
    /// Only these; all if there are none.
    pub(super) models: &'a [String],
    pub(super) config: TableConfig,
    /// Heads of each model and direction that are shown.
    pub(super) worst: usize,
}

impl Source<'_> {
    /// The text of each of `asked`; `None` for what there is nothing for.
    pub(super) fn texts(&self, asked: &[Part]) -> Result<Vec<Option<String>>> {
        let of_report = asked.iter().any(|part| !part.tables().is_empty());
        let tables = if of_report {
            let dir = self.paths.dir();
            let mut tables = i2am_report::tables(&[dir], self.config, quantities())?;
            tables.extend(crate::stages::correlate::ladder::tables(self.paths)?);
            tables
        } else {
            Vec::new()
        };
        asked.iter().map(|part| self.text(*part, &tables)).collect()
    }

    fn text(&self, part: Part, tables: &[Table]) -> Result<Option<String>> {
        match part {
            Part::Levels => Ok(self.levels()),
            Part::Heads => self.heads(),
            Part::Failures => self.failures(),
            Part::Warnings => Ok(Some(self.warnings())),
            Part::Time => Ok(time(self.manifest)),
            _ => {
                let own = tables
                    .iter()
                    .filter(|table| part.tables().contains(&table.name.as_str()));
                let texts: Vec<String> = own.map(|table| self.table(table)).collect();
                Ok((!texts.is_empty()).then(|| texts.join("\n\n")))
            }
        }
    }

    /// A table of the report with the lines of the models that are asked for.
    fn table(&self, table: &Table) -> String {
        let place = table
            .columns
            .iter()
            .position(|column| column.heading == "Model");
        let mut table = table.clone();
        if let Some(place) = place {
            table.rows.retain(|row| self.wants(&row[place].text));
        }
        shown(&table, WIDTH)
    }

    fn wants(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|name| name == model)
    }

    /// The headline scores of maps, one line for each level.
    fn levels(&self) -> Option<String> {
        let is_headline = |row: &&AggregateRow| {
            let known = quantities().find(&row.metric);
            row.level.is_some()
                && self.wants(&row.model)
                && known.is_some_and(|known| known.place == Place::Headline)
        };
        let rows: Vec<&AggregateRow> = self.aggregate.iter().filter(is_headline).collect();
        if rows.is_empty() {
            return None;
        }
        let mut drawn =
            table::with_header(["model", "score", "level", "mean", "sd", "n", "missing"]);
        let mut marks = Marks::NONE;
        for row in rows {
            marks |= row.note.marks();
            drawn.add_row([
                row.model.clone(),
                format!("{}{}", row.metric, row.note.marks().text()),
                table::text(row.level.as_ref()),
                table::number(row.mean, 4),
                table::number(row.sd, 4),
                row.n.to_string(),
                row.missing.to_string(),
            ]);
        }
        table::align_right(&mut drawn, 3..7);
        Some(format!("{drawn}{}", table::footnotes(marks)))
    }

    /// The heads whose maps agree least with the mask, of every model and direction.
    fn heads(&self) -> Result<Option<String>> {
        let models: std::collections::BTreeSet<&str> = self
            .aggregate
            .iter()
            .map(|row| row.model.as_str())
            .collect();
        let mut worst: Vec<DebugRow> = Vec::new();
        for model in models.into_iter().filter(|model| self.wants(model)) {
            let path = self.paths.debug(model);
            if path.is_file() {
                let rows = read_debug(&path)?.into_iter();
                worst.extend(rows.filter(|row| row.rank.is_some_and(|rank| rank <= self.worst)));
            }
        }
        Ok((!worst.is_empty()).then(|| heads(&worst)))
    }

    fn failures(&self) -> Result<Option<String>> {
        let failures = read_failures(self.paths)?.into_iter();
        let lines: Vec<String> = failures
            .filter(|failure| self.wants(&failure.model))
            .map(|failure| {
                format!(
                    "{}, {}, stage {}: {}",
                    failure.model, failure.sample_id, failure.stage, failure.reason
                )
            })
            .collect();
        Ok(Some(if lines.is_empty() {
            "No sample failed.".to_owned()
        } else {
            format!("Samples that failed:\n{}", lines.join("\n"))
        }))
    }

    fn warnings(&self) -> String {
        let warnings = &self.manifest.warnings;
        let lines: Vec<String> = warnings
            .iter()
            .map(|warning| wrapped(&format!("Warning: {warning}"), WIDTH))
            .collect();
        if lines.is_empty() {
            "The run warned of nothing.".to_owned()
        } else {
            lines.join("\n")
        }
    }
}

/// What each stage took, over all sessions of a run.
pub(super) fn time(manifest: &Manifest) -> Option<String> {
    let order = <StageName as clap::ValueEnum>::value_variants();
    let took = order.iter().filter_map(|stage| {
        let seconds = manifest.seconds.get(stage.as_str())?;
        // A stage that the run does not have takes no time.
        (*seconds >= 0.05).then(|| format!("{} {seconds:.1} s", stage.as_str()))
    });
    let took: Vec<String> = took.collect();
    let total: f64 = manifest.seconds.values().sum();
    (!took.is_empty()).then(|| {
        wrapped(
            &format!("Time: {total:.1} s over all sessions: {}", took.join(", ")),
            WIDTH,
        )
    })
}

fn heads(rows: &[DebugRow]) -> String {
    let mut drawn = table::with_header([
        "model",
        "worst",
        "layer, head, time group",
        "imacs",
        "sd",
        "n",
        "outside",
        "area",
    ]);
    let number = |value| table::number(value, 4);
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
    };
    for row in rows {
        let mark = row.note.marks().text();
        let rank = row.rank.map_or_else(String::new, |rank| rank.to_string());
        drawn.add_row([
            row.model.clone(),
            format!("{}{mark} {rank}", row.direction),
            format!("{}, {}, {}", row.layer, row.head, row.time_group),
            number(row.imacs),
            number(row.sd),
            row.n.to_string(),
            percent(row.attention_outside),
            percent(row.area_outside),
        ]);
    }
    table::align_right(&mut drawn, 3..8);
    let about = wrapped(
        "The worst heads: their mean score, and the share of their attention outside the mask, compared with the share of the area. All \
         heads are in debug/MODEL.csv; [intervene] generates the images again without some of them.",
        WIDTH,
    );
    format!("{drawn}\n{about}")
}
