use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use i2am_files::FileError;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Followed, PROTOCOLS, Table, Variant, variant};
use crate::exit::usage;
use crate::suggest;

/// A configuration file's text and what the command line replaces in it.
pub(crate) struct Source {
    path: PathBuf,
    text: String,
    sets: Vec<String>,
}

/// A parsed configuration; tables are taken out of it by their owners.
pub(crate) struct Document<'a> {
    source: &'a Source,
    root: DeTable<'a>,
    span: Range<usize>,
    protocol: Option<Followed>,
    variants: Vec<Variant>,
}

impl Source {
    /// Reads `path`; `sets` replace values (`a.0.b=value`).
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(path: &Path, sets: &[String]) -> Result<Self> {
        let text = i2am_files::read_text(path).map_err(|FileError { cause, .. }| {
            usage(format!(
                "cannot read the configuration {}: {cause}",
                path.display()
            ))
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            sets: sets.to_vec(),
        })
    }
}

impl<'a> Document<'a> {
    /// Parses the text and replaces what is to be replaced.
    ///
    /// # Errors
    /// A text that is not TOML, a replacement that names nothing that can be replaced.
    pub(crate) fn parse_source(source: &'a Source) -> Result<Self> {
        let parsed = DeTable::parse(&source.text).map_err(|error| {
            usage(format!(
                "{}: {}",
                source.path.display(),
                error.to_string().trim_end()
            ))
        })?;
        let mut document = Self {
            source,
            span: parsed.span(),
            root: parsed.into_inner(),
            protocol: None,
            variants: Vec::new(),
        };
        for set in &source.sets {
            document.set(set)?;
        }
        document.apply_defaults()?;
        document.apply_protocol()?;
        document.expand_variants()?;
        Ok(document)
    }

    /// The protocol that it names.
    pub(crate) fn protocol(&self) -> Option<&Followed> {
        self.protocol.as_ref()
    }

    /// The models that are variants of others.
    pub(crate) fn variants(&self) -> &[Variant] {
        &self.variants
    }

