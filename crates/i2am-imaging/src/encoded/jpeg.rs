//! The segments of a JPEG file.

const END_OF_IMAGE: u8 = 0xD9;
const APPLICATION_1: u8 = 0xE1;

/// A marker segment: its marker and content. The end of the image has no content.
struct Segment<'a> {
    marker: u8,
    content: &'a [u8],
}

/// The marker segments of the JPEG file `bytes`, as far as they are whole (ITU-T T.81, annex B).
///
/// Segments are skipped by their length, because a thumbnail in one of them has an end of its own. The compressed data
/// after a scan header needs no length: the only markers in it are restarts.
fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (marker, after) = next_marker(rest)?;
        if marker == END_OF_IMAGE {
            rest = &[];
            return Some(Segment {
                marker,
                content: &[],
            });
        }
        // The length counts its own two bytes.
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        rest = after.get(length..).unwrap_or_default();
        let content = after.get(2..length).unwrap_or_default();
        Some(Segment { marker, content })
    })
}

/// Whether the marker segments of the JPEG file `bytes` lead up to an end-of-image marker.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    segments(bytes).any(|segment| segment.marker == END_OF_IMAGE)
}

/// The EXIF data of the JPEG file `bytes`.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut of_applications = segments(bytes).filter(|segment| segment.marker == APPLICATION_1);
    of_applications.find_map(|segment| segment.content.strip_prefix(b"Exif\0\0"))
}

/// The next marker that ends the image or starts a segment, and what follows it.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = bytes.iter().position(|&byte| byte == 0xFF)?;
        bytes = &bytes[at + 1..];
        match *bytes.first()? {
            // A stuffed zero, or a marker without a segment: temporary, restart, start of image.
            0x00 | 0x01 | 0xD0..=0xD8 => bytes = &bytes[1..],
            // A fill byte before a marker.
            0xFF => {}
            marker => return Some((marker, &bytes[1..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    const START: [u8; 2] = [0xFF, 0xD8];
    const END: [u8; 2] = [0xFF, 0xD9];
    /// An application segment of 2 + 2 bytes that holds an end-of-image marker, as a thumbnail does.
    const THUMBNAIL: [u8; 6] = [0xFF, 0xE1, 0, 4, 0xFF, 0xD9];
    /// A scan of no components with a stuffed zero and a restart in its data.
    const SCAN: [u8; 9] = [0xFF, 0xDA, 0, 2, 7, 0xFF, 0x00, 0xFF, 0xD3];

    #[test]
    fn only_the_end_of_the_image_itself_counts() {
        let cut = [&START[..], &THUMBNAIL, &SCAN].concat();
        assert!(!is_complete(&cut));
        assert!(is_complete(&[&cut[..], &END].concat()));
        assert!(is_complete(
            &[&cut[..], &[0xFF], &END, b"anything after"].concat()
        ));
        for length in 0..cut.len() {
            assert!(!is_complete(&cut[..length]), "{length} bytes");
        }
    }
}
