//! Checkpoint layouts, all presented under the diffusers spelling; and single files of single networks.
//!
//! Full names start with the network: `unet.conv_in.weight`, `vae.encoder.conv_in.weight`, `image_encoder.proj_out.bias`. What the
//! diffusers library has no name for keeps that of its authors, below the network it belongs to: `control_model.cond_first_block.bias`,
//! `unet.warp_flow_blks.4.proj_in.weight`.

mod diffusers;
mod flux2;
mod health;
mod ip_adapter;
mod joined;
mod json;
mod ldm;
mod numbered;
mod part;
mod shapes;
mod single;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use i2am_weights::{DType, WeightFile};
use tch::{Kind, Tensor};

pub use diffusers::{files_of_folder, shards_of_index};
pub use json::{ConfigFile, Rule};
pub use ldm::{BASE_KEY, config_key, to_ldm};
pub use numbered::{attention_layers, expected_self_attention, sizes_of_self_attention};
use part::Part;
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
    /// One file of several networks with the names of diffusers, each below the name of its network.
    Joined,
    /// One file of self-attention whose layers are numbered.
    Numbered,
    /// One file of the transformer of FLUX.2 with the names of its authors.
    Flux2,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Diffusers => "diffusers",
            Self::Ldm => "ldm",
            Self::Single => "single",
            Self::Joined => "joined",
            Self::Numbered => "numbered",
            Self::Flux2 => "flux2",
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
    parts: Vec<Part>,
    entries: BTreeMap<String, Entry>,
    /// Names in the files that map to nothing known.
    strangers: Vec<String>,
    configs: BTreeMap<String, ConfigFile>,
}

/// Which of the files of a diffusers folder are opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// A second folder, whose networks replace those of the first or are added to them.
    pub over: Option<&'a Path>,
    /// The variant of weights that is taken where a network has it, such as `fp16`. Without it plain weights are taken, or the only
    /// variant.
    pub variant: Option<&'a str>,
    /// The networks that are opened; without it all that are there.
    pub networks: Option<&'a [&'a str]>,
}

impl Checkpoint {
    /// Opens a diffusers folder, or a file of several networks: a `.ckpt` or `.pth`, a safetensors file, or the index of shards; or a file of
    /// IP-Adapter.
    ///
    /// # Errors
    /// A file that cannot be read, or [`NetError::Layout`] if nothing in it has a known name.
    pub fn open(path: &Path) -> Result<Self, NetError> {
        Self::open_as(path, Opening::default())
    }

    /// The same, with a choice among the files of a diffusers folder.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and a choice for a single file.
    pub fn open_as(path: &Path, opening: Opening<'_>) -> Result<Self, NetError> {
        let checkpoint = if path.is_dir() {
            diffusers::open(path, opening)?
        } else if path.exists() && (opening.over.is_some() || opening.variant.is_some()) {
            let expected = "a diffusers folder, since a variant or a second folder is named";
            return Err(NetError::Layout {
                path: path.to_owned(),
                reason: format!("expected {expected}, found a file"),
            });
        } else {
            let mut checkpoint = open_file(path)?;
            if let Some(networks) = opening.networks {
                checkpoint.keep(networks);
            }
            checkpoint
        };
        if ip_adapter::is_adapter(checkpoint.strangers.iter().map(String::as_str)) {
            return ip_adapter::open(path);
        }
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

    /// Opens the folder of one network: a weight file and a `config.json`.
    ///
    /// # Errors
    /// A file that is not there or cannot be read.
    pub fn open_network(
        folder: &Path,
        network: &str,
        variant: Option<&str>,
    ) -> Result<Self, NetError> {
        diffusers::open_network(folder, network, variant)
    }

    fn empty(path: &Path, layout: Layout) -> Self {
        Self {
            path: path.to_owned(),
            layout,
            parts: Vec::new(),
            entries: BTreeMap::new(),
            strangers: Vec::new(),
            configs: BTreeMap::new(),
        }
    }

    /// Keeps `networks` only, so that what a file or folder holds in addition is not reported as unused.
    pub fn keep(&mut self, networks: &[&str]) {
        let kept = |name: &String| {
            let network = name.split('.').next().unwrap_or_default();
            networks.contains(&network)
        };
        self.entries.retain(|name, _| kept(name));
        self.configs.retain(|name, _| kept(name));
    }

    /// Lays the tensors of `over` over those that are here: a tensor of the same name takes the other's place. A network for which
    /// `over` has a configuration is replaced whole.
    pub fn lay_over(&mut self, over: Self) {
        for (network, config) in over.configs {
            let prefix = format!("{network}.");
            self.entries.retain(|name, _| !name.starts_with(&prefix));
            self.configs.insert(network, config);
        }
        let before = self.parts.len();
        let moved = over.entries.into_iter().map(|(name, entry)| {
            let file = entry.file + before;
            (name, Entry { file, ..entry })
        });
        self.entries.extend(moved);
        self.parts.extend(over.parts);
        self.strangers.extend(over.strangers);
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
        self.parts.iter().map(|part| part.file.path())
    }

    fn file(&self, entry: &Entry) -> &WeightFile {
        &self.parts[entry.file].file
    }

    /// The `config.json` of `network`: a diffusers folder has it, a single file may have it in its metadata.
    pub fn config(&self, network: &str) -> Option<&ConfigFile> {
        self.configs.get(network)
    }

    /// All full names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What was found wrong with sizes of `network` that were inferred from tensors, as an error about this checkpoint.
    ///
    /// # Errors
    /// Whatever was found.
    pub fn inferred(&self, network: &str, checked: Result<(), String>) -> Result<(), NetError> {
        checked.map_err(|reason| NetError::Layout {
            path: self.path.clone(),
            reason: format!("sizes of the {network}, as its tensors tell: {reason}"),
        })
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        let entry = self.entries.get(name)?;
        let info = self.file(entry).info(&entry.name)?;
        let stored: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        Some(entry.view.shape(&stored))
    }

    /// The stored number format of the tensor `name`.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        let entry = self.entries.get(name)?;
        self.file(entry).info(&entry.name).map(|info| info.dtype)
    }

