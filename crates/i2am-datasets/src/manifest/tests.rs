use std::fs;

use i2am_imaging::{GrayImage, RgbImage, write_png_gray, write_png_rgb};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Pictures of 6 x 4 (height x width): `a.png`, `b.png`, `mask.png`; and `ref.png`, `refmask.png` of 5 x 5.
fn folder(csv: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_png_rgb(
        at("in/a.png"),
        &RgbImage::from_pixel(4, 6, image::Rgb([10, 20, 30])),
    )
    .unwrap();
    write_png_rgb(
        at("in/b.png"),
        &RgbImage::from_pixel(4, 6, image::Rgb([40, 50, 60])),
    )
    .unwrap();
    write_png_gray(
        at("mask.png"),
        &GrayImage::from_pixel(4, 6, image::Luma([255])),
    )
    .unwrap();
    write_png_rgb(at("ref.png"), &RgbImage::new(5, 5)).unwrap();
    write_png_gray(at("refmask.png"), &GrayImage::new(5, 5)).unwrap();
    i2am_files::write_atomic(at("list.csv"), csv).unwrap();
    dir
}

fn open(dir: &TempDir) -> Result<Manifest, DatasetError> {
    Manifest::open(&ManifestConfig::new(dir.path().join("list.csv")))
}

fn error(csv: &str) -> String {
    let dir = folder(csv);
    let error = open(&dir).unwrap_err().to_string();
    let path = dir.path().join("list.csv");
    error.replace(&path.display().to_string(), "LIST")
}

#[test]
fn columns_in_any_order_and_empty_optional_cells() {
    let dir = folder(
        "\u{feff}reference, mask,image,id,ground_truth,reference_mask\n\
         ref.png,mask.png,in/b.png,second,,\n\
         ref.png,mask.png,in/a.png,first,in/b.png,refmask.png\n",
    );
    let manifest = open(&dir).unwrap();
    assert_eq!(manifest.ids(), ["first", "second"]);
    manifest.check(&[]).unwrap();
    let first = manifest.load(0).unwrap();
    assert_eq!(first.image.get_pixel(0, 0).0, [10, 20, 30]);
    assert_eq!(first.ground_truth.unwrap().get_pixel(0, 0).0, [40, 50, 60]);
    assert_eq!(first.reference_mask.unwrap().dimensions(), (5, 5));
    let second = manifest.load(1).unwrap();
    assert!(second.ground_truth.is_none() && second.reference_mask.is_none());
    assert!(second.agnostic.is_none() && second.densepose.is_none());
}

#[test]
fn a_part_that_some_samples_lack_fails_the_check() {
    let dir = folder(
        "id,image,mask,reference,ground_truth\n\
         x,in/a.png,mask.png,ref.png,in/b.png\n\
         y,in/a.png,mask.png,ref.png,\n",
    );
    let manifest = open(&dir).unwrap();
    let error = manifest
        .check(&[Part::GroundTruth])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`y`") && error.contains("`ground_truth`") && error.contains("column"),
        "{error}"
    );
    assert!(matches!(
        manifest.load_parts(1, &[Part::GroundTruth]),
        Err(DatasetError::NoPart { .. })
    ));
}

#[test]
fn without_an_id_column_the_image_names_the_sample() {
    let dir =
        folder("image,mask,reference\nin/b.png,mask.png,ref.png\nin/a.png,mask.png,ref.png\n");
    assert_eq!(open(&dir).unwrap().ids(), ["a", "b"]);
}

#[test]
fn unknown_repeated_and_missing_columns_are_refused() {
    let known = "id, image, mask, reference, reference_mask, ground_truth, agnostic, densepose, \
         parse, agnostic_parse, pose, warped, warped_mask, correspondence";
    assert_eq!(
        error("image,mask,referense\n"),
        format!("LIST: line 1: expected each column to be one of {known}, found `referense`")
    );
    assert_eq!(
        error("\nimage,mask,image,reference\n"),
        "cannot read LIST: line 2: expected a name of its own for every column, found `image` for columns 1 and 3"
    );
    assert_eq!(
        error("image;mask;reference\na.png;b.png;c.png\n"),
        "cannot read LIST: line 1: expected columns separated by commas, found semicolons: `image;mask;reference`; export it with commas"
    );
    assert_eq!(
        error("image,reference\n"),
        "LIST: line 1: expected a column `mask`, found image, reference"
    );
}

#[test]
fn bad_rows_are_refused_with_their_line() {
    let head = "id,image,mask,reference\na,in/a.png,mask.png,ref.png\n";
    assert_eq!(
        error(&format!("{head}b,in/a.png,,ref.png\n")),
        "LIST: line 3: expected a file name in column `mask`, found an empty cell"
    );
    assert_eq!(
        error(&format!("{head}\nb,in/a.png,mask.png\n")),
        "cannot read LIST: line 4: expected 4 cells as in the header, found 3"
    );
    assert_eq!(
        error(&format!("{head}a,in/b.png,mask.png,ref.png\n")),
        "LIST: line 3: expected every id once, found `a` also on line 2"
    );
    let bad_id = error(&format!("{head}x/y,in/b.png,mask.png,ref.png\n"));
    assert!(
        bad_id.starts_with("LIST: line 3: ") && bad_id.contains("`x/y`"),
        "{bad_id}"
    );
    assert!(error("image,mask,reference\n").contains("at least one sample"));
}

#[test]
fn a_list_from_windows_is_the_same_list() {
    let dir = folder(
        "\u{feff}image,mask,reference\r\nin\\b.png,mask.png,ref.png\r\n\r\n,,\r\nin\\a.png,mask.png,ref.png\r\n",
    );
    let manifest = open(&dir).unwrap();
    assert_eq!(manifest.ids(), ["a", "b"]);
    manifest.check(&[]).unwrap();
}

#[test]
fn missing_files_and_sizes_are_found() {
    let dir = folder(
        "image,mask,reference\nin/a.png,refmask.png,ref.png\nin/b.png,nowhere.png,ref.png\n",
    );
    let manifest = open(&dir).unwrap();
    let error = manifest.check(&[]).unwrap_err().to_string();
    assert!(
        error.contains("`mask`") && error.contains("nowhere.png") && error.contains("1 of 2"),
        "{error}"
    );
    let error = manifest.load(0).unwrap_err().to_string();
    assert!(
        error.contains("6 x 4") && error.contains("5 x 5"),
        "{error}"
    );
    fs::remove_file(dir.path().join("list.csv")).unwrap();
    assert!(open(&dir).unwrap_err().to_string().contains("list.csv"));
}

#[test]
fn the_order_of_lines_does_not_change_the_dataset() {
    let rows = [
        "b,in/b.png,mask.png,ref.png\n",
        "a,in/a.png,mask.png,ref.png\n",
    ];
    let head = "id,image,mask,reference\n";
    let forth = folder(&[head, rows[0], rows[1]].concat());
    let back = folder(&[head, rows[1], rows[0]].concat());
    assert_eq!(
        open(&forth).unwrap().index_sha256(),
        open(&back).unwrap().index_sha256()
    );
}

proptest! {
    #[test]
    fn an_accepted_id_is_one_file_name(id in "[a./\\\\: é]{0,6}") {
        if ids::objection(&id).is_none() {
            let path = Path::new("results").join(format!("{id}.png"));
            prop_assert_eq!(path.parent(), Some(Path::new("results")));
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            prop_assert_eq!(stem, Some(id.as_str()));
        }
    }
}
