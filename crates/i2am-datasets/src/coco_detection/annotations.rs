//! Which object of each image is taken, and what of the file cannot be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use i2am_imaging::BoundingBox;

use super::Crowds;
use super::file::{Annotation, AnnotationFile, Image, id, number, shown, whole};
use crate::{DatasetError, ids};

/// Entries that are named one by one; the others are counted.
const NAMED: usize = 3;

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
    /// Its file, relative to the folder of images.
    pub(super) file: String,
    /// Its height and width.
    pub(super) size: [usize; 2],
    /// The object's box as annotated.
    pub(super) bounds: BoundingBox,
    /// The same, edges cut down to whole pixels.
    pub(super) crop: Crop,
}

/// What a file holds.
pub(super) struct Chosen {
    /// An object of each image that has one, with the sample's name.
    pub(super) samples: Vec<(String, Annotated)>,
    /// Images in the file.
    pub(super) images: usize,
    /// What was passed over.
    pub(super) warnings: Vec<String>,
}

/// An image that can be used, and the object chosen in it.
struct Usable {
    name: String,
    file: String,
    size: [u32; 2],
    chosen: Option<(BoundingBox, Crop)>,
}

/// The first object of each image, in file order, that covers a share of it from `low` to `high`. Entries that cannot be used are passed
/// over and named in [`Chosen::warnings`].
///
/// # Errors
/// [`DatasetError::Entry`] if two images have one id.
pub(super) fn choose(
    path: &Path,
    file: &AnnotationFile,
    [low, high]: [f64; 2],
    crowds: Crowds,
) -> Result<Chosen, DatasetError> {
    let (mut bad_images, mut bad, mut strangers) = (Passed::default(), Passed::default(), 0);
    let mut images = BTreeMap::new();
    for image in &file.images {
        let id = id(&image.id);
        let thing = || format!("image {}", id.as_deref().unwrap_or("without an `id`"));
        match (usable(image, id.as_deref()), &id) {
            (Ok(usable), Some(id)) => {
                if images.insert(id.clone(), usable).is_some() {
                    return Err(DatasetError::Entry {
                        path: path.to_path_buf(),
                        entry: thing(),
                        expected: "every image id once".to_owned(),
                        found: "it twice".to_owned(),
                    });
                }
            }
            (Err(reason), _) => bad_images.add(|| format!("{}: {reason}", thing())),
            (Ok(_), None) => unreachable!("an image without an id is not usable"),
        }
    }
    let (mut seen, mut twice) = (BTreeSet::new(), Passed::default());
    for annotation in &file.annotations {
        let own = id(&annotation.id);
        if let Some(own) = &own
            && !seen.insert(own.clone())
        {
            twice.add(|| format!("annotation {own}"));
        }
        let of_image = id(&annotation.image_id);
        let image = of_image.as_ref().and_then(|id| images.get_mut(id));
        // Files for a subset of the images often keep the annotations of all.
        let (Some(image), Some(of_image)) = (image, &of_image) else {
            strangers += 1;
            continue;
        };
        match object(annotation, image.size) {
            Ok((bounds, pixels)) => {
                let is_left_out = crowds == Crowds::Skip && is_crowd(annotation);
                let area = f64::from(image.size[0]) * f64::from(image.size[1]);
                let covers = pixels.cover(low * area, high * area);
                if image.chosen.is_none() && covers && !is_left_out {
                    let [height, width] = image.size;
                    image.chosen = pixels.within(width, height).map(|crop| (bounds, crop));
                }
            }
            Err(reason) => bad.add(|| match &own {
                Some(own) => format!("annotation {own} of image {of_image}: {reason}"),
                None => format!("an annotation of image {of_image}: {reason}"),
            }),
        }
    }
    let all = file.annotations.len();
    let mut warnings = Vec::new();
    let mut warn = |text: Option<String>| {
        warnings.extend(text.map(|text| format!("{}: {text}", path.display())));
    };
    warn(bad_images.text("passed over", file.images.len(), "images"));
    warn(bad.text("passed over", all, "annotations"));
    warn(twice.text("found the id of another in", all, "annotations"));
    warn((strangers > 0).then(|| {
        format!("passed over {strangers} of {all} annotations, whose images are not listed or cannot be used")
    }));
    let taken = |image: Usable| {
        let (bounds, crop) = image.chosen?;
        let sample = Annotated {
            file: image.file,
            size: image.size.map(|side| side as usize),
            bounds,
            crop,
        };
        Some((image.name, sample))
    };
    Ok(Chosen {
        samples: images.into_values().filter_map(taken).collect(),
        images: file.images.len(),
        warnings,
    })
}

