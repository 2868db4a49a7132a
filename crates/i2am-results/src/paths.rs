//! Where things lie in a run folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::row::Stage;

pub(crate) const LOCK: &str = ".lock";
pub(crate) const MANIFEST: &str = "manifest.json";
const MADE_FROM: &str = ".correlations";

// Everything that a run writes besides the manifest, so that a fresh one removes these and nothing else.

/// What the stages found out.
pub(crate) const RESULTS: [&str; 3] = ["samples.csv", "sets.json", "inputs.json"];

/// What is computed from `RESULTS`.
pub(crate) const DERIVED: [&str; 8] = [
    MADE_FROM,
    "samples.parquet",
    "aggregate.csv",
    "correlations.csv",
    "debug",
    "report.html",
    "tables",
    "plots",
];

/// The folders that generating and scoring write to; they are made when the run folder is opened.
pub(crate) const SAMPLE_FOLDERS: [&str; 4] = ["images", "attention", "maps", "grids"];

/// Folders of files of samples that are only made when something is written there.
pub(crate) const LATER_FOLDERS: [&str; 1] = ["counterfactual"];

/// The layout of a run folder. Only names things; nothing is read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPaths {
    dir: PathBuf,
}

impl RunPaths {
    /// The layout of the run folder `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The run folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `manifest.json`.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// `samples.csv`, the ledger.
    pub fn samples_csv(&self) -> PathBuf {
        self.dir.join("samples.csv")
    }

    /// `samples.parquet`, written at the end.
    pub fn samples_parquet(&self) -> PathBuf {
        self.dir.join("samples.parquet")
    }

    /// `sets.json`, the scores of whole sets.
    pub fn sets(&self) -> PathBuf {
        self.dir.join("sets.json")
    }

    /// `inputs.json`, what each sample was computed from.
    pub fn inputs(&self) -> PathBuf {
        self.dir.join("inputs.json")
    }

    /// `aggregate.csv`, written at the end.
    pub fn aggregate(&self) -> PathBuf {
        self.dir.join("aggregate.csv")
    }

    /// `correlations.csv`, written by the stage `correlate`.
    pub fn correlations(&self) -> PathBuf {
        self.dir.join("correlations.csv")
    }

    /// `.correlations`, a key of what `correlations.csv` is made from.
    pub fn made_from(&self) -> PathBuf {
        self.dir.join(MADE_FROM)
    }

    /// The folder of tables.
    pub fn tables(&self) -> PathBuf {
        self.dir.join("tables")
    }

    /// The folder of plots.
    pub fn plots(&self) -> PathBuf {
        self.dir.join("plots")
    }

    /// `report.html`, the page.
    pub fn page(&self) -> PathBuf {
        self.dir.join("report.html")
    }

    /// Heads of layers by their score: `debug/<model>.csv`.
    pub fn debug(&self, model: &str) -> PathBuf {
        self.dir.join("debug").join(file_name(model) + ".csv")
    }

    /// The generated image: `images/<model>/<id>.png`.
    pub fn image(&self, model: &str, sample_id: &str) -> PathBuf {
        self.sample_file("images", model, sample_id, ".png")
    }

    /// The attention record: `attention/<model>/<id>.safetensors`.
    pub fn attention(&self, model: &str, sample_id: &str) -> PathBuf {
        self.sample_file("attention", model, sample_id, ".safetensors")
    }

    /// The folder of attribution maps and overlays of one sample: `maps/<model>/<id>`.
    pub fn maps(&self, model: &str, sample_id: &str) -> PathBuf {
        self.sample_file("maps", model, sample_id, "")
    }

    /// One of these: `maps/<model>/<id>/<name>.png`, where `name` is a direction and a level, such as `r2g.time:0`.
    pub fn map(&self, model: &str, sample_id: &str, name: &str) -> PathBuf {
        let name = name.replace(':', "-").replace('/', ".");
        self.maps(model, sample_id).join(file_name(&name) + ".png")
    }

