//! What settings of several scores share.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeValue, Error, ValueDeserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Refuses every key.
pub(crate) fn nothing(table: Spanned<DeValue<'_>>) -> Result<(), Error> {
    Nothing::deserialize(ValueDeserializer::from(table)).map(|Nothing {}| ())
}

/// The error of a setting that cannot work.
pub(crate) fn refused(problem: impl std::fmt::Display) -> Error {
    serde::de::Error::custom(problem)
}
