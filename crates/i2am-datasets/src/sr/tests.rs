use std::fs;
use std::path::Path;

use i2am_imaging::{RgbImage, pillow_bicubic_rgb, read_rgb, write_jpeg_rgb, write_png_rgb};
use image::Rgb;

use super::{Sr, SrConfig};
use crate::{Dataset, DatasetError, Goal, Layout, Part, Sample};

/// A picture of its own for each `seed`.
fn picture(seed: u32, height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let level = |k: u32| ((x * (k + 3) + y * (seed + k) + 40 * seed) % 256) as u8;
        Rgb([level(0), level(1), level(2)])
    })
}

fn config(folder: &Path, text: &str) -> SrConfig {
    let mut config: SrConfig = toml::from_str(text).unwrap();
    config.resolve(folder);
    config
}

fn opened(folder: &Path, text: &str) -> Result<Sr, DatasetError> {
    Sr::open(&config(folder, text), &folder.join("generated"), &|_| {})
}

#[track_caller]
fn refused<T>(result: Result<T, DatasetError>, words: &[&str]) {
    let Err(error) = result else {
        panic!("expected an error with {words:?}")
    };
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    for word in words {
        assert!(message.contains(word), "expected `{word}` in: {message}");
    }
}

/// Three pictures in `high`, of sizes that are multiples of 8, of 4 and of nothing.
fn highs(folder: &Path) {
    for (name, seed, [height, width]) in
        [("b", 1, [40, 24]), ("a", 2, [36, 28]), ("c", 3, [51, 39])]
    {
        write_png_rgb(
            folder.join(format!("high/{name}.png")),
            &picture(seed, height, width),
        )
        .unwrap();
    }
}

fn loaded(set: &Sr) -> Vec<Sample> {
    (0..set.ids().len())
        .map(|index| set.load(index).unwrap())
        .collect()
}

fn size(picture: &RgbImage) -> [u32; 2] {
    [picture.height(), picture.width()]
}

#[test]
fn a_bicubic_set_has_both_pictures_and_everything_is_generated() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    highs(folder);
    i2am_files::write_atomic(folder.join("high/notes.txt"), "no picture").unwrap();
    let set = opened(folder, "high = 'high'").unwrap();
    assert_eq!(set.ids(), ["a", "b", "c"]);
    assert_eq!(set.goal(), Goal::Enlarge { scale: 4 });
    set.check(&[Part::GroundTruth]).unwrap();
    let samples = loaded(&set);
    let sizes: Vec<_> = samples
        .iter()
        .map(|s| size(s.ground_truth.as_ref().unwrap()))
        .collect();
    assert_eq!(
        sizes,
        [[32, 24], [40, 24], [48, 32]],
        "cut to multiples of 8"
    );
    for sample in &samples {
        let high = sample.ground_truth.as_ref().unwrap();
        let [height, width] = size(high).map(|side| side as usize);
        assert_eq!(
            sample.reference,
            pillow_bicubic_rgb(high, height / 4, width / 4)
        );
        assert_eq!(
            sample.image,
            pillow_bicubic_rgb(&sample.reference, height, width)
        );
        assert_eq!(sample.mask.dimensions(), high.dimensions());
        assert!(sample.mask.iter().all(|level| *level == 255));
    }
    let whole = read_rgb(folder.join("high/c.png")).unwrap();
    assert_eq!(
        samples[2].ground_truth.as_ref().unwrap().get_pixel(31, 47),
        whole.get_pixel(31, 47)
    );
}

