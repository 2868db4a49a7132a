//! Whether a JPEG file is whole.

const END_OF_IMAGE: u8 = 0xD9;

/// Whether the marker segments of the JPEG file `bytes` lead up to an end-of-image marker (ITU-T T.81, annex B).
///
/// Segments are skipped by their length, because a thumbnail in one of them has an end of its own. The compressed data
/// after a scan header needs no length: the only markers in it are restarts.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        if marker == END_OF_IMAGE {
            return true;
        }
        let [high, low, ..] = *after else {
            return false;
        };
        // The length counts its own two bytes.
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = after.get(length..).unwrap_or_default();
    }
    false
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
