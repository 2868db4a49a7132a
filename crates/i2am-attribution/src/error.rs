//! What can go wrong, and why a map may not exist.

use std::path::PathBuf;

use crate::{Grid, Level};

/// A record or a configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttributionError {
    /// The bytes are no safetensors file, or were cut off.
    #[error("{}: not a readable attention record: {source}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the safetensors reader found.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors file that does not describe itself as a record.
    #[error("{}: no attention record: the metadata lack `{key}`", .path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The metadata key that records have.
        key: &'static str,
    },
    /// The description inside the file cannot be parsed.
    #[error("{}: attention record with a damaged description: {source}", .path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Where parsing stopped.
        source: serde_json::Error,
    },
    /// A record of another format version.
    #[error("{}: attention record of version {found}; this program reads versions up to {expected}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The latest version that can be read.
        expected: u32,
        /// The version of the file.
        found: u32,
    },
    /// A tensor of the description is not in the file.
    #[error("{}: attention record without tensor `{name}`", .path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor that belongs to no layer of the description.
    #[error("{}: attention record with an unexpected tensor `{name}`", .path.display())]
    UnexpectedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor of another type or shape than the description says.
    #[error("{}: tensor `{name}`: expected {expected}, found {found}", .path.display())]
    TensorKind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Type and shape that follow from the description.
        expected: String,
        /// Type and shape in the file.
        found: String,
    },
    /// A file that was read well but whose content is not a valid record.
    #[error("{}: {source}", .path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        source: Box<AttributionError>,
    },
    /// A field of the record itself is wrong.
    #[error("attention record: {field}: expected {expected}, found {found}")]
    Record {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A field of one layer is wrong.
    #[error("attention record: layer `{layer}`: {field}: expected {expected}, found {found}")]
    Layer {
        /// The layer.
        layer: String,
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file of counterfactual maps that cannot be used.
    #[error("{}: counterfactual maps: {problem}", .path.display())]
    Counterfactual {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor could not be laid out for writing.
    #[error("attention record cannot be written: {source}")]
    Encode {
        /// What the safetensors writer said.
        source: safetensors::SafeTensorError,
    },
    /// No convention has this name.
    #[error("unknown convention `{name}`: expected one of {known}")]
    UnknownConvention {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A setting of a convention is out of its range.
    #[error("convention setting `{setting}`: expected {expected}, found {found}")]
    Setting {
        /// The setting, as its key in the configuration.
        setting: &'static str,
        /// Its range.
        expected: &'static str,
        /// The value.
        found: String,
    },
}

/// Why a record holds no map of the kind asked for: not a failure, but the reason beside an empty value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMap {
    /// Every layer sees the reference as one pooled token.
    #[error("one reference token: no map over the reference")]
    OneToken,
    /// Every layer sees the reference as a few pooled tokens.
    #[error("{tokens} pooled reference tokens: no map over the reference")]
    PooledTokens {
        /// How many.
        tokens: usize,
    },
    /// The record is about fewer reference images.
    #[error("no layer was recorded for reference image {reference}, counted from 0")]
    NoSuchReference {
        /// The one asked for.
        reference: usize,
    },
    /// All keys of the layers are those of the reference.
    #[error("all keys are the reference's: its share is 1 everywhere")]
    NoShare,
    /// What tokens carry was not recorded.
    #[error("what tokens carry was not recorded (`attribution.capture.carried`)")]
    NotCarried,
    /// The layers see spatial reference tokens, but this direction was not recorded for any of them.
    #[error("no layer was recorded from generated to reference positions")]
    NotRecorded,
    /// The convention is one of UNets, and the layers are blocks of a transformer over all tokens.
    #[error("the convention `{convention}` is not defined for joint attention; `spatial` is")]
    NotDefined {
        /// Its name.
        convention: &'static str,
    },
    /// The convention chooses layers that the record lacks.
    #[error("no recorded layer is among the chosen ones ({choice})")]
    NoChosenLayer {
        /// The choice, in words.
        choice: String,
    },
    /// The record lacks a layer asked for by name.
    #[error("no recorded layer is called `{name}`")]
    NoSuchLayer {
        /// The name.
        name: String,
    },
    /// None of the chosen layers has this resolution.
    #[error("no chosen layer has the resolution {height}x{width}")]
    NoSuchResolution {
        /// Rows asked for.
        height: usize,
        /// Columns asked for.
        width: usize,
    },
    /// The mask selects nothing at the resolution of any chosen layer.
    #[error("no {what} at the resolution of the chosen layers")]
    NothingSelected {
        /// What the mean would run over, such as "reference token inside the reference mask".
        what: &'static str,
    },
    /// The steps were recorded in fewer groups than are to be shown.
    #[error("steps were recorded in {recorded} groups, too few for {asked} time groups")]
    TooFewGroups {
        /// Groups in the record.
        recorded: usize,
        /// Groups of the convention.
        asked: usize,
    },
    /// A time group beyond the last.
    #[error("time group {group} does not exist: there are {groups}, counted from 0")]
    NoSuchTime {
        /// The group asked for.
        group: usize,
        /// Groups of the convention.
        groups: usize,
    },
    /// A head beyond the last.
    #[error("head {head} does not exist: there are {heads}, counted from 0")]
    NoSuchHead {
        /// The head asked for.
        head: usize,
        /// Heads of every chosen layer.
        heads: usize,
    },
    /// Heads cannot be matched across layers.
    #[error("the chosen layers have different numbers of heads ({fewest} to {most})")]
    UnequalHeads {
        /// Heads of the layer with the fewest.
        fewest: usize,
        /// Heads of the layer with the most.
        most: usize,
    },
    /// Chosen positions are no mean over the axes of a record.
    #[error("level `{level}` shows chosen positions; `specific_map` makes its map")]
    Specific {
        /// The level.
        level: Level,
    },
    /// The full position-to-position attention of this layer was not kept.
    #[error("layer `{layer}` has no position-to-position attention in the record")]
    NoSpecific {
        /// The layer.
        layer: String,
    },
    /// No position was given.
    #[error("no position selected")]
    NoPosition,
    /// Positions of one grid were asked of a layer with another.
    #[error("layer `{layer}`: expected positions on a {expected} grid, found {found}")]
    PositionGrid {
        /// The layer.
        layer: String,
        /// The layer's grid on the side of the positions.
        expected: Grid,
        /// The grid the positions were made for.
        found: Grid,
    },
}
