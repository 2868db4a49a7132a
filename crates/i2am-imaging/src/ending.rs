//! What the ending of a file name says about a picture.

use std::path::Path;

/// Endings of files that are read.
const READ: [&str; 3] = ["jpeg", "jpg", "png"];
/// Endings of files that are pictures too.
const UNREADABLE: [&str; 9] = [
    "avif", "bmp", "gif", "jp2", "pgm", "ppm", "tif", "tiff", "webp",
];

/// Whether a file is a picture, by the ending of its name; upper and lower case do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureEnding {
    /// PNG or JPEG, which this crate reads.
    Read,
    /// A picture that this crate cannot read. Whoever reads a folder should refuse it: without it a score would be another one.
    Unreadable,
    /// No picture.
    Other,
}

impl PictureEnding {
    /// That of the file `path`.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let ending = ending.to_lowercase();
        match ending.as_str() {
            read if READ.contains(&read) => Self::Read,
            unreadable if UNREADABLE.contains(&unreadable) => Self::Unreadable,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_count_in_any_case_and_names_do_not() {
        for (name, expected) in [
            ("a/b.PNG", PictureEnding::Read),
            ("b.c.jpeg", PictureEnding::Read),
            ("b.Tiff", PictureEnding::Unreadable),
            ("png", PictureEnding::Other),
            (".png", PictureEnding::Other),
            ("b.png.txt", PictureEnding::Other),
        ] {
            assert_eq!(PictureEnding::of(Path::new(name)), expected, "{name}");
        }
    }
}
