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
//! | `correspondence`, or `unpaired-correspondence` | `X.png` | from where in the reference the garment on the person comes ([`Correspondence`](i2am_imaging::Correspondence)) |
//!
//! Correspondences are no part of VITON-HD: only the drawn set has them. They are a part of samples where their folder exists.
//! The warped garments are no part of VITON-HD, either: DCI-VTON's authors publish them apart, to be unpacked into the same folder.
//!
//! `<root>/<split>_pairs.txt` (or `<split>_pairs_unpaired.txt`, as `CatVTON`'s authors call it) has a line `X.jpg C.jpg` for each pair. Paired, a person wears the cloth of the same name and
//! the second column is ignored; unpaired, it is the second column's. Samples are sorted by id, which for the published names is
//! the order of (person, cloth) of the published test loaders.
//!
//! Not done here, since only one family needs it: `StableVITON` takes a cloth mask of fewer than 122,880 pixels, counted at
//! 1024 x 768, for a failed one and uses all ones in its place.

use std::path::{Path, PathBuf};

use i2am_imaging::{MaskChannel, MaskLevels, MaskPolarity};
use serde::{Deserialize, Serialize};

use crate::ids;
use crate::masks::is_default;
use crate::pairs::{self, Pair};
use crate::{Dataset, DatasetError, DatasetInfo, Layout, MaskSettings, Pairing, Part};

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitonHdConfig {
    /// The folder that holds the list of pairs and `test/`.
    pub root: PathBuf,
    /// `test` (default) or `train`.
    #[serde(default = "test_split")]
    pub split: String,
    /// Paired (default) or unpaired.
    #[serde(default)]
    pub pairing: Pairing,
    /// The list of pairs, a file in `root`; by default the first of `SPLIT_pairs.txt` and `SPLIT_pairs_unpaired.txt` that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<String>,
    /// Which levels of masks count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_levels: MaskLevels,
    /// Where masks have their shape.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_channel: MaskChannel,
    /// Which side of masks is masked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_polarity: MaskPolarity,
    /// Which side of reference masks, warped ones too, shows the object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reference_mask_polarity: MaskPolarity,
    /// Keep only the first samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The split that results are published on.
fn test_split() -> String {
    "test".to_owned()
}

impl VitonHdConfig {
    /// The paired test split below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            split: test_split(),
            pairing: Pairing::default(),
            pairs: None,
            mask_levels: MaskLevels::default(),
            mask_channel: MaskChannel::default(),
            mask_polarity: MaskPolarity::default(),
            reference_mask_polarity: MaskPolarity::default(),
            limit: None,
        }
    }

    /// The file name of the list of pairs; `name` is the kind that messages shall show.
    fn list(&self, name: &'static str) -> Result<String, DatasetError> {
        if let Some(pairs) = &self.pairs {
            return match ids::objection(pairs) {
                None => Ok(pairs.clone()),
                Some(reason) => Err(DatasetError::Setting {
                    kind: name,
                    setting: "pairs",
                    expected: "the name of a file in `root`, such as `test_pairs_unpaired.txt`"
                        .to_owned(),
                    found: format!("`{pairs}`: {reason}"),
                }),
            };
        }
        let split = &self.split;
        let published = format!("{split}_pairs.txt");
        let others = format!("{split}_pairs_unpaired.txt");
        let is_there = |list: &String| self.root.join(list).is_file();
        let found = [&published, &others]
            .into_iter()
            .find(|list| is_there(list));
        Ok(found.unwrap_or(&published).clone())
    }
}

impl Layout for VitonHdConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "viton-hd",
        summary: "VITON-HD as published (zalando-hd-resized), paired or unpaired",
        example: "root = 'zalando-hd-resized'",
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
        Ok(Box::new(VitonHd::open(self)?))
    }
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
    /// The folder, if it exists.
    correspondence: Option<&'static str>,
}

impl VitonHd {
    /// Reads the list of pairs; pictures are read later.
    ///
    /// A paired sample's id is the person's file name without its ending; an unpaired one's is `PERSON_CLOTH`.
    ///
    /// # Errors
    /// [`DatasetError::File`] if the pairs file cannot be read; [`DatasetError::Setting`] if the split is not the name of a folder,
    /// or the list not that of a file;
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
        let path = config.root.join(config.list(name)?);
        let text = i2am_files::read_text(&path)?;
        let listed = pairs::parse(&path, &text, config.pairing)?;
        let (ids, pairs) = ids::checked(&path, listed, config.limit)?;
        let folder = config.root.join(split);
        let correspondence = match config.pairing {
            Pairing::Paired => "correspondence",
            Pairing::Unpaired => "unpaired-correspondence",
        };
        Ok(Self {
            name,
            config: config.clone(),
            ids,
            pairs,
            agnostic: ids::present(&folder, ["agnostic-v3.2", "agnostic"]),
            cloth_mask: ids::present(&folder, ["cloth-mask", "cloth_mask"]),
            correspondence: folder
                .join(correspondence)
                .is_dir()
                .then_some(correspondence),
        })
    }
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
        let cloth = match self.config.pairing {
            Pairing::Paired => person,
            Pairing::Unpaired => cloth,
        };
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
            Part::Correspondence => (self.correspondence?, &labels),
        };
        Some(
            self.config
                .root
                .join(&self.config.split)
                .join(folder)
                .join(file),
        )
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
            Part::Correspondence => ": only the drawn data set `synth` knows it",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests;
