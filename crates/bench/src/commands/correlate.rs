//! Correlations of the columns of any table.

mod printed;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_files::Separator;
use i2am_quantity::Better;
use i2am_stats::{Correlation, Target};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::cli::{CorrelateArgs, RunArgs};
use crate::config::{Document, SCHEMA_VERSION, Source, Statistics};
use crate::correlations::{self, Column};
use crate::device::use_threads;
use crate::exit::{Outcome, usage};
use crate::progress;
use crate::registry::quantities;
use table::{Format, TableFile};

/// Everything that is asked of a table.
struct Question {
    file: PathBuf,
    format: Format,
    x: Vec<String>,
    y: Vec<String>,
    lower: Vec<String>,
    higher: Vec<String>,
    statistics: Statistics,
    footnotes: Vec<String>,
}

/// One correlation and how it is shown.
pub(super) struct Line {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) covariates: Vec<String>,
    pub(crate) better: Better,
    pub(crate) found: Correlation,
    pub(crate) p_holm: Option<f64>,
}

/// Correlates the columns that the command line names.
pub(super) fn run(args: &CorrelateArgs) -> Result<Outcome> {
    use_threads(args.threads)?;
    let question = if let Some(config) = &args.config {
        let source = Source::read(config, &args.sets)?;
        Question::of_config(&mut Document::parse_source(&source)?)?
    } else {
        Question::of_flags(args)?
    };
    question.answer(args.json)
}

/// The same for a configuration with a table, as `bench --config` takes it.
pub(super) fn run_config(args: &RunArgs, document: &mut Document<'_>) -> Result<Outcome> {
    let question = asked(args, document)?;
    use_threads(args.threads)?;
    question.answer(args.json)
}

/// Reads everything that such a configuration needs and computes nothing.
pub(super) fn check_config(args: &RunArgs, document: &mut Document<'_>) -> Result<Outcome> {
    let question = asked(args, document)?;
    let (names, columns) = question.columns()?;
    let (x, y) = names.split_at(question.x.len());
    let (y, rows) = (&y[..question.y.len()], columns.first().map_or(0, Vec::len));
    let text = if args.json {
        json!({ "table": question.file, "x": x, "y": y, "rows": rows }).to_string()
    } else {
        let (x, y, file) = (x.join(", "), y.join(", "), question.file.display());
        format!("would correlate {x} with {y} over {rows} rows of {file}")
    };
    progress::print(&text)?;
    Ok(Outcome::Ok)
}

/// What the configuration asks of its table. There are no samples and no stages, so flags about them are refused.
fn asked(args: &RunArgs, document: &mut Document<'_>) -> Result<Question> {
    let flags = [
        ("--stages", !args.stages.is_empty()),
        ("--limit", args.limit.is_some()),
        ("--shard", args.shard.is_some()),
        ("--fresh", args.fresh),
    ];
    if let Some((flag, _)) = flags.iter().find(|(_, given)| *given) {
        let problem = format!("{flag}: a configuration with [table] has no stages and no samples");
        return Err(document.refuse(&problem));
    }
    Question::of_config(document)
}

/// A configuration that correlates a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    schema_version: u32,
    #[serde(rename = "name")]
    _name: Option<String>,
    table: TableConfig,
    #[serde(rename = "statistics")]
    _statistics: Option<serde::de::IgnoredAny>,
}

/// `[table]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableConfig {
    file: PathBuf,
    x: Vec<String>,
    y: Vec<String>,
    #[serde(default, deserialize_with = "separator")]
    separator: Separator,
    #[serde(default)]
    decimal_comma: bool,
    #[serde(default)]
    gaps: bool,
    #[serde(default)]
    lower: Vec<String>,
    #[serde(default)]
    higher: Vec<String>,
    #[serde(default)]
    footnotes: Vec<String>,
}

