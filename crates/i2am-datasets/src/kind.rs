//! What a kind of data set is: a name and its settings, from which a [`Dataset`] is opened.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::{Dataset, DatasetError};

/// A table of a configuration that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// What is known of a kind of data set without its settings.
#[derive(Debug)]
pub struct DatasetInfo {
    /// The value of `kind` in a configuration.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The shortest table that a configuration can hold, without `kind`.
    pub example: &'static str,
}

/// An entry of the registry [`DATASETS`](crate::DATASETS). A layout gets one by its [`Layout`].
pub trait DatasetKind: Sync {
    /// What it is.
    fn info(&self) -> &'static DatasetInfo;

    /// The data set with the settings of `table`, which has no key `kind` any more. Relative paths start at the folder `base`, that
    /// of the configuration.
    ///
    /// # Errors
    /// An unknown key, or a value that cannot be, at its place in the table.
    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn DatasetConfig>, toml::de::Error>;

    /// The data set with the settings that [`DatasetConfig::settings`] gave, as the manifest of a run keeps them.
    ///
    /// # Errors
    /// Settings of another version of this program.
    fn restore(&self, settings: Value) -> Result<Box<dyn DatasetConfig>, serde_json::Error>;
}

/// A kind of data set with its settings.
pub trait DatasetConfig: Debug + Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;

    /// All settings with their defaults, as JSON; paths do not depend on a configuration file any more.
    fn settings(&self) -> Value;

    /// Those settings that only say where files are. They cannot change a number, so they do not belong to the identity of a run.
    fn places(&self) -> &'static [&'static str];

    /// Reads the list of samples; pictures are read later.
    ///
    /// A synthetic set that does not exist yet is drawn first: into its own folder, or into one below `generated`; `progress` gets
    /// the number of samples drawn so far.
    ///
    /// # Errors
    /// What is wrong with the settings or the files that list the samples.
    fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError>;

    /// The same for a look at the data set that writes nothing but into the folder `scratch`: a synthetic set that does not exist yet
    /// is drawn there.
    ///
    /// # Errors
    /// As [`DatasetConfig::open`].
    fn preview(&self, generated: &Path, scratch: &Path) -> Result<Box<dyn Dataset>, DatasetError>;
}

/// The settings of one kind of data set and what follows from them: all that a new layout has to provide besides its [`Dataset`].
///
/// [`Kind`] makes the entry of the registry from it. The type should refuse unknown keys (`#[serde(deny_unknown_fields)]`), and
/// what it writes it must be able to read.
pub trait Layout: Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it is.
    const INFO: &'static DatasetInfo;

    /// As [`DatasetConfig::places`].
    const PLACES: &'static [&'static str];

    /// Takes relative paths as relative to the folder `base`.
    fn resolve(&mut self, base: &Path);

    /// As [`DatasetConfig::open`].
    ///
    /// # Errors
    /// As [`DatasetConfig::open`].
    fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError>;

    /// As [`DatasetConfig::preview`]; what is never drawn is simply opened.
    ///
    /// # Errors
    /// As [`DatasetConfig::open`].
    fn preview(&self, generated: &Path, _scratch: &Path) -> Result<Box<dyn Dataset>, DatasetError> {
        Layout::open(self, generated, &|_drawn| ())
    }
}

/// The entry of the registry of the layout with the settings `L`.
pub struct Kind<L>(PhantomData<fn() -> L>);

impl<L> Kind<L> {
    /// The entry.
    pub(crate) const ENTRY: Self = Self(PhantomData);
}

impl<L: Layout> DatasetKind for Kind<L> {
    fn info(&self) -> &'static DatasetInfo {
        L::INFO
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn DatasetConfig>, toml::de::Error> {
        let mut layout = L::deserialize(ValueDeserializer::from(table))?;
        layout.resolve(base);
        // A folder whose name is no text would fail later, when settings are written.
        serde_json::to_value(&layout).map_err(toml::de::Error::custom)?;
        Ok(Box::new(layout))
    }

    fn restore(&self, settings: Value) -> Result<Box<dyn DatasetConfig>, serde_json::Error> {
        Ok(Box::new(L::deserialize(settings)?))
    }
}

impl<L: Layout> DatasetConfig for L {
    fn kind(&self) -> &'static str {
        L::INFO.name
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).expect("`configure` has written these settings once")
    }

    fn places(&self) -> &'static [&'static str] {
        L::PLACES
    }

    fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Layout::open(self, generated, progress)
    }

    fn preview(&self, generated: &Path, scratch: &Path) -> Result<Box<dyn Dataset>, DatasetError> {
        Layout::preview(self, generated, scratch)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{DATASETS, find};

    fn configure(
        kind: &dyn DatasetKind,
        text: &str,
        base: &str,
    ) -> Result<Box<dyn DatasetConfig>, toml::de::Error> {
        let table = toml::de::DeTable::parse(text).unwrap();
        let span = table.span();
        let table = Spanned::new(span, DeValue::Table(table.into_inner()));
        kind.configure(table, Path::new(base))
    }

    #[test]
    fn kinds_are_sorted_unique_and_described_in_one_line() {
        let names: Vec<_> = DATASETS.iter().map(|kind| kind.info().name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for kind in DATASETS {
            let DatasetInfo { name, summary, .. } = kind.info();
            assert!(!summary.is_empty() && !summary.contains('\n'), "{name}");
            assert_eq!(find(name).unwrap().info().name, *name);
        }
        assert!(find("viton").is_none());
    }

    #[test]
    fn every_kind_reads_its_example_gives_it_back_and_refuses_unknown_keys() {
        for kind in DATASETS {
            let DatasetInfo { name, example, .. } = kind.info();
            let config = configure(*kind, example, "/configs").unwrap();
            assert_eq!(config.kind(), *name);
            let again = kind.restore(config.settings()).unwrap();
            assert_eq!(again.settings(), config.settings());
            let unknown = format!("{example}\nsplitt = 'test'");
            let error = configure(*kind, &unknown, "").unwrap_err();
            assert!(error.span().is_some(), "{name}");
            assert!(error.to_string().contains("splitt"), "{error}");
        }
    }

    /// A setting that depends on the folder of the configuration is a path, and so a place.
    #[test]
    fn places_are_the_settings_that_are_relative_to_the_configuration() {
        for kind in DATASETS {
            let DatasetInfo { name, example, .. } = kind.info();
            let [here, there] =
                ["/here", "/there"].map(|base| configure(*kind, example, base).unwrap().settings());
            let (here, there) = (here.as_object().unwrap(), there.as_object().unwrap());
            let moved = here.iter().filter(|(key, value)| there[*key] != **value);
            let moved: BTreeSet<&str> = moved.map(|(key, _)| key.as_str()).collect();
            let places = configure(*kind, example, "").unwrap().places();
            let given = places.iter().filter(|key| here.contains_key(**key));
            assert_eq!(moved, given.copied().collect(), "{name}");
        }
    }
}
