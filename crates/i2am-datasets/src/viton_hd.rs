//! VITON-HD as published (`zalando-hd-resized`), and anything laid out like it.
//!
//! | folder under `<root>/<split>/` | file | part |
//! |---|---|---|
//! | `image` | `X.jpg` | image; ground truth of the paired setting |
//! | `agnostic-mask` | `X_mask.png` | mask, 255 in the masked region |
//! | `cloth` | `C.jpg` | reference |
//! | `cloth-mask` (or `cloth_mask`) | `C.jpg` | reference mask |
//! | `agnostic-v3.2` (or `agnostic`) | `X.jpg` | agnostic picture |
//! | `image-densepose` | `X.jpg` | body map |
//! | `image-parse-v3` | `X.png` | parse map: the numbers of its palette are the labels |
//! | `image-parse-agnostic-v3.2` | `X.png` | parse map without the upper clothes |
//! | `openpose_json` | `X_keypoints.json` | joints |
//! | `cloth-warp`, `cloth-warp-mask` | `X.jpg` | warped garment and its mask, paired |
//! | `unpaired-cloth-warp`, `unpaired-cloth-warp-mask` | `X.jpg` | the same, unpaired |
//!
//! The warped garments are no part of VITON-HD: DCI-VTON's authors publish them apart, to be unpacked into the same folder.
//!
//! `<root>/<split>_pairs.txt` has a line `X.jpg C.jpg` for each pair. Paired, a person wears the cloth of the same name and
//! the second column is ignored; unpaired, it is the second column's. Samples are sorted by id, which for the published names is
//! the order of (person, cloth) of the published test loaders.
//!
//! Not done here, since only one family needs it: `StableVITON` takes a cloth mask of fewer than 122,880 pixels, counted at
//! 1024 x 768, for a failed one and uses all ones in its place.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ids::{self, Listed};
use crate::{Dataset, DatasetError, DatasetInfo, Layout, Pairing, Part};

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitonHdConfig {
    /// The folder that holds `test_pairs.txt` and `test/`.
    pub root: PathBuf,
    /// `test` (default) or `train`.
    #[serde(default = "test_split")]
    pub split: String,
    /// Paired (default) or unpaired.
    #[serde(default)]
    pub pairing: Pairing,
    /// Keep only the first samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The split that results are published on.
pub(crate) fn test_split() -> String {
    "test".to_owned()
}

impl Layout for VitonHdConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "viton-hd",
        summary: "VITON-HD as published (zalando-hd-resized), paired or unpaired",
        example: "root = 'zalando-hd-resized'",
    };

    const PLACES: &'static [&'static str] = &["root"];

    fn resolve(&mut self, base: &Path) {
        self.root = base.join(&self.root);
    }

    fn open(
        &self,
        _generated: &Path,
        _progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(VitonHd::open(self)?))
    }
}

/// A person and a cloth, by their file names.
#[derive(Clone, Debug)]
struct Pair {
    person: String,
    cloth: String,
}

/// The layout, read.
#[derive(Clone, Debug)]
pub struct VitonHd {
    name: &'static str,
    config: VitonHdConfig,
    ids: Vec<String>,
    pairs: Vec<Pair>,
    agnostic: &'static str,
    cloth_mask: &'static str,
}

impl VitonHd {
    /// Reads the list of pairs; pictures are read later.
    ///
    /// A paired sample's id is the person's file name without its ending; an unpaired one's is `PERSON_CLOTH`.
    ///
    /// # Errors
    /// [`DatasetError::File`] if the pairs file cannot be read; [`DatasetError::Setting`] if the split is not the name of a folder;
    /// [`DatasetError::Entry`] if a line is not two file names, or an id cannot be used; [`DatasetError::Empty`].
    pub fn open(config: &VitonHdConfig) -> Result<Self, DatasetError> {
        Self::open_as(VitonHdConfig::INFO.name, config)
    }