#[test]
fn what_is_cut_off_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    highs(folder);
    let centre = opened(folder, "high = 'high'\ncrop = 'centre'").unwrap();
    let whole = read_rgb(folder.join("high/c.png")).unwrap();
    let cut = centre.load(2).unwrap().ground_truth.unwrap();
    // 3 rows and 7 columns too many.
    assert_eq!(
        (size(&cut), cut.get_pixel(0, 0)),
        ([48, 32], whole.get_pixel(3, 1))
    );
    let center = opened(folder, "high = 'high'\ncrop = 'center'").unwrap();
    assert_eq!(center.decides(2), centre.decides(2), "both spellings");
    let none = opened(folder, "high = 'high'\ncrop = 'none'").unwrap();
    let words = ["sample `a`", "a.png", "multiples of 8", "36 x 28"];
    refused(none.check(&[]), &words);
    refused(none.load(0), &words);
    let by_three = opened(folder, "high = 'high'\nscale = 3").unwrap();
    assert_eq!(
        size(&by_three.load(2).unwrap().ground_truth.unwrap()),
        [48, 24]
    );
    let by_sixteen = opened(folder, "high = 'high'\nscale = 16").unwrap();
    assert_eq!(size(&by_sixteen.load(1).unwrap().reference), [2, 1]);
    write_png_rgb(folder.join("high/d.png"), &picture(4, 7, 90)).unwrap();
    let small = opened(folder, "high = 'high'").unwrap();
    refused(small.check(&[]), &["sample `d`", "at least 8", "7 x 90"]);
}

#[test]
fn degraded_pictures_do_not_depend_on_order_or_number() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    highs(folder);
    let text = "high = 'high'\n[degradation]\nkind = 'second-order'\nseed = 5";
    let set = opened(folder, text).unwrap();
    let all: Vec<RgbImage> = loaded(&set).into_iter().map(|s| s.reference).collect();
    assert_eq!(set.load(1).unwrap().reference, all[1]);
    let limited = opened(folder, &format!("limit = 2\n{text}")).unwrap();
    assert_eq!(limited.ids(), ["a", "b"]);
    assert_eq!(limited.load(1).unwrap().reference, all[1]);
    fs::remove_file(folder.join("high/a.png")).unwrap();
    assert_eq!(
        opened(folder, text).unwrap().load(0).unwrap().reference,
        all[1]
    );
    assert!(set.is_derived(Part::Reference) && set.path(1, Part::Reference).is_none());
}

#[test]
fn low_and_high_files_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, seed) in [("x", 1), ("y", 2)] {
        write_png_rgb(folder.join(format!("low/{name}.png")), &picture(seed, 9, 7)).unwrap();
        write_jpeg_rgb(
            folder.join(format!("other/high/{name}.JPG")),
            &picture(seed, 18, 14),
            95,
        )
        .unwrap();
    }
    let both = "low = 'low'\nhigh = 'other/high'\nscale = 2";
    let set = opened(folder, both).unwrap();
    set.check(&[Part::GroundTruth]).unwrap();
    let sample = set.load(1).unwrap();
    assert_eq!(sample.reference, picture(2, 9, 7));
    assert_eq!(
        sample.ground_truth,
        Some(read_rgb(folder.join("other/high/y.JPG")).unwrap())
    );
    assert!(set.load_parts(1, &[]).unwrap().ground_truth.is_none());
    let hash = set.index_sha256();

    let low = opened(folder, "low = 'low'\nscale = 2").unwrap();
    low.check(&[]).unwrap();
    assert!(low.load(0).unwrap().ground_truth.is_none());
    refused(
        low.load_parts(0, &[Part::GroundTruth]),
        &["no part `ground_truth`", "folder `high`"],
    );
    refused(low.check(&[Part::Pose]), &["no part `pose`"]);
    refused(low.load(2), &["below 2"]);
    assert_ne!(low.index_sha256(), hash);

    // Where the folders lie does not matter, what is in them does.
    fs::rename(folder.join("other/high"), folder.join("high")).unwrap();
    let moved = opened(folder, "low = 'low'\nhigh = 'high'\nscale = 2").unwrap();
    assert_eq!(moved.index_sha256(), hash);

    let scale = opened(folder, "low = 'low'\nhigh = 'high'").unwrap();
    let words = [
        "sample `x`",
        "x.JPG",
        "36 x 28",
        "4 times",
        "x.png",
        "found 18 x 14",
    ];
    refused(scale.check(&[]), &words);
    refused(scale.load(0), &words);
    assert!(
        scale.load_parts(0, &[]).is_ok(),
        "the low picture alone can be used"
    );
}