    pub(crate) fn path(&self) -> &'a Path {
        &self.source.path
    }

    /// Whether the top has `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.root.contains_key(key)
    }

    fn set(&mut self, set: &'a str) -> Result<()> {
        let (key, value) = set
            .split_once('=')
            .ok_or_else(|| usage(format!("--set {set}: expected KEY=VALUE")))?;
        // What is no TOML value is a string without its quotes.
        let value = DeValue::parse(value).map_or_else(
            |_| Spanned::new(0..0, DeValue::String(value.into())),
            |value| Spanned::new(0..0, value.into_inner()),
        );
        let mut keys: Vec<&str> = key.split('.').collect();
        let last = keys.pop().unwrap_or_default();
        let mut table = &mut self.root;
        let mut place = keys.into_iter().peekable();
        while let Some(name) = place.next() {
            let entry = table
                .entry(Spanned::new(0..0, name.into()))
                .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
            let inner = match entry.get_mut() {
                DeValue::Array(items) => {
                    let count = items.len();
                    let index = place.next().and_then(|index| index.parse::<usize>().ok());
                    let item = index.and_then(|index| items.get_mut(index));
                    let item = item
                        .with_context(|| format!("`{name}` has {count} entries, counted from 0"));
                    item.map_err(|error| usage(format!("--set {set}: {error}")))?
                        .get_mut()
                }
                other => other,
            };
            let kind = inner.type_str();
            let DeValue::Table(inner) = inner else {
                return Err(usage(format!(
                    "--set {set}: `{name}` is a {kind}, not a table"
                )));
            };
            table = inner;
        }
        table.insert(Spanned::new(0..0, last.into()), value);
        Ok(())
    }

    /// Gives every `[[model]]` the settings of `[defaults.model]` that it does not have itself, table by table.
    fn apply_defaults(&mut self) -> Result<()> {
        let Some(defaults) = self.take_top("defaults") else {
            return Ok(());
        };
        let Defaults { model } = self.parse(defaults.clone())?;
        let mut defaults = match defaults.into_inner() {
            DeValue::Table(defaults) => defaults,
            other => {
                let found = other.type_str();
                let problem =
                    format!("defaults: expected a table [defaults.model], found a {found}");
                return Err(self.refuse(&problem));
            }
        };
        let (Some(_), Some(model)) = (model, defaults.remove("model")) else {
            return Ok(());
        };
        let DeValue::Table(shared) = model.into_inner() else {
            return Err(self.refuse(&"defaults.model: expected a table [defaults.model]"));
        };
        if let Some(DeValue::Array(models)) = self.root.get_mut("model").map(Spanned::get_mut) {
            for model in models.iter_mut() {
                if let DeValue::Table(model) = model.get_mut() {
                    fill(model, &shared);
                }
            }
        }
        Ok(())
    }

    /// Fills in what the protocol says that the file names and that it does not set itself.
    fn apply_protocol(&mut self) -> Result<()> {
        let Some(DeValue::String(name)) = self.root.get("protocol").map(Spanned::get_ref) else {
            return Ok(());
        };
        let Some(protocol) = PROTOCOLS.iter().find(|protocol| protocol.name == name) else {
            let help = suggest::help(name, PROTOCOLS.iter().map(|protocol| protocol.name));
            return Err(self.refuse(&format!("protocol: no protocol `{name}`: {help}")));
        };
        self.protocol = Some(Followed::apply(protocol, &mut self.root));
        Ok(())
    }

    /// Makes a model of every `[[variant]]` and model that it is for.
    fn expand_variants(&mut self) -> Result<()> {
        let Some(variants) = self.take_top("variant") else {
            return Ok(());
        };
        let key = "model";
        let Some(mut models) = self.take_top(key) else {
            return Err(self.refuse(&"no [[model]] that a [[variant]] could be of"));
        };
        let DeValue::Array(tables) = models.get_mut() else {
            return Err(self.refuse(&"model: expected tables [[model]]"));
        };
        self.variants = variant::expand(self, tables, variants)?;
        self.root.insert(Spanned::new(0..0, key.into()), models);
        Ok(())
    }

    /// The whole file as `T`.
    pub(crate) fn parse_whole<T: Deserialize<'a>>(&self) -> Result<T> {
        self.parse(Spanned::new(
            self.span.clone(),
            DeValue::Table(self.root.clone()),
        ))
    }

    /// One table as `T`.
    pub(crate) fn parse<T: Deserialize<'a>>(&self, table: Table<'a>) -> Result<T> {
        T::deserialize(ValueDeserializer::from(table)).map_err(|error| self.locate(error))
    }

    /// Takes the value of `key` out of the top.
    pub(crate) fn take_top(&mut self, key: &str) -> Option<Table<'a>> {
        self.root.remove(key)
    }

    /// Takes the value of `key` out of the table `table`.
    pub(crate) fn take(&mut self, table: &str, key: &str) -> Option<Table<'a>> {
        match self.root.get_mut(table)?.get_mut() {
            DeValue::Table(table) => table.remove(key),
            _ => None,
        }
    }

    /// Takes the value of `key` out of the table `[attribution]`, as `T`, or what `T` is without one.
    pub(crate) fn take_parsed<T: Deserialize<'a> + Default>(&mut self, key: &str) -> Result<T> {
        let table = self.take("attribution", key);
        Ok(table
            .map(|table| self.parse(table))
            .transpose()?
            .unwrap_or_default())
    }

    /// A table's own error, with file, line and the line itself.
    pub(crate) fn locate(&self, mut error: toml::de::Error) -> anyhow::Error {
        let Source { path, text, sets } = self.source;
        // What `--set` brought stands on no line.
        if error.span().is_none_or(|span| !span.is_empty()) {
            error.set_input(Some(text));
        }
        let sets = if sets.is_empty() {
            String::new()
        } else {
            format!(" (with --set {})", sets.join(" --set "))
        };
        usage(format!(
            "{}{sets}: {}",
            path.display(),
            error.to_string().trim_end()
        ))
    }

    /// An error about the file as a whole.
    pub(crate) fn refuse(&self, reason: &dyn std::fmt::Display) -> anyhow::Error {
        usage(format!("{}: {reason}", self.path().display()))
    }
}

/// `[defaults]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    model: Option<serde::de::IgnoredAny>,
}

/// Adds to `table` what `shared` has and `table` does not; where both have a table, its entries likewise.
fn fill<'a>(table: &mut DeTable<'a>, shared: &DeTable<'a>) {
    for (key, value) in shared {
        match table.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut) {
            None => {
                table.insert(key.clone(), value.clone());
            }
            Some(DeValue::Table(own)) => {
                if let DeValue::Table(shared) = value.get_ref() {
                    fill(own, shared);
                }
            }
            Some(_) => {}
        }
    }
}
