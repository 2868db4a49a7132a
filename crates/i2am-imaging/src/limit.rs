//! How large a picture may be.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ImagingError;

/// Megapixels of the largest picture that is read, unless [`limit_megapixels`] says otherwise: 900 MB in memory, as colors.
pub const MAX_MEGAPIXELS: u32 = 300;

/// One for the whole program, as its memory is.
static LIMIT: AtomicU32 = AtomicU32::new(MAX_MEGAPIXELS);

/// From now on pictures of up to `megapixels` are read, and larger ones refused by their header.
pub fn limit_megapixels(megapixels: u32) {
    LIMIT.store(megapixels, Ordering::Relaxed);
}

/// Whether a picture of `[height, width]` may be read.
///
/// # Errors
/// [`ImagingError::TooLarge`].
pub(crate) fn check(path: &Path, size: [usize; 2]) -> Result<(), ImagingError> {
    within(path, size, LIMIT.load(Ordering::Relaxed))
}

fn within(path: &Path, [height, width]: [usize; 2], limit: u32) -> Result<(), ImagingError> {
    let pixels = height as u64 * width as u64;
    if pixels <= u64::from(limit) * 1_000_000 {
        return Ok(());
    }
    Err(ImagingError::TooLarge {
        path: path.to_path_buf(),
        height,
        width,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_as_one() {
        let path = Path::new("a.png");
        assert!(within(path, [1000, 2000], 2).is_ok());
        let error = within(path, [1001, 2000], 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.png: expected at most 2 megapixels, the limit `max_megapixels`, found 1001 x 2000 pixels (height x width), 2.002 megapixels"
        );
    }
}