#[test]
fn folders_that_are_no_sets_are_refused_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(
        opened(folder, "high = 'high'"),
        &["cannot list folder", "high"],
    );
    fs::create_dir_all(folder.join("high/inner")).unwrap();
    refused(
        opened(folder, "high = 'high'"),
        &["high", "PNG or JPEG", "none"],
    );
    highs(folder);
    fs::create_dir_all(folder.join("low")).unwrap();
    for name in ["a", "b"] {
        write_png_rgb(folder.join(format!("low/{name}.png")), &picture(1, 4, 4)).unwrap();
    }
    let both = "low = 'low'\nhigh = 'high'";
    refused(opened(folder, both), &["low", "`c.png`", "high/c.png"]);
    for name in ["c", "d"] {
        write_png_rgb(folder.join(format!("low/{name}.png")), &picture(1, 4, 4)).unwrap();
    }
    refused(opened(folder, both), &["high", "`d.png`", "low/d.png"]);
    write_jpeg_rgb(folder.join("high/a.jpg"), &picture(1, 8, 8), 90).unwrap();
    refused(
        opened(folder, "high = 'high'"),
        &["one picture of each name", "`a.jpg` and `a.png`"],
    );
    fs::rename(folder.join("high/a.jpg"), folder.join("high/a.webp")).unwrap();
    refused(
        opened(folder, "high = 'high'"),
        &["`a.webp`", "convert it to PNG"],
    );
    fs::rename(folder.join("high/a.webp"), folder.join("high/what?.png")).unwrap();
    refused(
        opened(folder, "high = 'high'"),
        &["`what?.png`", "names that can be"],
    );
    fs::remove_file(folder.join("high/what?.png")).unwrap();
    refused(
        opened(folder, "high = 'high'\nlimit = 0"),
        &["high", "its limit is 0"],
    );
    i2am_files::write_atomic(folder.join("high/b.png"), "no picture").unwrap();
    let set = opened(folder, "high = 'high'").unwrap();
    refused(set.check(&[]), &["sample `b`", "b.png"]);
    refused(set.load(1), &["sample `b`", "b.png"]);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let synth = "synth = { seed = 1, count = 2, height = 32, width = 24 }";
    for (text, words) in [
        ("scale = 2", ["`low`, `high`", "none of them"]),
        (
            &format!("low = 'low'\n{synth}"),
            ["`synth` alone", "and a folder"],
        ),
        ("low = 'low'\ncrop = 'centre'", ["crop", "as they are"]),
        (
            "low = 'low'\n[degradation]\nkind = 'bicubic'",
            ["degradation", "as they are"],
        ),
        ("high = 'high'\nscale = 0", ["scale", "from 1 to 16"]),
        ("high = 'high'\nscale = 17", ["scale", "found 17"]),
    ] {
        refused(opened(folder, text), &words);
    }
    assert!(toml::from_str::<SrConfig>("high = 'high'\ncrop = 'middle'").is_err());
}

#[test]
fn a_drawn_set_needs_no_files_and_is_drawn_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = "synth = { seed = 7, count = 2, height = 64, width = 48 }";
    let set = opened(folder, text).unwrap();
    assert_eq!(set.ids(), ["00000", "00001"]);
    set.check(&[Part::GroundTruth]).unwrap();
    for (index, sample) in loaded(&set).into_iter().enumerate() {
        let drawn = i2am_synth::render(7, index as u64, 64, 48).person;
        assert_eq!(sample.reference, pillow_bicubic_rgb(&drawn, 16, 12));
        assert_eq!(sample.ground_truth, Some(drawn));
    }
    let file = set.path(0, Part::GroundTruth).unwrap();
    assert!(
        file.starts_with(folder.join("generated")),
        "{}",
        file.display()
    );
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    let again = opened(folder, text).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    assert_eq!(again.index_sha256(), set.index_sha256());
    refused(
        opened(
            folder,
            "synth = { seed = 7, count = 0, height = 64, width = 48 }",
        ),
        &["a count", "found 0"],
    );
}
