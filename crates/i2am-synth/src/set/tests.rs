use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;

const SIDES_USED: [usize; 2] = [32, 24];

fn set(seed: u64, count: usize) -> SynthSet {
    let [height, width] = SIDES_USED;
    SynthSet {
        seed,
        count,
        height,
        width,
    }
}

fn write(dir: &Path, seed: u64, count: usize) -> Result<(), SynthError> {
    set(seed, count).write_viton_hd(dir, &|_| ())
}

/// Every file under `dir` with its content.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in sorted_entries(dir).unwrap() {
        if entry.is_dir() {
            files.extend(content(&entry));
        } else {
            files.insert(entry.clone(), fs::read(entry).unwrap());
        }
    }
    files
}

/// File names relative to `dir`.
fn names(dir: &Path) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(dir).unwrap().display().to_string();
    let mut names: Vec<String> = content(dir).keys().map(relative).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_folder_has_the_published_names() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 3, 1).unwrap();
    assert_eq!(
        names(dir.path()),
        [
            "synth.json",
            "test/agnostic-mask/00000_00_mask.png",
            "test/agnostic-v3.2/00000_00.jpg",
            "test/cloth-mask/00000_00.jpg",
            "test/cloth-warp-mask/00000_00.jpg",
            "test/cloth-warp/00000_00.jpg",
            "test/cloth/00000_00.jpg",
            "test/correspondence/00000_00.png",
            "test/image-densepose/00000_00.jpg",
            "test/image-parse-agnostic-v3.2/00000_00.png",
            "test/image-parse-v3/00000_00.png",
            "test/image/00000_00.jpg",
            "test/openpose_json/00000_00_keypoints.json",
            "test/unpaired-cloth-warp-mask/00000_00.jpg",
            "test/unpaired-cloth-warp/00000_00.jpg",
            "test/unpaired-correspondence/00000_00.png",
            "test_pairs.txt",
        ]
    );
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_progress_counts_every_sample() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let told = Mutex::new(Vec::new());
    set(3, 5)
        .write_viton_hd(one.path(), &|done| told.lock().unwrap().push(done))
        .unwrap();
    write(two.path(), 3, 5).unwrap();
    let bytes = |dir: &TempDir| content(dir.path()).into_values().collect::<Vec<_>>();
    assert!(bytes(&one) == bytes(&two));
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3, 4, 5]);
}

#[test]
fn a_complete_set_is_left_alone_and_an_interrupted_one_is_repaired() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 3, 2).unwrap();
    let image = dir.path().join("test/image/00001_00.jpg");
    let before = fs::read(&image).unwrap();
    write_atomic(&image, "touched").unwrap();
    write(dir.path(), 3, 2).unwrap();
    assert_eq!(fs::read(&image).unwrap(), b"touched");
    let marker = dir.path().join(MARKER);
    let text = fs::read_to_string(&marker).unwrap();
    write_atomic(&marker, text.replace("true", "false")).unwrap();
    write(dir.path(), 3, 2).unwrap();
    assert_eq!(fs::read(&image).unwrap(), before);
    assert_eq!(fs::read_to_string(&marker).unwrap(), text);
}

#[test]
fn folders_with_something_else_are_not_touched() {
    let dir = TempDir::new().unwrap();
    let stranger = dir.path().join("thesis.txt");
    write_atomic(&stranger, "mine").unwrap();
    let error = write(dir.path(), 3, 2).unwrap_err();
    assert!(matches!(error, SynthError::NotSynthetic { .. }), "{error}");
    write_atomic(dir.path().join(MARKER), "{}").unwrap();
    let error = write(dir.path(), 3, 2).unwrap_err();
    assert!(matches!(error, SynthError::NotSynthetic { .. }), "{error}");
    assert_eq!(names(dir.path()), ["synth.json", "thesis.txt"]);
}

#[test]
fn another_set_is_not_overwritten() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 3, 2).unwrap();
    let before = content(dir.path());
    let error = write(dir.path(), 4, 2).unwrap_err().to_string();
    assert!(error.contains("of seed 4, 2 samples, 32 x 24"), "{error}");
    assert!(error.contains("of seed 3, 2 samples, 32 x 24"), "{error}");
    assert!(content(dir.path()) == before);
}

#[test]
fn counts_and_sizes_out_of_range_are_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    for (count, height, width, name) in [
        (0, 64, 48, "a count"),
        (1, 0, 48, "a height"),
        (1, 64, 5000, "a width"),
    ] {
        let set = SynthSet {
            seed: 1,
            count,
            height,
            width,
        };
        let error = set.write_viton_hd(dir.path(), &|_| ()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(names(dir.path()).is_empty());
}
