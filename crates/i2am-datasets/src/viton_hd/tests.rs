use std::fs;

use i2am_imaging::{GrayImage, write_png_gray};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use i2am_synth::{SynthSet, render, render_further};

/// Three drawn samples of 64 x 48 in the published layout.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let set = SynthSet {
        seed: 7,
        count: 3,
        height: 64,
        width: 48,
    };
    set.write_viton_hd(dir.path(), &|_| ()).unwrap();
    dir
}

fn config(root: &Path, pairing: Pairing) -> VitonHdConfig {
    VitonHdConfig {
        pairing,
        ..VitonHdConfig::new(root)
    }
}

fn paired(dir: &TempDir) -> VitonHd {
    VitonHd::open(&config(dir.path(), Pairing::Paired)).unwrap()
}

fn write_pairs(dir: &TempDir, text: &str) {
    i2am_files::write_atomic(dir.path().join("test_pairs.txt"), text).unwrap();
}

fn opening_error(dir: &TempDir, pairing: Pairing) -> String {
    VitonHd::open(&config(dir.path(), pairing))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_paired_sample_has_its_own_garment_and_every_part() {
    let dir = folder();
    let dataset = paired(&dir);
    assert_eq!(dataset.ids(), ["00000_00", "00001_00", "00002_00"]);
    dataset.check(&Part::ALL).unwrap();
    let sample = dataset.load(1).unwrap();
    let drawn = render(7, 1, 64, 48);
    assert_eq!(sample.id, "00001_00");
    // PNG keeps the mask exactly, JPEG keeps pictures nearly.
    assert!(sample.mask == drawn.agnostic_mask, "mask");
    assert!(
        sample.ground_truth.as_ref() == Some(&sample.image),
        "ground truth"
    );
    for (name, read, drawn) in [
        ("image", Some(&sample.image), &drawn.person),
        ("reference", Some(&sample.reference), &drawn.garment),
        ("agnostic", sample.agnostic.as_ref(), &drawn.agnostic),
        ("densepose", sample.densepose.as_ref(), &drawn.densepose),
    ] {
        let pairs = read.unwrap().iter().zip(drawn.iter());
        let total: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = total as f64 / drawn.len() as f64;
        assert!(mean < 4.0, "{name}: mean difference {mean}");
    }
    let garment = sample.reference_mask.unwrap();
    let wrong = garment
        .iter()
        .zip(drawn.garment_mask.iter())
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(
        wrong, 0,
        "the threshold undoes what JPEG adds to the cloth mask"
    );
}

#[test]
fn an_unpaired_sample_has_another_garment_and_no_ground_truth() {
    let dir = folder();
    write_pairs(
        &dir,
        "00002_00.jpg 00000_00.jpg\r\n\r\n00000_00.jpg 00001_00.jpg\r\n",
    );
    let dataset = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    assert_eq!(dataset.ids(), ["00000_00_00001_00", "00002_00_00000_00"]);
    let sample = dataset.load(0).unwrap();
    let own = paired(&dir).load_parts(0, &[Part::GroundTruth]).unwrap();
    assert!(sample.image == own.image, "the person");
    assert!(sample.reference != own.reference, "the garment");
    assert!(sample.ground_truth.is_none() && own.ground_truth.is_some());
    let error = dataset.check(&[Part::GroundTruth]).unwrap_err().to_string();
    assert!(
        error.contains("00000_00_00001_00") && error.contains("ground_truth"),
        "{error}"
    );
}

#[test]
fn only_the_parts_asked_for_are_read() {
    let dir = folder();
    fs::remove_dir_all(dir.path().join("test/image-densepose")).unwrap();
    let dataset = paired(&dir);
    let sample = dataset.load_parts(0, &[Part::Agnostic]).unwrap();
    assert!(sample.agnostic.is_some() && sample.reference_mask.is_none());
    dataset.check(&[Part::Agnostic]).unwrap();
    assert!(dataset.load(0).unwrap().densepose.is_none());
    assert!(dataset.load_parts(0, &[Part::Densepose]).is_err());
}

#[test]
fn missing_files_are_counted_and_the_first_is_named() {
    let dir = folder();
    for name in [
        "agnostic-mask/00001_00_mask.png",
        "cloth/00001_00.jpg",
        "cloth/00002_00.jpg",
    ] {
        fs::remove_file(dir.path().join("test").join(name)).unwrap();
    }
    let error = paired(&dir).check(&[]).unwrap_err().to_string();
    let path = |name: &str| dir.path().join("test").join(name).display().to_string();
    assert_eq!(
        error,
        format!(
            "part `mask`: 1 of 3 files missing, first {}; part `reference`: 2 of 3 files missing, first {}",
            path("agnostic-mask/00001_00_mask.png"),
            path("cloth/00001_00.jpg")
        )
    );
    let error = paired(&dir).load(1).unwrap_err().to_string();
    assert!(
        error.contains("00001_00") && error.contains("cloth"),
        "{error}"
    );
}

/// The layout that `CatVTON`'s script reads: two folders of pictures, masks, and a list under another name.
#[test]
fn the_list_of_pairs_may_have_another_name() {
    let dir = folder();
    let unpaired = "00002_00.jpg 00000_00.jpg\n00000_00.jpg 00001_00.jpg\n";
    fs::remove_file(dir.path().join("test_pairs.txt")).unwrap();
    i2am_files::write_atomic(dir.path().join("test_pairs_unpaired.txt"), unpaired).unwrap();
    let test = dir.path().join("test");
    for entry in i2am_files::sorted_entries(&test).unwrap() {
        let name = entry.file_name().unwrap().to_str().unwrap();
        if !["image", "cloth", "agnostic-mask"].contains(&name) {
            fs::remove_dir_all(&entry).unwrap();
        }
    }
    let dataset = paired(&dir);
    assert_eq!(dataset.ids(), ["00000_00", "00002_00"]);
    dataset.check(&[Part::GroundTruth]).unwrap();
    assert!(dataset.load(0).unwrap().reference_mask.is_none());
    let unpaired = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    assert_eq!(unpaired.ids(), ["00000_00_00001_00", "00002_00_00000_00"]);

    // The published name goes first, and a list can be named.
    write_pairs(&dir, "00001_00.jpg 00000_00.jpg\n");
    assert_eq!(paired(&dir).ids(), ["00001_00"]);
    let named = |pairs: &str| {
        VitonHd::open(&VitonHdConfig {
            pairs: Some(pairs.to_owned()),
            ..config(dir.path(), Pairing::Paired)
        })
    };
    let chosen = named("test_pairs_unpaired.txt").unwrap();
    assert_eq!(chosen.ids(), ["00000_00", "00002_00"]);
    let error = named("../pairs.txt").unwrap_err().to_string();
    assert!(
        error.contains("pairs: expected the name of a file in `root`")
            && error.contains("`../pairs.txt`"),
        "{error}"
    );
    let error = named("none.txt").unwrap_err().to_string();
    assert!(error.contains("none.txt"), "{error}");
}

#[test]
fn other_spellings_of_two_folders_are_found() {
    let dir = folder();
    let test = dir.path().join("test");
    fs::rename(test.join("agnostic-v3.2"), test.join("agnostic")).unwrap();
    fs::rename(test.join("cloth-mask"), test.join("cloth_mask")).unwrap();
    paired(&dir).check(&Part::ALL).unwrap();
}

#[test]
fn a_mask_of_another_size_is_refused_with_both_sizes() {
    let dir = folder();
    let path = dir.path().join("test/agnostic-mask/00000_00_mask.png");
    write_png_gray(&path, &GrayImage::new(96, 128)).unwrap();
    let error = paired(&dir).load(0).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "sample `00000_00`: {}: expected `mask` to have the size of `image`, 64 x 48 (height x width), found 128 x 96",
            path.display()
        )
    );
}