    /// The name under which `name` stands in the file; itself if it is not there.
    pub fn name_in_file(&self, name: &str) -> String {
        self.entries
            .get(name)
            .map_or_else(|| name.to_owned(), |entry| entry.name.clone())
    }

    /// Whether the files have a tensor whose own name starts with `prefix`, be it of a network or known ballast.
    pub fn has_in_file(&self, prefix: &str) -> bool {
        let mut names = self.parts.iter().flat_map(Part::names);
        names.any(|(name, _)| ldm::bare(name).starts_with(prefix))
    }

    /// Reads the tensor `name`, on the CPU and in its stored format; eight-bit floats as 32-bit ones, which have all their values.
    ///
    /// # Errors
    /// The file's, if its bytes cannot be read.
    ///
    /// # Panics
    /// If there is no such tensor.
    pub fn tensor(&self, name: &str) -> Result<Tensor, NetError> {
        let entry = &self.entries[name];
        let file = self.file(entry);
        self.check_readable(name)?;
        let info = file
            .info(&entry.name)
            .expect("entries are made from the file's own list");
        let shape: Vec<i64> = info.shape.iter().map(|&n| n as i64).collect();
        if matches!(info.dtype, DType::F8E4M3 | DType::F8E5M2) {
            let values = Tensor::from_slice(&file.to_f32(&entry.name)?);
            return Ok(entry.view.apply(&values.reshape(&shape)));
        }
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
        self.compare_with(expected, &BTreeSet::new())
    }

    /// The same, where tensors whose names begin with one of `unread` are known to be read by nothing.
    fn compare_with(
        &self,
        expected: &BTreeMap<String, Vec<i64>>,
        unread: &BTreeSet<String>,
    ) -> LoadReport {
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
            unused: self.unused(&asked, unread),
            wrong,
            damaged: Vec::new(),
        }
    }

    /// Names in the files that are not in `asked`, do not begin with one of `unread`, and are neither known ballast nor a setting among
    /// the tensors.
    pub(crate) fn unused(
        &self,
        asked: &BTreeSet<String>,
        unread: &BTreeSet<String>,
    ) -> Vec<String> {
        let is_unread = |name: &str| {
            unread
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()))
        };
        let left = self
            .entries
            .iter()
            .filter(|(name, _)| !asked.contains(*name) && *name != "vae.scale_factor")
            .filter(|(name, _)| !is_unread(name))
            .map(|(_, entry)| &entry.name);
        let all: BTreeSet<&String> = left.chain(&self.strangers).collect();
        all.into_iter().cloned().collect()
    }
}

/// Opens one file, or the index of several that belong together, in whatever layout it is.
fn open_file(path: &Path) -> Result<Checkpoint, NetError> {
    let parts = if path.extension().is_some_and(|end| end == "json") {
        diffusers::shards::open(path)?
    } else {
        vec![Part::open(path)?]
    };
    if numbered::is_numbered(&parts) {
        numbered::open(path, parts)
    } else if flux2::is_flux2(&parts) {
        flux2::open(path, parts)
    } else if joined::is_joined(&parts) {
        joined::open(path, parts)
    } else {
        ldm::open(path, parts)
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
