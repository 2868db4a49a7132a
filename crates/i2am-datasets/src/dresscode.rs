//! Dress Code as published, with the masks of `CatVTON`'s authors, and anything laid out like it.
//!
//! | folder under `<root>/<category>/` | file | part |
//! |---|---|---|
//! | `images` | `N_0.jpg` | image; ground truth of the paired setting |
//! | `images` | `N_1.jpg` | reference |
//! | `agnostic_masks` | `N_0.png` | mask, 255 in the masked region |
//! | `masks` (or `cloth_mask`) | `N_1.png` | reference mask |
//!
//! The categories are `upper_body`, `lower_body` and `dresses`. `<root>/<category>/test_pairs_paired.txt` and `test_pairs_unpaired.txt`
//! have a line `N_0.jpg M_1.jpg` for each pair. Numbers are unique over all categories. Samples are sorted by id.
//!
//! `agnostic_masks` is no part of Dress Code: `CatVTON`'s authors publish it apart (Zheng-Chong/CatVTON: `README.md`, `inference.py`).
//! `masks` is published by `LaDI-VTON`'s authors (miccunifi/ladi-vton: `src/dataset/dresscode.py`); without it there are no reference
//! masks. Label maps, body maps and key points are not read: they are not those that the families trained on VITON-HD know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_imaging::{MaskChannel, MaskLevels, MaskPolarity};
use serde::{Deserialize, Serialize};

use crate::ids::{self, Listed};
use crate::masks::is_default;
use crate::pairs::{self, Pair};
use crate::{Dataset, DatasetError, DatasetInfo, Layout, MaskSettings, Pairing, Part};

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DressCodeConfig {
    /// The folder that holds the folders of the categories.
    pub root: PathBuf,
    /// Which garments are tried on; all by default.
    #[serde(default)]
    pub category: Category,
    /// Paired (default) or unpaired.
    #[serde(default)]
    pub pairing: Pairing,
    /// Which levels of masks count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_levels: MaskLevels,
    /// Where masks have their shape.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_channel: MaskChannel,
    /// Which side of masks is masked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_polarity: MaskPolarity,
    /// Which side of reference masks shows the object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reference_mask_polarity: MaskPolarity,
    /// Keep only the first samples, in the order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Which garments are tried on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Those of all three folders.
    #[default]
    All,
    /// Tops.
    UpperBody,
    /// Trousers and skirts.
    LowerBody,
    /// Dresses.
    Dresses,
}

impl Category {
    /// The folders of the data set that it takes in.
    const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::All => &["upper_body", "lower_body", "dresses"],
            Self::UpperBody => &["upper_body"],
            Self::LowerBody => &["lower_body"],
            Self::Dresses => &["dresses"],
        }
    }
}

impl DressCodeConfig {
    /// All categories below `root`, paired.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            category: Category::default(),
            pairing: Pairing::default(),
            mask_levels: MaskLevels::default(),
            mask_channel: MaskChannel::default(),
            mask_polarity: MaskPolarity::default(),
            reference_mask_polarity: MaskPolarity::default(),
            limit: None,
        }
    }
}

impl Layout for DressCodeConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "dresscode",
        summary: "Dress Code as published, with CatVTON's masks, paired or unpaired",
        example: "root = 'DressCode'",
    };

    const PLACES: &'static [&'static str] = &["root"];

    fn resolve(&mut self, base: &Path) {
        self.root = i2am_files::resolve(base, &self.root);
    }

    fn open(
        &self,
        _generated: &Path,
        _progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(DressCode::open(self)?))
    }
}

/// A pair, and the folder that has its files.
#[derive(Clone, Debug)]
struct Placed {
    folder: &'static str,
    pair: Pair,
}

/// The layout, read.
#[derive(Clone, Debug)]
pub struct DressCode {
    config: DressCodeConfig,
    ids: Vec<String>,
    pairs: Vec<Placed>,
}

impl DressCode {
    /// Reads the lists of pairs; pictures are read later.
    ///
    /// A paired sample's id is the person's file name without its ending; an unpaired one's is `PERSON_CLOTH`.
    ///
    /// # Errors
    /// [`DatasetError::File`] if a list of pairs cannot be read; [`DatasetError::Entry`] if a line is not two file names, or an id
    /// cannot be used or is in two categories; [`DatasetError::Empty`].
    pub fn open(config: &DressCodeConfig) -> Result<Self, DatasetError> {
        let mut named = Vec::new();
        let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
        for folder in config.category.folders() {
            let list = format!("test_pairs_{}.txt", config.pairing);
            let path = config.root.join(folder).join(list);
            let text = i2am_files::read_text(&path)?;
            let listed = pairs::parse(&path, &text, config.pairing)?;
            for Listed { line, id, .. } in &listed {
                if let Some(other) = seen.get(id) {
                    let found = format!("{} also in {other}", i2am_files::shown(id));
                    let expected = "every id in one category";
                    return Err(DatasetError::line(&path, *line, expected, found));
                }
            }
            let (ids, pairs) = ids::checked(&path, listed, None)?;
            seen.extend(ids.iter().map(|id| (id.clone(), *folder)));
            let placed = pairs.into_iter().map(|pair| Placed { folder, pair });
            named.extend(ids.into_iter().zip(placed));
        }
        let (ids, pairs) = ids::sorted(&config.root, named, config.limit, "")?;
        Ok(Self {
            config: config.clone(),
            ids,
            pairs,
        })
    }
}

impl Dataset for DressCode {
    fn name(&self) -> &'static str {
        DressCodeConfig::INFO.name
    }

    fn split(&self) -> &'static str {
        "test"
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
        let Placed { folder, pair } = self.pairs.get(index)?;
        let Pair { person, cloth } = pair;
        let folder = self.config.root.join(folder);
        let png = |name: &str| format!("{}.png", ids::stem(name));
        let (parts, file) = match part {
            Part::Image => ("images", person.clone()),
            Part::GroundTruth if self.config.pairing == Pairing::Paired => {
                ("images", person.clone())
            }
            Part::Mask => ("agnostic_masks", png(person)),
            Part::Reference => ("images", cloth.clone()),
            Part::ReferenceMask => (ids::present(&folder, ["masks", "cloth_mask"]), png(cloth)),
            Part::GroundTruth
            | Part::Agnostic
            | Part::Densepose
            | Part::Parse
            | Part::AgnosticParse
            | Part::Pose
            | Part::Warped
            | Part::WarpedMask
            | Part::Correspondence => return None,
        };
        Some(folder.join(parts).join(file))
    }

    fn masks(&self) -> MaskSettings {
        MaskSettings {
            levels: self.config.mask_levels,
            channel: self.config.mask_channel,
            polarity: self.config.mask_polarity,
            reference_polarity: self.config.reference_mask_polarity,
        }
    }

    fn why_without(&self, part: Part) -> &'static str {
        match part {
            Part::GroundTruth => {
                ": an unpaired sample has no photograph of the person in the other garment"
            }
            _ => ": Dress Code has none, or not in the form of VITON-HD",
        }
    }
}

#[cfg(test)]
mod tests;