#[test]
fn an_empty_mask_is_a_sample_like_any_other() {
    let dir = folder();
    let path = dir.path().join("test/agnostic-mask/00000_00_mask.png");
    write_png_gray(path, &GrayImage::new(48, 64)).unwrap();
    assert!(
        paired(&dir)
            .load(0)
            .unwrap()
            .mask
            .iter()
            .all(|&level| level == 0)
    );
}

#[test]
fn mask_levels_count_from_128_on() {
    let dir = folder();
    let path = dir.path().join("test/agnostic-mask/00000_00_mask.png");
    let ramp = GrayImage::from_fn(48, 64, |x, _| {
        image::Luma([[0, 127, 128, 255][x as usize % 4]])
    });
    write_png_gray(path, &ramp).unwrap();
    let mask = paired(&dir).load(0).unwrap().mask;
    assert_eq!(mask.as_raw()[..4], [0, 0, 255, 255]);
}

#[test]
fn a_damaged_picture_is_named_with_its_sample() {
    let dir = folder();
    let path = dir.path().join("test/image/00002_00.jpg");
    let bytes = fs::read(&path).unwrap();
    i2am_files::write_atomic(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = paired(&dir).load(2).unwrap_err().to_string();
    assert!(
        error.starts_with("sample `00002_00`: part `image`: "),
        "{error}"
    );
    assert!(error.contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_missing_or_odd_pairs_file_is_an_error_that_names_it() {
    let dir = folder();
    write_pairs(&dir, "\n00000_00.jpg 00001_00.jpg\n00001_00.jpg\n");
    let error = opening_error(&dir, Pairing::Paired);
    assert!(
        error.contains("test_pairs.txt: line 3") && error.contains("`00001_00.jpg`"),
        "{error}"
    );
    write_pairs(&dir, "../secret.jpg 00001_00.jpg\n");
    assert!(opening_error(&dir, Pairing::Paired).contains("line 1"));
    write_pairs(
        &dir,
        "00001_00.jpg 00000_00.jpg\n00001_00.jpg 00002_00.jpg\n",
    );
    let error = opening_error(&dir, Pairing::Paired);
    assert!(
        error.contains("line 2") && error.contains("also on line 1"),
        "{error}"
    );
    // Unpaired, these are two samples.
    assert_eq!(
        VitonHd::open(&config(dir.path(), Pairing::Unpaired))
            .unwrap()
            .ids()
            .len(),
        2
    );
    write_pairs(&dir, "\n");
    assert!(opening_error(&dir, Pairing::Paired).contains("at least one sample"));
    fs::remove_file(dir.path().join("test_pairs.txt")).unwrap();
    assert!(opening_error(&dir, Pairing::Paired).contains("test_pairs.txt"));
}

#[test]
fn a_pairs_file_of_any_editor_lists_the_same_samples() {
    let dir = folder();
    let pairs = "00002_00.jpg 00000_00.jpg\n\n00000_00.jpg\t00001_00.jpg \n";
    for text in [
        format!("\u{feff}{pairs}"),
        format!("\u{feff}{}", pairs.replace('\n', "\r\n")),
        pairs.replace('\n', "\r"),
    ] {
        write_pairs(&dir, &text);
        let dataset = paired(&dir);
        assert_eq!(dataset.ids(), ["00000_00", "00002_00"], "{text:?}");
        dataset.check(&[]).unwrap();
    }
    // A mark that is no first character is part of a name, and can be seen.
    write_pairs(&dir, "00000_00.jpg \u{feff}00001_00.jpg x\n");
    let error = opening_error(&dir, Pairing::Paired);
    assert!(
        error.contains("line 1") && error.contains(r"\u{feff}"),
        "{error}"
    );
}

#[test]
fn a_split_is_the_name_of_a_folder() {
    let dir = folder();
    let split = |split: &str| {
        let split = split.to_owned();
        VitonHd::open(&VitonHdConfig {
            split,
            ..config(dir.path(), Pairing::Paired)
        })
    };
    assert!(
        split("train")
            .unwrap_err()
            .to_string()
            .contains("train_pairs.txt")
    );
    let error = split("../test").unwrap_err().to_string();
    assert!(
        error.contains("split: expected the name of a split") && error.contains("`../test`"),
        "{error}"
    );
}

#[test]
fn a_limit_keeps_the_first_samples() {
    let dir = folder();
    let limited = |limit| {
        VitonHd::open(&VitonHdConfig {
            limit: Some(limit),
            ..config(dir.path(), Pairing::Paired)
        })
    };
    assert_eq!(limited(2).unwrap().ids(), ["00000_00", "00001_00"]);
    assert_eq!(limited(9).unwrap().ids().len(), 3);
    assert!(matches!(limited(0), Err(DatasetError::Empty { .. })));
    assert!(matches!(
        limited(2).unwrap().load(2),
        Err(DatasetError::NoSample { index: 2, count: 2 })
    ));
}

#[test]
fn the_index_hash_tells_datasets_apart_but_not_places() {
    let (dir, copy) = (folder(), folder());
    let hash = paired(&dir).index_sha256();
    assert_eq!(hash, paired(&copy).index_sha256());
    let unpaired = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    assert_ne!(hash, unpaired.index_sha256());
    fs::remove_file(dir.path().join("test/cloth/00002_00.jpg")).unwrap();
    assert_ne!(hash, paired(&dir).index_sha256());
}

#[test]
fn warped_garments_follow_the_pairing() {
    let dir = folder();
    let unpaired = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    let folder_of = |dataset: &VitonHd, part| {
        let path = dataset.path(0, part).unwrap();
        let folder = path.parent().unwrap().file_name().unwrap();
        (folder.to_owned(), path.file_name().unwrap().to_owned())
    };
    let person = "00000_00.jpg".into();
    assert_eq!(
        folder_of(&paired(&dir), Part::Warped),
        ("cloth-warp".into(), person)
    );
    let (folder, file) = folder_of(&unpaired, Part::WarpedMask);
    assert_eq!(
        (folder, file),
        ("unpaired-cloth-warp-mask".into(), "00000_00.jpg".into())
    );
    let parts = [Part::Warped, Part::WarpedMask];
    let own = paired(&dir).load_parts(0, &parts).unwrap();
    let other = unpaired.load_parts(0, &parts).unwrap();
    assert!(own.warped.unwrap() != other.warped.unwrap());
}

#[test]
fn parse_maps_are_read_as_labels_and_joints_as_points() {
    let dir = folder();
    let parts = [Part::Parse, Part::AgnosticParse, Part::Pose];
    let sample = paired(&dir).load_parts(1, &parts).unwrap();
    let drawn = render_further(7, 1, 1, 64, 48);
    assert!(sample.parse.unwrap() == drawn.parse);
    assert!(sample.agnostic_parse.unwrap() == drawn.agnostic_parse);
    assert_eq!(sample.pose.unwrap(), drawn.pose);
    assert!(sample.densepose.is_none() && sample.warped.is_none());
}

#[test]
fn correspondences_follow_the_pairing_and_need_their_folder() {
    let dir = folder();
    let unpaired = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    let parts = [Part::Correspondence];
    let own = paired(&dir).load_parts(0, &parts).unwrap().correspondence;
    let other = unpaired.load_parts(0, &parts).unwrap().correspondence;
    assert_eq!(own, Some(render_further(7, 0, 0, 64, 48).correspondence));
    assert!(own != other && other.is_some_and(|other| other.known() > 100));

    let places = dir.path().join("test/correspondence");
    fs::copy(
        dir.path().join("test/agnostic-mask/00001_00_mask.png"),
        places.join("00001_00.png"),
    )
    .unwrap();
    let error = paired(&dir).load_parts(1, &parts).unwrap_err();
    assert!(
        error.to_string().contains("three channels of 16 bits"),
        "{error}"
    );
    fs::remove_dir_all(places).unwrap();
    let without = paired(&dir);
    assert_eq!(without.path(0, Part::Correspondence), None);
    assert!(without.load(0).unwrap().correspondence.is_none());
    let error = without.load_parts(0, &parts).unwrap_err().to_string();
    assert!(error.contains("only the drawn data set `synth`"), "{error}");
}

#[test]
fn bad_parse_maps_and_joints_are_named() {
    let dir = folder();
    let test = dir.path().join("test");
    let parse = test.join("image-parse-v3/00000_00.png");
    let refused = |part| {
        let error = paired(&dir).load_parts(0, &[part]).unwrap_err();
        error.to_string()
    };
    write_png_gray(&parse, &GrayImage::from_pixel(48, 64, image::Luma([20]))).unwrap();
    let error = refused(Part::Parse);
    assert!(
        error.contains("expected labels below 20, found 20"),
        "{error}"
    );
    fs::copy(test.join("image/00000_00.jpg"), &parse).unwrap();
    assert!(refused(Part::Parse).contains("a PNG of labels"));
    let joints = test.join("openpose_json/00000_00_keypoints.json");
    i2am_files::write_atomic(&joints, r#"{"people": []}"#).unwrap();
    let error = refused(Part::Pose);
    assert!(
        error.contains("00000_00_keypoints.json") && error.contains("expected a person"),
        "{error}"
    );
}

/// `-` comes before `.`, so the order of file names is not that of ids.
#[test]
fn ids_are_sorted_even_where_file_names_are_not() {
    let dir = folder();
    write_pairs(&dir, "a-1.jpg b.jpg\na.jpg b.jpg\na.b.jpg c.jpg\n");
    assert_eq!(paired(&dir).ids(), ["a", "a-1", "a.b"]);
    let unpaired = VitonHd::open(&config(dir.path(), Pairing::Unpaired)).unwrap();
    assert_eq!(unpaired.ids(), ["a-1_b", "a.b_c", "a_b"]);
    for (index, id) in unpaired.ids().iter().enumerate() {
        assert_eq!(unpaired.position(id), Some(index));
        let image = unpaired.path(index, Part::Image).unwrap();
        let stem = image.file_stem().unwrap().to_str().unwrap();
        assert!(id.starts_with(&format!("{stem}_")), "{id}: {stem}");
    }
    assert_eq!(unpaired.position("a"), None);
}

proptest! {
    #[test]
    fn pairs_come_out_sorted_and_unique_or_as_an_error(text in "([ab.-]{1,3}[ \n]){0,12}|([ab./]{1,3}[ \n]){0,12}") {
        let path = Path::new("pairs.txt");
        for pairing in [Pairing::Paired, Pairing::Unpaired] {
            let read = pairs::parse(path, &text, pairing);
            if let Ok((ids, pairs)) = read.and_then(|listed| ids::checked(path, listed, None)) {
                prop_assert!(ids.is_sorted_by(|a, b| a < b), "{:?}", ids);
                for (id, Pair { person, cloth }) in ids.iter().zip(&pairs) {
                    prop_assert!(id.starts_with(ids::stem(person)), "{} {}", id, person);
                    for name in [person, cloth] {
                        prop_assert!(!name.contains('/') && !name.starts_with('.'));
                    }
                }
            }
        }
    }
}
