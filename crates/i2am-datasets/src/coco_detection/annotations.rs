//! The annotation file, and which object of each image is taken.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use i2am_imaging::BoundingBox;
use serde::Deserialize;

use crate::DatasetError;

/// What is read of an annotation file; the rest of it does not matter here.
#[derive(Debug, Deserialize)]
pub(super) struct AnnotationFile {
    pub(super) images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    id: Option<u64>,
    image_id: u64,
    /// Left, top, width, height in pixels.
    bbox: Vec<f64>,
}

/// Whole pixels of an image: at least one, all inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crop {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// An image and the object chosen in it.
#[derive(Clone, Debug)]
pub(super) struct Annotated {
    /// The image's id.
    pub(super) image: u64,
    /// Its file, relative to the folder of images.
    pub(super) file: String,
    /// Its height and width.
    pub(super) size: [usize; 2],
    /// The object's box as annotated.
    pub(super) bounds: BoundingBox,
    /// The same, edges cut down to whole pixels.
    pub(super) crop: Crop,
}

pub(super) fn read(path: &Path) -> Result<AnnotationFile, DatasetError> {
    let bytes = i2am_files::read(path)?;
    serde_json::from_slice(&bytes).map_err(|error| DatasetError::List {
        path: path.to_path_buf(),
        reason: error.to_string(),
    })
}

/// The first object of each image, in file order, that covers a share of it from `low` to `high`.
pub(super) fn choose(
    path: &Path,
    file: AnnotationFile,
    [low, high]: [f64; 2],
) -> Result<Vec<Annotated>, DatasetError> {
    let wrong = |entry: String, expected: &str, found: String| DatasetError::Entry {
        path: path.to_path_buf(),
        entry,
        expected: expected.to_owned(),
        found,
    };
    let mut images = BTreeMap::new();
    for image in file.images {
        let thing = || format!("image {}", image.id);
        let mut steps = Path::new(&image.file_name).components();
        let below = steps.all(|step| matches!(step, Component::Normal(_)));
        if image.file_name.is_empty() || !below {
            let expected = "a `file_name` below the folder of images";
            return Err(wrong(thing(), expected, format!("`{}`", image.file_name)));
        }
        if image.width == 0 || image.height == 0 {
            let found = format!("{} x {}", image.height, image.width);
            return Err(wrong(thing(), "a height and width of at least 1", found));
        }
        let id = image.id;
        if images.insert(id, (image, None)).is_some() {
            let thing = format!("image {id}");
            return Err(wrong(thing, "every image id once", "it twice".to_owned()));
        }
    }
    for annotation in &file.annotations {
        // Files for a subset of the images often keep the annotations of all.
        let Some((image, chosen @ None)) = images.get_mut(&annotation.image_id) else {
            continue;
        };
        let thing = || match annotation.id {
            Some(id) => format!("annotation {id} of image {}", image.id),
            None => format!("an annotation of image {}", image.id),
        };
        let &[x, y, width, height] = annotation.bbox.as_slice() else {
            let found = format!("{:?}", annotation.bbox);
            return Err(wrong(thing(), "a `bbox` of four numbers", found));
        };
        let bounds = BoundingBox {
            x,
            y,
            width,
            height,
        };
        let pixels = Pixels::of(&bounds);
        let area = f64::from(image.width) * f64::from(image.height);
        if !pixels.cover(low * area, high * area) {
            continue;
        }
        let Some(crop) = pixels.within(image.width, image.height) else {
            let expected = format!(
                "a `bbox` (left, top, width, height) inside the {} x {} image (height x width)",
                image.height, image.width
            );
            return Err(wrong(thing(), &expected, format!("{:?}", annotation.bbox)));
        };
        *chosen = Some((bounds, crop));
    }
    let taken = |(image, chosen): (Image, Option<(BoundingBox, Crop)>)| {
        let (bounds, crop) = chosen?;
        Some(Annotated {
            image: image.id,
            file: image.file_name,
            size: [image.height as usize, image.width as usize],
            bounds,
            crop,
        })
    };
    Ok(images.into_values().filter_map(taken).collect())
}

/// A box whose numbers are cut towards 0, as the published builder does before it looks at the area.
struct Pixels {
    left: i64,
    top: i64,
    width: i64,
    height: i64,
}

impl Pixels {
    fn of(bounds: &BoundingBox) -> Self {
        // `as` clamps what no picture is large enough for.
        let [left, top, width, height] =
            [bounds.x, bounds.y, bounds.width, bounds.height].map(|number| number as i32);
        Self {
            left: left.into(),
            top: top.into(),
            width: width.into(),
            height: height.into(),
        }
    }

    fn cover(&self, least: f64, most: f64) -> bool {
        let area = (self.width * self.height) as f64;
        self.width > 0 && self.height > 0 && least <= area && area <= most
    }

    /// None if more than a pixel of it lies outside; annotations are often off by a fraction of one.
    fn within(&self, width: u32, height: u32) -> Option<Crop> {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (width, height) = (i64::from(width), i64::from(height));
        let inside = self.left >= 0 && self.top >= 0 && right <= width + 1 && bottom <= height + 1;
        let side = |start: i64, end: i64| u32::try_from(end - start).ok().filter(|&side| side > 0);
        inside.then_some(())?;
        Some(Crop {
            left: u32::try_from(self.left).ok()?,
            top: u32::try_from(self.top).ok()?,
            width: side(self.left, right.min(width))?,
            height: side(self.top, bottom.min(height))?,
        })
    }
}
