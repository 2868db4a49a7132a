//! Color maps (fixture `colormap`), overlays and the sheet of pictures.

use std::path::Path;

use i2am_imaging::{Cell, CellSize, ColorMap, PictureGrid, Plane, RgbImage, colored, overlay};
use i2am_testkit::fixtures;
use proptest::prelude::*;

const RED: [u8; 3] = [200, 10, 20];

fn flat(height: u32, width: u32, color: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, color.into())
}

/// The pixels of `color`: left, top, right, bottom of their rectangle, and how many there are.
fn place_of(sheet: &RgbImage, color: [u8; 3]) -> ([u32; 4], usize) {
    let places: Vec<_> = sheet
        .enumerate_pixels()
        .filter(|(.., pixel)| pixel.0 == color)
        .map(|(x, y, _)| (x, y))
        .collect();
    let left = places
        .iter()
        .map(|place| place.0)
        .min()
        .expect("the color is on the sheet");
    let right = places.iter().map(|place| place.0).max().expect("as above");
    let top = places.iter().map(|place| place.1).min().expect("as above");
    let bottom = places.iter().map(|place| place.1).max().expect("as above");
    ([left, top, right + 1, bottom + 1], places.len())
}

#[test]
fn color_maps_equal_matplotlib() {
    let committed = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    for fixture in fixtures(committed, "colormap") {
        let expected = fixture.tensors("expected");
        for (map, name, allowed) in [
            (ColorMap::Inferno, "inferno", 1),
            (ColorMap::Viridis, "viridis", 1),
            (ColorMap::Turbo, "turbo", 32),
            (ColorMap::Jet, "jet", 0),
        ] {
            let table = expected.u8(name);
            for (index, want) in table.chunks_exact(3).enumerate() {
                let got = map.rgb((index as f32 + 0.5) / 256.0);
                let off = got.iter().zip(want).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(
                    off.is_some_and(|off| off <= allowed),
                    "{name}[{index}]: found {got:?}, expected {want:?}"
                );
            }
        }
    }
}

#[test]
fn values_outside_take_the_ends() {
    for map in ColorMap::ALL {
        assert_eq!(map.rgb(-0.1), map.rgb(0.0));
        assert_eq!(map.rgb(f32::NAN), map.rgb(0.0));
        assert_eq!(map.rgb(1.0), map.rgb(255.0 / 256.0));
        assert_eq!(map.rgb(7.0), map.rgb(1.0));
        assert_ne!(map.rgb(0.0), map.rgb(1.0));
        let lookup = map.lookup();
        assert!(
            [-1.0, 0.0, 0.3, 0.7, 1.0]
                .iter()
                .all(|&value| lookup(value) == map.rgb(value))
        );
    }
}

#[test]
fn the_default_map_gets_lighter_all_the_way() {
    let lightness = |index: u8| {
        let [r, g, b] = ColorMap::default()
            .rgb(f32::from(index) / 255.0)
            .map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b
    };
    // In steps that rounding to levels cannot turn around.
    let steps: Vec<f64> = (0..=255).step_by(5).map(lightness).collect();
    assert!(steps.is_sorted(), "{steps:?}");
}

#[test]
fn colors_cover_a_picture_by_strength_times_value() {
    let base = flat(8, 6, RED);
    let map = Plane::from_fn(8, 6, |r, c| (r + c) as f32 / 12.0);
    assert_eq!(overlay(&base, &map, ColorMap::Jet, 0.0), base);
    let full = Plane::filled(8, 6, 1.0);
    assert_eq!(
        overlay(&base, &full, ColorMap::Jet, 1.0),
        colored(&full, ColorMap::Jet)
    );
    let one = |value: f32, strength: f32| {
        let map = Plane::filled(1, 1, value);
        let over = overlay(&flat(1, 1, [10, 20, 30]), &map, ColorMap::Inferno, strength);
        over.get_pixel(0, 0).0
    };
    // Where nothing is attributed the picture is as bright as before.
    assert_eq!(one(0.0, 1.0), [10, 20, 30]);
    let [r, g, b] = ColorMap::Inferno.rgb(0.5);
    let mixed =
        |color: u8, level: u8| (f32::from(color) * 0.4 + f32::from(level) * 0.6).round() as u8;
    assert_eq!(one(0.5, 0.8), [mixed(r, 10), mixed(g, 20), mixed(b, 30)]);
}

#[test]
fn a_coarse_map_is_brought_to_the_size_of_the_picture() {
    let map = Plane::from_fn(2, 1, |r, _| r as f32);
    let over = overlay(&flat(40, 20, RED), &map, ColorMap::Viridis, 1.0);
    assert_eq!(over.dimensions(), (20, 40));
    assert_eq!(over.get_pixel(10, 0).0, RED);
    assert_eq!(over.get_pixel(10, 39).0, ColorMap::Viridis.rgb(1.0));
    assert_eq!(
        overlay(&RgbImage::new(0, 0), &map, ColorMap::Jet, 0.5).dimensions(),
        (0, 0)
    );
}