    /// The picture that shows one sample at a glance: `grids/<model>/<id>.png`.
    pub fn grid(&self, model: &str, sample_id: &str) -> PathBuf {
        self.sample_file("grids", model, sample_id, ".png")
    }

    /// What changes without parts of the reference: `counterfactual/<model>/<id>.safetensors`.
    pub fn counterfactual(&self, model: &str, sample_id: &str) -> PathBuf {
        self.sample_file("counterfactual", model, sample_id, ".safetensors")
    }

    /// Where a stage writes files of a sample, and a folder of them; some may not be there.
    pub(crate) fn of_stage(&self, stage: Stage, model: &str, sample_id: &str) -> Vec<PathBuf> {
        match stage {
            Stage::Generate => vec![
                self.image(model, sample_id),
                self.attention(model, sample_id),
            ],
            Stage::Score => vec![self.maps(model, sample_id), self.grid(model, sample_id)],
            Stage::Faithfulness => vec![self.counterfactual(model, sample_id)],
            Stage::Measure => Vec::new(),
        }
    }

    fn sample_file(&self, folder: &str, model: &str, sample_id: &str, ending: &str) -> PathBuf {
        let file = file_name(sample_id) + ending;
        self.dir.join(folder).join(file_name(model)).join(file)
    }
}

/// `name` as the name of one file: what could lead elsewhere, hide the file or be refused by a file system is written
/// as `%` and two hexadecimal digits per byte, so two names never meet in one file.
fn file_name(name: &str) -> String {
    let mut file_name = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || b"_-+=,@".contains(&byte)
            || (byte == b'.' && index > 0);
        if plain {
            file_name.push(char::from(byte));
        } else {
            write!(file_name, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    file_name
}

/// Bytes that a file name may have on all usual systems.
const LONGEST: usize = 255;
/// Bytes of the longest ending of a file that is named after a sample.
const ENDING: usize = ".safetensors".len();

/// What keeps `name`, of a model or a sample, from naming files of a run; starts with a verb.
pub fn name_objection(name: &str) -> Option<String> {
    let length = file_name(name).len();
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.contains(char::is_control) {
        Some("has a line break or another control character".to_owned())
    } else if length + ENDING > LONGEST {
        Some(format!(
            "makes a file name of {length} bytes, of which {} fit",
            LONGEST - ENDING
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_fit_into_a_file_name() {
        for name in ["a", "a b", &"x".repeat(243), &"\u{e9}".repeat(40)] {
            assert_eq!(name_objection(name), None, "{name}");
        }
        for (name, words) in [
            ("", "is empty"),
            ("a\nb", "line break"),
            ("a\u{7f}", "control character"),
            (&"x".repeat(244), "244 bytes, of which 243 fit"),
            (&"\u{e9}".repeat(41), "246 bytes"),
        ] {
            let objection = name_objection(name).unwrap();
            assert!(objection.contains(words), "{objection}");
        }
    }

    #[test]
    fn a_sample_has_its_place_under_its_model() {
        let paths = RunPaths::new("out");
        assert_eq!(
            paths.image("pbe-v1.2", "00006_00"),
            Path::new("out/images/pbe-v1.2/00006_00.png")
        );
        assert_eq!(
            paths.attention("pbe", "a"),
            Path::new("out/attention/pbe/a.safetensors")
        );
        assert_eq!(paths.debug("pbe"), Path::new("out/debug/pbe.csv"));
        assert_eq!(paths.maps("pbe", "a"), Path::new("out/maps/pbe/a"));
        assert_eq!(paths.grid("pbe", "a"), Path::new("out/grids/pbe/a.png"));
    }

    #[test]
    fn no_name_leaves_the_folder_or_meets_another() {
        assert_eq!(file_name("../a/b"), "%2E.%2Fa%2Fb");
        assert_eq!(file_name(".."), "%2E.");
        assert_eq!(file_name("a b"), "a%20b");
        assert_eq!(file_name("a%20b"), "a%2520b");
        assert_eq!(file_name("é"), "%C3%A9");
    }
}