fn separator<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Separator, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl Question {
    fn of_flags(args: &CorrelateArgs) -> Result<Self> {
        let defaults = Statistics::default();
        let methods = args.methods.iter().map(|method| method.as_str().to_owned());
        let statistics = Statistics {
            methods: if args.methods.is_empty() {
                defaults.methods
            } else {
                methods.collect()
            },
            resamples: args.resamples,
            permutations: args.permutations,
            level: args.level,
            seed: args.seed,
            covariates: args.covariates.clone(),
            levels: Vec::new(),
            variants: false,
        };
        statistics
            .settings()
            .map_err(|problem| usage(format!("--{problem}")))?;
        let Some(file) = args.table.clone() else {
            unreachable!("clap asks for --table without --config")
        };
        Ok(Self {
            file,
            format: Format {
                separator: args.separator,
                decimal_comma: args.decimal_comma,
                gaps: args.gaps,
            },
            x: args.x.clone(),
            y: args.y.clone(),
            lower: args.lower.clone(),
            higher: args.higher.clone(),
            statistics,
            footnotes: Vec::new(),
        })
    }

    fn of_config(document: &mut Document<'_>) -> Result<Self> {
        let Top {
            schema_version,
            table,
            ..
        } = document.parse_whole()?;
        if schema_version != SCHEMA_VERSION {
            return Err(document.refuse(&format!(
                "schema_version: expected {SCHEMA_VERSION}, found {schema_version}"
            )));
        }
        let given = document.take_top("statistics");
        let has_covariates = given.as_ref().is_some_and(|table| {
            table
                .get_ref()
                .as_table()
                .is_some_and(|table| table.contains_key("covariates"))
        });
        let mut statistics = Statistics::read(document, given)?;
        if !has_covariates {
            // The default is a column of a run, which other tables need not have.
            statistics.covariates.clear();
        }
        let base = document.path().parent().unwrap_or(Path::new(""));
        Ok(Self {
            file: i2am_files::resolve(base, table.file),
            format: Format {
                separator: table.separator,
                decimal_comma: table.decimal_comma,
                gaps: table.gaps,
            },
            x: table.x,
            y: table.y,
            lower: table.lower,
            higher: table.higher,
            statistics,
            footnotes: table.footnotes,
        })
    }

    fn answer(&self, as_json: bool) -> Result<Outcome> {
        let lines = self.lines()?;
        let text = if as_json {
            json!({ "correlations": lines.iter().map(Line::json).collect::<Vec<_>>() }).to_string()
        } else {
            printed::correlated(&lines, self.statistics.level, &self.footnotes)
        };
        progress::print(&text)?;
        Ok(Outcome::Ok)
    }

    /// The columns of x, of y and the covariates, with their names.
    fn columns(&self) -> Result<(Vec<String>, Vec<Column>)> {
        let table = TableFile::read(&self.file, self.format)?;
        let sides = self.x.iter().chain(&self.y);
        let names: Vec<String> = sides.chain(&self.statistics.covariates).cloned().collect();
        let columns = names.iter().map(|name| table.column(name));
        let columns = columns.collect::<Result<_>>()?;
        Ok((names, columns))
    }

    fn lines(&self) -> Result<Vec<Line>> {
        let (names, columns) = self.columns()?;
        let covariates = &self.statistics.covariates;
        let (x, y) = (self.x.len(), self.y.len());
        let targets: Vec<Target> = (0..x)
            .flat_map(|x_index| {
                (0..y).map(move |y| Target {
                    x: x_index,
                    y: x + y,
                })
            })
            .collect();
        let settings = self.statistics.settings().map_err(usage)?;
        let given: Vec<usize> = (x + y..names.len()).collect();
        let plain = correlations::correlations(&columns, &targets, &[], &settings)?;
        let held = if given.is_empty() {
            None
        } else {
            Some(correlations::correlations(
                &columns, &targets, &given, &settings,
            )?)
        };
        let mut lines = Vec::new();
        for (found, covariates) in [(Some(plain), &[][..]), (held, covariates)] {
            for (target, found) in targets.iter().zip(found.into_iter().flatten()) {
                let y = &names[target.y];
                lines.extend(found.into_iter().map(|found| Line {
                    x: names[target.x].clone(),
                    y: y.clone(),
                    covariates: covariates.to_vec(),
                    better: self.better(y),
                    found,
                    p_holm: None,
                }));
            }
        }
        let tests = lines.iter().map(|line| {
            let p = line.found.p.ok().filter(|_| line.found.value.is_ok());
            (
                (line.covariates.clone(), line.found.method),
                p.map(|p| p.value),
            )
        });
        let corrected = correlations::corrected(tests.collect());
        for (line, p) in lines.iter_mut().zip(corrected) {
            line.p_holm = p;
        }
        Ok(lines)
    }

    fn better(&self, y: &str) -> Better {
        match () {
            () if self.lower.iter().any(|name| name == y) => Better::Lower,
            () if self.higher.iter().any(|name| name == y) => Better::Higher,
            () => quantities().better(y),
        }
    }
}

impl Line {
    pub(crate) fn oriented(&self) -> Option<f64> {
        self.better.orient(self.found.value.ok()?)
    }

    fn json(&self) -> Value {
        let Correlation {
            method,
            value,
            p,
            interval,
            n,
        } = &self.found;
        let p = p.ok().filter(|_| value.is_ok());
        // Not -0.0.
        let plain = |value: f64| value + 0.0;
        let mut object = json!({
            "x": self.x,
            "y": self.y,
            "method": method.as_str(),
            "value": value.ok().map(plain),
            "p": p.map(|p| p.value),
            "low": interval.ok().map(|interval| plain(interval.low)),
            "high": interval.ok().map(|interval| plain(interval.high)),
            "n": n,
            "oriented": self.oriented().map(plain),
            "p_by": p.map(|p| p.by.as_str()),
            "p_holm": self.p_holm,
            "covariates": self.covariates,
            "note": correlations::note(&self.found).to_string(),
        });
        if let Err(reason) = value {
            object["reason"] = json!(reason.to_string());
        }
        object
    }
}
