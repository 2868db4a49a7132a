//! Dataset layouts read as samples, and the synthetic try-on set.
//!
//! A [`Dataset`] is a sorted list of sample ids and, for each, the files of its [`Part`]s; reading, checking and hashing
//! are the same for all layouts. A layout is one file here and one line in [`DATASETS`]:
//!
//! - [`coco_detection`]: one object of each image of an annotation file, for detection;
//! - [`viton_hd`]: the published folders of VITON-HD;
//! - [`manifest`]: a CSV file that names the pictures, for anybody's data;
//! - [`sr`]: pictures to make larger, with or without the true large ones, which can also be degraded or drawn;
//! - [`synth`]: a drawn try-on set, written in VITON-HD's layout and read back through its reader.

pub mod coco_detection;
mod dataset;
mod dice;
mod error;
mod gap;
mod ids;
pub mod manifest;
mod pose;
mod registry;
mod sample;
pub mod sr;
pub mod synth;
pub mod viton_hd;

pub use dataset::{Dataset, Goal};
pub use error::DatasetError;
pub use gap::Gap;
pub use pose::{JOINTS, Joint, Pose};
pub use registry::{DATASETS, DatasetConfig, DatasetKind};
pub use sample::{LABELS, Pairing, Part, Sample};
