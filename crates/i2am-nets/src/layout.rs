//! Checkpoint layouts, all presented under the diffusers spelling; and single files of single networks.
//!
//! Full names start with the network: `unet.conv_in.weight`, `vae.encoder.conv_in.weight`, `image_encoder.proj_out.bias`. What the
//! diffusers library has no name for keeps that of its authors, below the network it belongs to: `control_model.cond_first_block.bias`,
//! `unet.warp_flow_blks.4.proj_in.weight`.

mod diffusers;
mod json;
mod ldm;
mod shapes;
mod single;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use i2am_weights::{DType, WeightFile};
use tch::{Kind, Tensor};

pub use json::ConfigFile;
pub use ldm::{BASE_KEY, config_key, to_ldm};
pub use shapes::Shapes;
use view::View;

use crate::NetError;
use crate::load_report::{LoadReport, WrongShape};

/// How a checkpoint is laid out on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A folder with one sub-folder per network, each with a `config.json`.
    Diffusers,
    /// One file with the names of the original latent diffusion code.
    Ldm,
    /// One file of one network.
    Single,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Diffusers => "diffusers",
            Self::Ldm => "ldm",
            Self::Single => "single",
        })
    }
}

/// A tensor under its diffusers name, and how it comes out of the file.
#[derive(Debug)]
struct Entry {
    file: usize,
    name: String,
    view: View,
}

/// An opened checkpoint. Tensors are read on demand.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    layout: Layout,
    files: Vec<WeightFile>,
    entries: BTreeMap<String, Entry>,
    /// Names in the files that map to nothing known.
    strangers: Vec<String>,
    configs: BTreeMap<String, ConfigFile>,
}

impl Checkpoint {
    /// Opens a diffusers folder, an LDM `.ckpt` or a safetensors file with LDM names.
    ///
    /// # Errors
    /// A file that cannot be read, or [`NetError::Layout`] if nothing in it has a known name.
    pub fn open(path: &Path) -> Result<Self, NetError> {
        let checkpoint = if path.is_dir() {
            diffusers::open(path)?
        } else {
            ldm::open(path)?
        };
        if checkpoint.entries.is_empty() {
            let example = checkpoint
                .strangers
                .first()
                .map_or_else(String::new, |name| format!(", e.g. `{name}`"));
            let reason = format!(
                "expected tensors named as in a diffusers folder or an LDM checkpoint, found {} others{example}",
                checkpoint.strangers.len()
            );
            return Err(NetError::Layout {
                path: path.to_owned(),
                reason,
            });
        }
        Ok(checkpoint)
    }

    /// Opens a diffusers folder some of whose networks are replaced by those of another, `over`, or added from it.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_layered(path: &Path, over: &Path) -> Result<Self, NetError> {
        diffusers::open_layered(path, Some(over))
    }

    /// Opens one file that holds `network`, whose tensor names `rename` brings into that network's own spelling. Names without one
    /// are no part of the network and are passed over.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open_single(
        path: &Path,
        network: &str,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NetError> {
        single::open(path, network, rename)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The weight files it is made of.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(WeightFile::path)
    }

    /// The `config.json` of `network`: a diffusers folder has it, a single file may have it in its metadata.
    pub fn config(&self, network: &str) -> Option<&ConfigFile> {
        self.configs.get(network)
    }

    /// All full names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        let entry = self.entries.get(name)?;
        let info = self.files[entry.file].info(&entry.name)?;
        let stored: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        Some(entry.view.shape(&stored))
    }

    /// The stored number format of the tensor `name`.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        let entry = self.entries.get(name)?;
        self.files[entry.file]
            .info(&entry.name)
            .map(|info| info.dtype)
    }

    /// The name under which `name` stands in the file; itself if it is not there.
    pub fn name_in_file(&self, name: &str) -> String {
        self.entries
            .get(name)
            .map_or_else(|| name.to_owned(), |entry| entry.name.clone())
    }

    /// Whether the files have a tensor whose own name starts with `prefix`, be it of a network or known ballast.
    pub fn has_in_file(&self, prefix: &str) -> bool {
        let mut names = self.files.iter().flat_map(WeightFile::names);
        names.any(|name| ldm::bare(name).starts_with(prefix))
    }

    /// Reads the tensor `name`, on the CPU and in its stored format.
    ///
    /// # Errors
    /// The file's, if its bytes cannot be read.
    ///
    /// # Panics
    /// If there is no such tensor.
    pub fn tensor(&self, name: &str) -> Result<Tensor, NetError> {
        let entry = &self.entries[name];
        let file = &self.files[entry.file];
        let info = file
            .info(&entry.name)
            .expect("entries are made from the file's own list");
        let shape: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        let bytes = file.bytes(&entry.name)?;
        let Some(kind) = kind(info.dtype) else {
            let reason = format!(
                "tensor `{}`: no counterpart of {} in libtorch",
                entry.name, info.dtype
            );
            return Err(NetError::Layout {
                path: file.path().to_owned(),
                reason,
            });
        };
        let stored = Tensor::from_data_size(&bytes, &shape, kind);
        Ok(entry.view.apply(&stored))
    }

    /// How the tensors here meet the wants of a network, `expected` by full name; no weights are read.
    pub fn compare(&self, expected: &BTreeMap<String, Vec<i64>>) -> LoadReport {
        let mut loaded = BTreeSet::new();
        let mut missing = Vec::new();
        let mut wrong = Vec::new();
        for (name, shape) in expected {
            match self.shape(name) {
                None => missing.push(name.clone()),
                Some(found) if &found == shape => drop(loaded.insert(name.clone())),
                Some(found) => {
                    wrong.push(WrongShape {
                        name: self.name_in_file(name),
                        expected: shape.clone(),
                        found,
                    });
                }
            }
        }
        let asked: BTreeSet<String> = expected.keys().cloned().collect();
        LoadReport {
            loaded: loaded.len(),
            missing,
            unused: self.unused(&asked),
            wrong,
        }
    }

    /// Names in the files that are not in `asked` and are neither known ballast nor a setting among the tensors.
    pub(crate) fn unused(&self, asked: &BTreeSet<String>) -> Vec<String> {
        let left = self
            .entries
            .iter()
            .filter(|(name, _)| !asked.contains(*name) && *name != "vae.scale_factor")
            .map(|(_, entry)| &entry.name);
        let all: BTreeSet<&String> = left.chain(&self.strangers).collect();
        all.into_iter().cloned().collect()
    }
}

fn kind(dtype: DType) -> Option<Kind> {
    Some(match dtype {
        DType::F16 => Kind::Half,
        DType::BF16 => Kind::BFloat16,
        DType::F32 => Kind::Float,
        DType::F64 => Kind::Double,
        DType::I8 => Kind::Int8,
        DType::I16 => Kind::Int16,
        DType::I32 => Kind::Int,
        DType::I64 => Kind::Int64,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
        _ => return None,
    })
}