    /// Reads the layout on behalf of another kind, whose name messages and results shall show.
    pub(crate) fn open_as(
        name: &'static str,
        config: &VitonHdConfig,
    ) -> Result<Self, DatasetError> {
        let split = &config.split;
        if ids::objection(split).is_some() {
            return Err(DatasetError::Setting {
                kind: name,
                setting: "split",
                expected: "the name of a split, such as `test` or `train`".to_owned(),
                found: format!("`{split}`"),
            });
        }
        let path = config.root.join(format!("{split}_pairs.txt"));
        let bytes = i2am_files::read(&path)?;
        let listed = parse_pairs(&path, &String::from_utf8_lossy(&bytes), config.pairing)?;
        let (ids, pairs) = ids::checked(&path, listed, config.limit)?;
        let folder = config.root.join(split);
        Ok(Self {
            name,
            config: config.clone(),
            ids,
            pairs,
            agnostic: present(&folder, ["agnostic-v3.2", "agnostic"]),
            cloth_mask: present(&folder, ["cloth-mask", "cloth_mask"]),
        })
    }
}

/// The first folder name that exists; the published one if none does, so that messages name that.
fn present(parent: &Path, names: [&'static str; 2]) -> &'static str {
    let found = names.into_iter().find(|name| parent.join(name).is_dir());
    found.unwrap_or(names[0])
}

fn parse_pairs(
    path: &Path,
    text: &str,
    pairing: Pairing,
) -> Result<Vec<Listed<Pair>>, DatasetError> {
    let lines = text.lines().enumerate();
    let full = lines.filter(|(_, line)| !line.trim().is_empty());
    full.map(|(number, line)| {
        let number = number as u64 + 1;
        let pair = parse_pair(line, pairing).ok_or_else(|| {
            let found = format!("`{}`", line.trim());
            DatasetError::line(path, number, "`PERSON CLOTH`, two file names", found)
        })?;
        let person = ids::stem(&pair.person);
        let id = match pairing {
            Pairing::Paired => person.to_owned(),
            Pairing::Unpaired => format!("{person}_{}", ids::stem(&pair.cloth)),
        };
        Ok(Listed {
            line: number,
            id,
            entry: pair,
        })
    })
    .collect()
}

/// Two file names; anything that leads into another folder is none.
fn parse_pair(line: &str, pairing: Pairing) -> Option<Pair> {
    let mut names = line.split_whitespace();
    let (person, second) = (names.next()?, names.next()?);
    let bad = |name: &str| ids::objection(name).is_some();
    if names.next().is_some() || bad(person) || bad(second) {
        return None;
    }
    let cloth = match pairing {
        Pairing::Paired => person,
        Pairing::Unpaired => second,
    };
    Some(Pair {
        person: person.to_owned(),
        cloth: cloth.to_owned(),
    })
}

impl Dataset for VitonHd {
    fn name(&self) -> &'static str {
        self.name
    }

    fn split(&self) -> &str {
        &self.config.split
    }

    fn pairing(&self) -> Option<Pairing> {
        Some(self.config.pairing)
    }

    fn root(&self) -> &Path {
        &self.config.root
    }

    fn ids(&self) -> &[String] {
        &self.ids
    }

    fn path(&self, index: usize, part: Part) -> Option<PathBuf> {
        let Pair { person, cloth } = self.pairs.get(index)?;
        let stem = ids::stem(person);
        let mask = format!("{stem}_mask.png");
        let labels = format!("{stem}.png");
        let joints = format!("{stem}_keypoints.json");
        let [warped, warped_mask] = match self.config.pairing {
            Pairing::Paired => ["cloth-warp", "cloth-warp-mask"],
            Pairing::Unpaired => ["unpaired-cloth-warp", "unpaired-cloth-warp-mask"],
        };
        let (folder, file) = match part {
            Part::Image => ("image", person),
            Part::GroundTruth if self.config.pairing == Pairing::Paired => ("image", person),
            Part::GroundTruth => return None,
            Part::Mask => ("agnostic-mask", &mask),
            Part::Reference => ("cloth", cloth),
            Part::ReferenceMask => (self.cloth_mask, cloth),
            Part::Agnostic => (self.agnostic, person),
            Part::Densepose => ("image-densepose", person),
            Part::Parse => ("image-parse-v3", &labels),
            Part::AgnosticParse => ("image-parse-agnostic-v3.2", &labels),
            Part::Pose => ("openpose_json", &joints),
            Part::Warped => (warped, person),
            Part::WarpedMask => (warped_mask, person),
        };
        Some(
            self.config
                .root
                .join(&self.config.split)
                .join(folder)
                .join(file),
        )
    }

    fn why_without(&self, part: Part) -> &'static str {
        match part {
            Part::GroundTruth => {
                ": an unpaired sample has no photograph of the person in the other garment"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests;
