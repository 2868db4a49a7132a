//! Dataset layouts read as samples.
//!
//! A [`Dataset`] is a sorted list of sample ids and, for each, the files of its [`Part`]s; reading, checking and hashing are the same
//! for all layouts. A layout is one file that implements [`Dataset`] for what it opens and [`Layout`] for its settings, and two lines
//! here: its `mod` and its entry in [`DATASETS`].
//!
//! - [`coco_detection`]: one object of each image of an annotation file, for detection;
//! - [`dresscode`]: the published folders of Dress Code;
//! - [`manifest`]: a CSV file that names the pictures, for data of your own;
//! - [`sr`]: pictures to make larger, with or without the true large ones, which can also be degraded or drawn;
//! - [`synth`]: a drawn try-on set, written in VITON-HD's layout and read back through its reader;
//! - [`viton_hd`]: the published folders of VITON-HD.
//!
//! ```
//! use i2am_datasets::{Part, find};
//! use i2am_files::FileHashes;
//!
//! # let folder = tempfile::tempdir()?;
//! let settings = serde_json::json!({ "seed": 7, "count": 3, "height": 64, "width": 48 });
//! let config = find("synth").expect("it is registered").restore(settings)?;
//! // Draws the set below the folder, unless it is there already.
//! let dataset = config.open(folder.path(), &|_drawn| ())?;
//! assert_eq!(dataset.ids(), ["00000_00", "00001_00", "00002_00"]);
//!
//! // The parts that every sample has, and one more.
//! let sample = dataset.load_parts(1, &[Part::Densepose])?;
//! assert_eq!(sample.image.dimensions(), (48, 64));
//! assert_eq!(sample.mask.dimensions(), sample.image.dimensions());
//! assert!(sample.densepose.is_some() && sample.parse.is_none());
//!
//! // What the sample is, by the content of its files.
//! let fingerprint = dataset.fingerprint(1, &FileHashes::in_memory())?;
//! assert!(fingerprint.parts().contains_key(&Part::Mask));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dataset;
mod error;
mod fingerprint;
mod gap;
mod ids;
mod kind;
mod masks;
mod other_reference;
mod pairs;
mod sample;

pub use dataset::{Dataset, Goal, MaskRemark};
pub use error::DatasetError;
pub use fingerprint::Fingerprint;
pub use gap::Gap;
pub use i2am_synth::{JOINTS, Joint, Pose};
pub use kind::{ConfigValue, DatasetConfig, DatasetInfo, DatasetKind, Kind, Layout};
pub use masks::MaskSettings;
pub use other_reference::OtherReference;
pub use sample::{LABELS, Pairing, Part, Sample};

pub mod coco_detection;
pub mod dresscode;
pub mod manifest;
pub mod sr;
pub mod synth;
pub mod viton_hd;

/// Every kind, sorted by name; this order is the order everywhere.
pub static DATASETS: &[&dyn DatasetKind] = &[
    &Kind::<coco_detection::CocoDetectionConfig>::ENTRY,
    &Kind::<dresscode::DressCodeConfig>::ENTRY,
    &Kind::<manifest::ManifestConfig>::ENTRY,
    &Kind::<sr::SrConfig>::ENTRY,
    &Kind::<synth::SynthConfig>::ENTRY,
    &Kind::<viton_hd::VitonHdConfig>::ENTRY,
];

/// The kind called `name` in configurations.
pub fn find(name: &str) -> Option<&'static dyn DatasetKind> {
    let is_it = |kind: &&&dyn DatasetKind| kind.info().name == name;
    DATASETS.iter().find(is_it).copied()
}
