//! Identity of samples by content.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use i2am_datasets::{Dataset, Fingerprint, Part};
use i2am_files::{FileHashes, read, write_atomic};
use i2am_imaging::{read_gray, write_png_gray};
use serde_json::json;

use crate::common::{coco, folder, manifest, sr, synth, write_picture};

fn fingerprints(set: &dyn Dataset) -> Vec<Fingerprint> {
    by(set, &FileHashes::in_memory())
}

fn by(set: &dyn Dataset, hashes: &FileHashes) -> Vec<Fingerprint> {
    let samples = 0..set.ids().len();
    samples
        .map(|index| set.fingerprint(index, hashes).unwrap())
        .collect()
}

/// Makes sure that of all samples only `index` differs, and by `parts`.
#[track_caller]
fn assert_only(before: &[Fingerprint], after: &[Fingerprint], index: usize, parts: &[Part]) {
    assert_eq!(before.len(), after.len());
    for (place, (was, is)) in before.iter().zip(after).enumerate() {
        let changed = if place == index { parts } else { &[] };
        assert_eq!(was.changed_parts(is), changed, "sample {place}");
        assert_eq!(
            was.as_str() == is.as_str(),
            place != index,
            "sample {place}"
        );
    }
}

#[test]
fn an_inverted_mask_changes_the_fingerprint_of_its_sample_alone() {
    let folder = folder();
    let set = synth(folder.path(), json!({}));
    let before = fingerprints(set.as_ref());
    let path = set.path(1, Part::Mask).unwrap();
    let mut mask = read_gray(&path).unwrap();
    for level in mask.iter_mut() {
        *level = 255 - *level;
    }
    write_png_gray(&path, &mask).unwrap();
    let after = fingerprints(set.as_ref());
    assert_only(&before, &after, 1, &[Part::Mask]);
    assert_eq!(set.files(1)[1], (Part::Mask, path), "the file can be named");
}

#[test]
fn every_file_of_a_sample_counts() {
    let folder = folder();
    let set = synth(folder.path(), json!({}));
    let files = set.files(2);
    assert_eq!(files.len(), Part::ALL.len());
    let mut same: BTreeMap<&Path, Vec<Part>> = BTreeMap::new();
    for (part, path) in &files {
        same.entry(path).or_default().push(*part);
    }
    assert_eq!(same.len(), 12, "the ground truth is the image");
    for (path, parts) in same {
        let before = fingerprints(set.as_ref());
        let content = read(path).unwrap();
        write_atomic(path, [&content[..], b" "].concat()).unwrap();
        assert_only(&before, &fingerprints(set.as_ref()), 2, &parts);
        fs::remove_file(path).unwrap();
        assert_only(&before, &fingerprints(set.as_ref()), 2, &parts);
        write_atomic(path, content).unwrap();
        assert_eq!(fingerprints(set.as_ref()), before, "repaired");
    }
}

#[test]
fn neither_places_nor_names_nor_other_samples_matter() {
    let (one, two) = (folder(), folder());
    let before = fingerprints(manifest(one.path(), &["a", "b"]).as_ref());
    let other = fingerprints(manifest(two.path(), &["x", "y", "z"]).as_ref());
    assert_eq!(before, other[..2]);
}

#[test]
fn the_garment_of_an_unpaired_sample_counts() {
    let folder = folder();
    let paired = fingerprints(synth(folder.path(), json!({})).as_ref());
    let set = synth(folder.path(), json!({ "pairing": "unpaired" }));
    let before = fingerprints(set.as_ref());
    assert!(before.iter().zip(&paired).all(|(one, other)| one != other));
    // Each garment is the reference of one sample.
    write_picture(&set.path(0, Part::Reference).unwrap(), [64, 48], 3);
    let after = fingerprints(set.as_ref());
    let parts = [Part::Reference];
    assert_only(&before, &after, 0, &parts);
}

#[test]
fn the_annotation_of_an_object_counts_for_its_sample() {
    let folder = folder();
    let objects = |width: f64| {
        let places = [(7, [0.0, 0.0, 5.0, 6.0]), (9, [1.0, 1.0, width, 6.0])];
        fingerprints(coco(folder.path(), &places).as_ref())
    };
    let before = objects(5.0);
    assert_only(&before, &objects(5.5), 1, &[]);
    assert_eq!(before, objects(5.0));
}

#[test]
fn how_a_low_resolution_picture_is_made_counts() {
    let folder = folder();
    let names = ["a", "b"];
    let of = |settings: serde_json::Value| {
        fingerprints(sr(folder.path(), &names, settings).as_ref())[0].to_string()
    };
    let degraded = |seed: u64| json!({ "kind": "second-order", "seed": seed });
    let mut found: Vec<String> = [
        json!({}),
        json!({ "scale": 2 }),
        json!({ "crop": "center" }),
        json!({ "degradation": degraded(1) }),
        json!({ "degradation": degraded(2) }),
    ]
    .map(of)
    .to_vec();
    assert_eq!(of(json!({ "limit": 1 })), found[0]);
    assert_eq!(of(json!({ "scale": 4, "crop": "top-left" })), found[0]);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 5);

    // The degradation draws by the name of the sample.
    let high = folder.path().join("high");
    fs::copy(high.join("a.png"), high.join("c.png")).unwrap();
    let set = sr(folder.path(), &names, json!({ "degradation": degraded(1) }));
    let all = fingerprints(set.as_ref());
    assert_eq!(all[0].parts(), all[2].parts());
    assert_ne!(all[0].as_str(), all[2].as_str());
}

#[test]
fn a_second_start_reads_no_picture() {
    let folder = folder();
    let set = synth(folder.path(), json!({}));
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    for index in 0..set.ids().len() {
        for (_, path) in set.files(index) {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
    }
    let place = folder.path().join("hashes");
    let hashes = FileHashes::open(&place);
    let first = by(set.as_ref(), &hashes);
    hashes.save();
    assert_eq!(hashes.files_read(), 36, "each file once");
    let hashes = FileHashes::open(&place);
    assert_eq!(by(set.as_ref(), &hashes), first);
    assert_eq!(hashes.files_read(), 0);
}

#[test]
fn a_sample_that_does_not_exist_has_no_fingerprint() {
    let folder = folder();
    let set = manifest(folder.path(), &["a"]);
    let error = set.fingerprint(1, &FileHashes::in_memory()).unwrap_err();
    assert!(error.to_string().contains("below 1, found 1"), "{error}");
}
