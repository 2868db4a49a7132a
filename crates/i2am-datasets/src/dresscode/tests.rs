use std::fs;

use i2am_imaging::{GrayImage, RgbImage, write_png_gray, write_png_rgb};
use tempfile::TempDir;

use super::*;

/// Two persons of 8 x 6 in every category, `10_0` and `11_0` in the first, each with its own garment and, unpaired, the other one.
fn tree() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (number, folder) in Category::All.folders().iter().enumerate() {
        let folder = dir.path().join(folder);
        let names = [0, 1].map(|index| format!("{}", 10 * (number + 1) + index));
        for (index, name) in names.iter().enumerate() {
            let shade = (20 * number + 5 * index) as u8;
            for (kind, shade) in [(0, shade), (1, shade + 100)] {
                let picture = RgbImage::from_pixel(6, 8, image::Rgb([shade; 3]));
                // A reader goes by content, so a PNG may be called JPEG.
                let path = folder.join(format!("images/{name}_{kind}.jpg"));
                write_png_rgb(path, &picture).unwrap();
            }
            let mask = GrayImage::from_fn(6, 8, |x, _| image::Luma([255 * u8::from(x < 3)]));
            write_png_gray(folder.join(format!("agnostic_masks/{name}_0.png")), &mask).unwrap();
        }
        let [a, b] = names;
        let paired = format!("{b}_0.jpg {b}_1.jpg\n{a}_0.jpg {a}_1.jpg\n");
        let unpaired = format!("{b}_0.jpg\t{a}_1.jpg\n{a}_0.jpg\t{b}_1.jpg\n");
        for (name, text) in [("paired", paired), ("unpaired", unpaired)] {
            let path = folder.join(format!("test_pairs_{name}.txt"));
            i2am_files::write_atomic(path, text).unwrap();
        }
    }
    dir
}

fn config(dir: &TempDir, category: Category, pairing: Pairing) -> DressCodeConfig {
    DressCodeConfig {
        category,
        pairing,
        ..DressCodeConfig::new(dir.path())
    }
}

fn open(dir: &TempDir, category: Category, pairing: Pairing) -> DressCode {
    DressCode::open(&config(dir, category, pairing)).unwrap()
}

fn refused(dir: &TempDir, category: Category) -> String {
    let opened = DressCode::open(&config(dir, category, Pairing::Paired));
    opened.unwrap_err().to_string()
}

#[test]
fn a_paired_sample_has_its_own_garment_and_a_ground_truth() {
    let dir = tree();
    let dataset = open(&dir, Category::All, Pairing::Paired);
    let ids = ["10_0", "11_0", "20_0", "21_0", "30_0", "31_0"];
    assert_eq!(dataset.ids(), ids);
    dataset.check(&[Part::GroundTruth]).unwrap();
    let sample = dataset.load(3).unwrap();
    assert_eq!(sample.id, "21_0");
    assert_eq!(sample.image.get_pixel(0, 0).0, [25; 3]);
    assert_eq!(sample.reference.get_pixel(0, 0).0, [125; 3]);
    assert!(sample.ground_truth.as_ref() == Some(&sample.image));
    assert_eq!(sample.mask.get_pixel(2, 0).0, [255]);
    assert_eq!(sample.mask.get_pixel(3, 0).0, [0]);
    assert!(sample.reference_mask.is_none());
}

#[test]
fn an_unpaired_sample_has_the_garment_of_its_line_and_no_ground_truth() {
    let dir = tree();
    let dataset = open(&dir, Category::Dresses, Pairing::Unpaired);
    assert_eq!(dataset.ids(), ["30_0_31_1", "31_0_30_1"]);
    let sample = dataset.load(0).unwrap();
    assert_eq!(sample.image.get_pixel(0, 0).0, [40; 3]);
    assert_eq!(sample.reference.get_pixel(0, 0).0, [145; 3]);
    assert!(sample.ground_truth.is_none());
    let error = dataset.check(&[Part::GroundTruth]).unwrap_err().to_string();
    assert!(
        error.contains("30_0_31_1") && error.contains("an unpaired sample has no photograph"),
        "{error}"
    );
}

#[test]
fn a_category_needs_its_own_folder_only() {
    let dir = tree();
    for other in ["upper_body", "dresses"] {
        fs::remove_dir_all(dir.path().join(other)).unwrap();
    }
    let lower = open(&dir, Category::LowerBody, Pairing::Paired);
    assert_eq!(lower.ids(), ["20_0", "21_0"]);
    let error = refused(&dir, Category::All);
    assert!(error.contains("upper_body") && error.contains("test_pairs_paired.txt"));
}

#[test]
fn garment_masks_are_found_in_either_folder() {
    let dir = tree();
    for (category, folder) in [
        (Category::UpperBody, "upper_body/masks"),
        (Category::LowerBody, "lower_body/cloth_mask"),
    ] {
        let dataset = open(&dir, category, Pairing::Paired);
        assert!(dataset.check(&[Part::ReferenceMask]).is_err(), "{folder}");
        for id in dataset.ids() {
            let name = format!("{}_1.png", id.trim_end_matches("_0"));
            let path = dir.path().join(folder).join(name);
            write_png_gray(path, &GrayImage::from_pixel(6, 8, image::Luma([255]))).unwrap();
        }
        dataset.check(&[Part::ReferenceMask]).unwrap();
        assert!(dataset.load(1).unwrap().reference_mask.is_some());
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let dir = tree();
    let dataset = open(&dir, Category::All, Pairing::Paired);
    let error = dataset.check(&[Part::Densepose]).unwrap_err().to_string();
    assert!(error.contains("`densepose`") && error.contains("not in the form of VITON-HD"));
    let mask = dir.path().join("lower_body/agnostic_masks/20_0.png");
    fs::remove_file(&mask).unwrap();
    let error = dataset.check(&[]).unwrap_err().to_string();
    let expected = format!(
        "part `mask`: 1 of 6 files missing, first {}",
        mask.display()
    );
    assert_eq!(error, expected);

    let list = dir.path().join("dresses/test_pairs_paired.txt");
    let with = |text: &str| {
        i2am_files::write_atomic(&list, text).unwrap();
        refused(&dir, Category::All)
    };
    let error = with("30_0.jpg 30_1.jpg\n../31_0.jpg 31_1.jpg\n");
    assert!(
        error.contains("dresses") && error.contains("line 2"),
        "{error}"
    );
    let error = with("30_0.jpg 30_1.jpg\n11_0.jpg 30_1.jpg\n");
    assert!(
        error.contains("line 2: expected every id in one category")
            && error.contains("11_0")
            && error.contains("also in upper_body"),
        "{error}"
    );
    assert!(with("\n").contains("at least one sample"));
}

#[test]
fn the_list_hash_tells_pairings_and_categories_apart() {
    let dir = tree();
    let hash = |category, pairing| open(&dir, category, pairing).list_sha256();
    let all = hash(Category::All, Pairing::Paired);
    assert_ne!(all, hash(Category::All, Pairing::Unpaired));
    assert_ne!(all, hash(Category::Dresses, Pairing::Paired));
    let limited = DressCodeConfig {
        limit: Some(3),
        ..config(&dir, Category::All, Pairing::Paired)
    };
    let limited = DressCode::open(&limited).unwrap();
    assert_eq!(limited.ids(), ["10_0", "11_0", "20_0"]);
}
