//! How a checkpoint's tensors met the wants of a network.

use std::path::{Path, PathBuf};

use crate::NetError;

/// A tensor whose shape is not the one the network needs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongShape {
    /// The name, as it stands in the file.
    pub name: String,
    /// What the network needs.
    pub expected: Vec<i64>,
    /// What the file has.
    pub found: Vec<i64>,
}

/// What is wrong with the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Scales of a normalization that are zero throughout, which training never leaves.
    ZeroScale,
    /// Scales of a normalization of which some are not finite.
    NotFiniteScale,
    /// Other weights that are not finite throughout.
    NotFinite,
    /// Other weights that are zero throughout. It is unusual; a network may do without some.
    Zero,
}

impl Fault {
    /// Whether no network works with such values.
    pub fn is_fatal(self) -> bool {
        self != Self::Zero
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ZeroScale => {
                "zero throughout, which the scales of a normalization never are; a download may have stopped"
            }
            Self::NotFiniteScale => "some of these scales of a normalization are not finite",
            Self::NotFinite => "not finite throughout",
            Self::Zero => "zero throughout",
        })
    }
}

/// A tensor whose values are not those of a trained network.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The file, by its name below the checkpoint's folder.
    pub file: PathBuf,
    /// The name, as it stands in the file.
    pub name: String,
    /// What is wrong.
    pub fault: Fault,
}

/// How a checkpoint's tensors met a network's wants. Names are in the diffusers spelling unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LoadReport {
    /// Tensors that went into the network.
    pub loaded: usize,
    /// Tensors the network needs and the checkpoint lacks.
    pub missing: Vec<String>,
    /// Tensors of the checkpoint that nothing asked for, as they stand in the file. Known ballast (schedule buffers, averaged
    /// copies, training-only networks) is not counted.
    pub unused: Vec<String>,
    /// Tensors with another shape.
    pub wrong: Vec<WrongShape>,
    /// Tensors with implausible values, if these were looked at.
    pub damaged: Vec<Damage>,
}

impl LoadReport {
    /// Whether every tensor the network needs was there in the right shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// Whether a network of these tensors can work.
    pub fn is_sound(&self) -> bool {
        self.is_complete() && !self.damaged.iter().any(|damage| damage.fault.is_fatal())
    }

    /// # Errors
    /// [`NetError::Tensors`] about the checkpoint `path` if no network of these tensors can work.
    pub fn require_sound(self, path: &Path) -> Result<Self, NetError> {
        if self.is_sound() {
            return Ok(self);
        }
        Err(NetError::Tensors {
            path: path.to_owned(),
            report: Box::new(self),
        })
    }

    /// One line that names the first faults and counts the rest.
    pub(crate) fn complaint(&self) -> String {
        let mut parts = Vec::new();
        if let Some(first) = self.wrong.first() {
            let WrongShape {
                name,
                expected,
                found,
            } = first;
            let more = and_more(self.wrong.len());
            parts.push(format!(
                "tensor `{name}`: expected shape {expected:?}, found {found:?}{more}"
            ));
        }
        if let Some(first) = self.missing.first() {
            parts.push(format!(
                "missing tensor `{first}`{}",
                and_more(self.missing.len())
            ));
        }
        let damaged = self.damaged.iter().filter(|damage| damage.fault.is_fatal());
        let damaged: Vec<&Damage> = damaged.collect();
        if let Some(Damage { file, name, fault }) = damaged.first() {
            let (file, more) = (file.display(), and_more(damaged.len()));
            parts.push(format!("{file}: tensor `{name}`{more}: {fault}"));
        }
        // Nothing that is left over explains a value.
        if !self.unused.is_empty() && !self.is_complete() {
            parts.push(format!(
                "{} tensors of the file are unused, e.g. `{}`",
                self.unused.len(),
                self.unused[0]
            ));
        }
        parts.join("; ")
    }
}

fn and_more(count: usize) -> String {
    if count > 1 {
        format!(" (and {} more)", count - 1)
    } else {
        String::new()
    }
}
