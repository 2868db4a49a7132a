//! The chunks of a PNG file.

/// Length and type before the content of a chunk, and its checksum after it, in bytes.
const AROUND: usize = 12;
/// Bytes of a color in a palette.
const COLOR: usize = 3;
/// Bytes before the first chunk.
const SIGNATURE: usize = 8;

/// A chunk: its type, and its content as far as the file has it.
struct Chunk<'a> {
    kind: &'a [u8],
    content: &'a [u8],
    is_whole: bool,
}

/// The chunks of the PNG file `bytes`, in order; the last one may be cut off.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = rest.first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let kind = rest.get(4..8)?;
        let end = length.saturating_add(AROUND);
        let is_whole = end <= rest.len();
        let content = &rest[8..rest.len().min(8 + length)];
        rest = rest.get(end..).unwrap_or_default();
        Some(Chunk {
            kind,
            content,
            is_whole,
        })
    })
}

/// The EXIF data of the PNG file `bytes`, which may stand before or after its pixels.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let exif = chunks(bytes).find(|chunk| chunk.kind == b"eXIf" && chunk.is_whole)?;
    Some(exif.content)
}

/// What is missing of the PNG file `bytes`, or what its decoder would not survive. Nothing if only its last chunk is missing, which holds
/// no pixels.
pub(super) fn fault(bytes: &[u8]) -> Option<String> {
    let mut pixels = false;
    for chunk in chunks(bytes) {
        if chunk.kind == b"IEND" {
            break;
        }
        if !chunk.is_whole {
            return Some(format!(
                "the file is cut off after {} bytes, within a chunk `{}`",
                bytes.len(),
                chunk.kind.escape_ascii()
            ));
        }
        let length = chunk.content.len();
        if chunk.kind == b"PLTE" && (length % COLOR != 0 || length > 256 * COLOR) {
            return Some(format!(
                "expected a palette of up to 256 colors, {COLOR} bytes each, found one of {length} bytes"
            ));
        }
        pixels |= chunk.kind == b"IDAT";
    }
    (!pixels).then(|| "it has no pixels".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        [&length[..], kind, content, &[0; 4]].concat()
    }

    #[test]
    fn exif_is_found_on_either_side_of_the_pixels() {
        let (pixels, exif_chunk) = (chunk(b"IDAT", &[7; 9]), chunk(b"eXIf", b"MM"));
        for order in [[&exif_chunk, &pixels], [&pixels, &exif_chunk]] {
            let file = [&[0; SIGNATURE][..], order[0], order[1]].concat();
            assert_eq!(exif(&file), Some(&b"MM"[..]));
            assert_eq!(fault(&file), None);
        }
        assert_eq!(exif(&[0; SIGNATURE]), None);
    }

    #[test]
    fn only_a_file_without_all_its_pixels_is_cut() {
        let start = [&[0; SIGNATURE][..], &chunk(b"IHDR", &[0; 13])].concat();
        let whole = [&start[..], &chunk(b"IDAT", &[1; 20]), &chunk(b"IEND", &[])].concat();
        for kept in 0..=whole.len() {
            let has_pixels = kept >= start.len() + AROUND + 20;
            assert_eq!(fault(&whole[..kept]).is_none(), has_pixels, "{kept} bytes");
        }
        // A length that no file has.
        let claim = [&start[..], &[0xff; 4], b"IDAT", &[0; 3]].concat();
        assert!(fault(&claim).is_some());
    }
}