#[test]
fn a_picture_lies_unchanged_under_its_caption() {
    let mut grid = PictureGrid::new();
    grid.row(
        "",
        CellSize::Native,
        [
            Cell::new("a", flat(30, 50, [0, 90, 0])),
            Cell::new("b c", flat(20, 10, RED)),
        ],
    );
    let sheet = grid.render();
    let ([left, top, right, bottom], count) = place_of(&sheet, RED);
    assert_eq!((right - left, bottom - top, count), (10, 20, 200));
    let ([green_left, green_top, green_right, _], _) = place_of(&sheet, [0, 90, 0]);
    assert_eq!(top, green_top, "pictures of a row start at the same height");
    assert!(green_right < left && right < sheet.width() && bottom < sheet.height());
    let ink = |x0, x1| (x0..x1).any(|x| (0..top - 2).any(|y| sheet.get_pixel(x, y).0[0] < 100));
    assert!(
        ink(green_left, green_left + 12),
        "the caption starts where its picture does"
    );
    assert!(
        ink(left, left + 28),
        "a caption may be wider than its picture"
    );
    assert!(!ink(green_left + 12, left), "no words between the captions");
}

#[test]
fn pictures_are_scaled_as_asked() {
    let size_of = |size| {
        let mut grid = PictureGrid::new();
        grid.row("title", size, [Cell::new("", flat(12, 8, RED))]);
        let ([left, top, right, bottom], count) = place_of(&grid.render(), RED);
        assert_eq!(
            count as u32,
            (right - left) * (bottom - top),
            "filled without holes"
        );
        (bottom - top, right - left)
    };
    assert_eq!(size_of(CellSize::Native), (12, 8));
    assert_eq!(size_of(CellSize::Times(3)), (36, 24));
    assert_eq!(size_of(CellSize::Height(24)), (24, 16));
    assert_eq!(size_of(CellSize::Height(9)), (9, 6));
    assert_eq!(size_of(CellSize::Times(0)), (12, 8));
    assert_eq!(size_of(CellSize::Height(0)), (1, 1));
}

#[test]
fn a_whole_multiple_keeps_every_pixel_a_square() {
    let mut picture = flat(2, 2, [0, 90, 0]);
    picture.put_pixel(1, 0, RED.into());
    for size in [CellSize::Times(10), CellSize::Height(20)] {
        let mut grid = PictureGrid::new();
        grid.row("", size, [Cell::new("x", picture.clone())]);
        let ([left, top, right, bottom], count) = place_of(&grid.render(), RED);
        assert_eq!((right - left, bottom - top, count), (10, 10, 100));
    }
}

#[test]
fn notes_stand_below_all_pictures_in_lines_as_wide_as_the_sheet() {
    let mut grid = PictureGrid::new();
    grid.row("", CellSize::Native, [Cell::new("", flat(40, 90, RED))]);
    let alone = grid.render();
    let noted = grid.note("words that are wider than the picture").render();
    assert_eq!(noted.width(), alone.width());
    let inked = |y: u32| (0..noted.width()).any(|x| noted.get_pixel(x, y).0[0] < 100);
    let below: Vec<bool> = (alone.height()..noted.height()).map(inked).collect();
    let lines = below.windows(2).filter(|rows| !rows[0] && rows[1]).count();
    assert!(lines > 1, "{lines} lines");
    for (x, y, pixel) in alone.enumerate_pixels() {
        assert!(y + 12 > alone.height() || noted.get_pixel(x, y) == pixel);
    }
}

/// Two groups of three pictures share a line as long as it is no wider than the row above; a wider group is broken.
#[test]
fn groups_share_a_line_where_there_is_room_and_break_where_there_is_none() {
    let cells = |count: usize, color| vec![Cell::new("", flat(20, 100, color)); count];
    let place_with = |second: usize| {
        let mut grid = PictureGrid::new();
        grid.row(
            "",
            CellSize::Native,
            [Cell::new("", flat(10, 700, [0, 0, 200]))],
        )
        .group("a", CellSize::Native, cells(3, [0, 90, 0]))
        .group("b", CellSize::Native, cells(second, RED));
        let sheet = grid.render();
        let (first, _) = place_of(&sheet, [0, 90, 0]);
        let (second, count) = place_of(&sheet, RED);
        assert!(sheet.width() < 740, "as wide as the row");
        (first, second, count)
    };
    let (first, second, count) = place_with(3);
    assert_eq!((first[1], first[3]), (second[1], second[3]), "one line");
    assert!(second[0] > first[2] && count == 3 * 2000);
    let (first, second, count) = place_with(4);
    assert!(second[1] > first[3] && count == 4 * 2000, "the next line");
    let (_, second, count) = place_with(8);
    assert!(second[3] - second[1] > 40 && count == 8 * 2000, "two lines");
}

#[test]
fn sheets_without_pictures_are_blank_paper() {
    let mut grid = PictureGrid::new();
    assert!(grid.render().pixels().all(|pixel| pixel.0 == [255; 3]));
    grid.row(
        "",
        CellSize::Height(64),
        [Cell::new("", RgbImage::new(0, 0))],
    )
    .row("", CellSize::Native, []);
    assert!(grid.render().width() > 0);
}

proptest! {
    #[test]
    fn an_overlay_lies_between_the_picture_and_the_colors(
        level in 0_u8..,
        value in 0.0_f32..1.0,
        strength in -0.5_f32..1.5,
    ) {
        let over = overlay(&flat(1, 1, [level; 3]), &Plane::filled(1, 1, value), ColorMap::Turbo, strength);
        for (mixed, color) in over.get_pixel(0, 0).0.into_iter().zip(ColorMap::Turbo.rgb(value)) {
            prop_assert!(mixed >= level.min(color) && mixed <= level.max(color));
        }
    }
}