/// Entries that were passed over: the first of them by name.
#[derive(Default)]
struct Passed {
    count: usize,
    named: Vec<String>,
}

impl Passed {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(name());
        }
    }

    fn text(self, what: &str, all: usize, entries: &str) -> Option<String> {
        let Self { count, named } = self;
        let rest = count - named.len();
        let more = if rest > 0 {
            format!("; and {rest} more")
        } else {
            String::new()
        };
        (count > 0).then(|| {
            format!(
                "{what} {count} of {all} {entries}: {}{more}",
                named.join("; ")
            )
        })
    }
}

/// An image with the id `id` that can be used, or why it cannot.
fn usable(image: &Image, id: Option<&str>) -> Result<Usable, String> {
    let Some(id) = id else {
        return Err(format!("expected an `id`, found {}", shown(&image.id)));
    };
    // As in COCO's own file names.
    let name = match id.parse::<u64>() {
        Ok(number) => format!("{number:012}"),
        Err(_) => id.to_owned(),
    };
    if let Some(reason) = ids::objection(&name) {
        return Err(format!("expected an id that can be a file name: {reason}"));
    }
    let file = image.file_name.as_str().unwrap_or_default();
    let mut steps = Path::new(file).components();
    if file.is_empty() || !steps.all(|step| matches!(step, Component::Normal(_))) {
        let found = shown(&image.file_name);
        return Err(format!(
            "expected a `file_name` below the folder of images, found {found}"
        ));
    }
    let side = |value| whole(value).filter(|&side| side > 0);
    let (Some(height), Some(width)) = (side(&image.height), side(&image.width)) else {
        let (height, width) = (shown(&image.height), shown(&image.width));
        return Err(format!(
            "expected a height and width of at least 1, found {height} x {width}"
        ));
    };
    Ok(Usable {
        name,
        file: file.to_owned(),
        size: [height, width],
        chosen: None,
    })
}

fn is_crowd(annotation: &Annotation) -> bool {
    annotation.iscrowd.as_bool() == Some(true)
        || number(&annotation.iscrowd).is_some_and(|n| n != 0.0)
}

/// The box of an object in an image of height and width `size`, or why it cannot be used.
fn object(annotation: &Annotation, size: [u32; 2]) -> Result<(BoundingBox, Pixels), String> {
    let numbers = annotation.bbox.as_array();
    let numbers = numbers.map(|list| list.iter().map(number).collect::<Option<Vec<f64>>>());
    let Some(Some(&[x, y, width, height])) = numbers.as_ref().map(|list| list.as_deref()) else {
        let found = shown(&annotation.bbox);
        return Err(format!("expected a `bbox` of four numbers, found {found}"));
    };
    if width <= 0.0 || height <= 0.0 {
        let found = shown(&annotation.bbox);
        return Err(format!(
            "expected a `bbox` (left, top, width, height) with an area, found {found}"
        ));
    }
    if [x, y, width, height]
        .iter()
        .all(|number| (0.0..=1.0).contains(number))
    {
        let found = shown(&annotation.bbox);
        return Err(format!(
            "expected a `bbox` (left, top, width, height) in pixels, found {found}, shares of the image as it seems"
        ));
    }
    let bounds = BoundingBox {
        x,
        y,
        width,
        height,
    };
    let pixels = Pixels::of(&bounds);
    let [rows, columns] = size;
    if pixels.lies_in(columns, rows) {
        return Ok((bounds, pixels));
    }
    Err(format!(
        "expected a `bbox` (left, top, width, height) inside the {rows} x {columns} image (height x width), found {}",
        shown(&annotation.bbox)
    ))
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

    /// Whether no more than a pixel of it lies outside; annotations are often off by a fraction of one.
    fn lies_in(&self, width: u32, height: u32) -> bool {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (width, height) = (i64::from(width), i64::from(height));
        self.left >= 0 && self.top >= 0 && right <= width + 1 && bottom <= height + 1
    }

    /// The part inside; none if there is no pixel.
    fn within(&self, width: u32, height: u32) -> Option<Crop> {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let side = |start: i64, end: i64| u32::try_from(end - start).ok().filter(|&side| side > 0);
        Some(Crop {
            left: u32::try_from(self.left).ok()?,
            top: u32::try_from(self.top).ok()?,
            width: side(self.left, right.min(width.into()))?,
            height: side(self.top, bottom.min(height.into()))?,
        })
    }
}
