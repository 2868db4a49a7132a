//! The annotation file as people have it: numbers as texts or fractions, and other files of COCO in its place.

use std::borrow::Cow;
use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::DatasetError;

/// What is read of an annotation file; the rest of it does not matter here.
pub(super) struct AnnotationFile {
    pub(super) images: Vec<Image>,
    pub(super) annotations: Vec<Annotation>,
}

/// The same, before it is known to be one.
#[derive(Deserialize)]
struct AnyFile {
    images: Option<Vec<Entry<Image>>>,
    annotations: Option<Vec<Entry<Annotation>>>,
}

/// An entry of a list. What is no object has nothing that can be used.
struct Entry<T>(T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // A list would be taken for the values of the fields.
        let object = value.is_object().then_some(value);
        let entry = object.and_then(|object| T::deserialize(object).ok());
        Ok(Self(entry.unwrap_or_default()))
    }
}

fn entries<T>(list: Vec<Entry<T>>) -> Vec<T> {
    list.into_iter().map(|Entry(entry)| entry).collect()
}

/// An entry of `images`. Whether its values can be used is seen later: one bad entry is no reason to refuse the others.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Image {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(default)]
    pub(super) file_name: Value,
    #[serde(default)]
    pub(super) width: Value,
    #[serde(default)]
    pub(super) height: Value,
    /// LVIS has it.
    coco_url: Option<IgnoredAny>,
}

/// An entry of `annotations`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(default)]
    pub(super) image_id: Value,
    /// Left, top, width, height in pixels.
    #[serde(default)]
    pub(super) bbox: Value,
    #[serde(default)]
    pub(super) iscrowd: Value,
    /// Results of a detector have it.
    score: Option<IgnoredAny>,
    /// Captions have it.
    caption: Option<IgnoredAny>,
    /// Panoptic files have it.
    segments_info: Option<IgnoredAny>,
}

/// What `NaN`, `Infinity` and `-Infinity` become: JSON does not have them, and Python writes them. As long as they were, so that places
/// in the file stay what they are.
const NOT_FINITE: [(&[u8], &[u8]); 3] = [
    (b"NaN", b"\"N\""),
    (b"-Infinity", b"\"-Infini\""),
    (b"Infinity", b"\"Infini\""),
];

/// Reads the annotation file `path`.
///
/// # Errors
/// [`DatasetError::File`]; [`DatasetError::List`] if it is no annotation file, and what it seems to be.
pub(super) fn read(path: &Path) -> Result<AnnotationFile, DatasetError> {
    let text = i2am_files::read_text(path)?;
    let text = finite(text.as_bytes());
    let refuse = |found: String| DatasetError::List {
        path: path.to_path_buf(),
        reason: format!(
            "expected annotations of objects (JSON with the lists `images` and `annotations`), found {found}"
        ),
    };
    match serde_json::from_slice(&text) {
        Ok(AnyFile {
            images: Some(images),
            annotations: Some(annotations),
        }) => {
            let (images, annotations) = (entries(images), entries(annotations));
            match other_kind(&images, &annotations) {
                None => Ok(AnnotationFile {
                    images,
                    annotations,
                }),
                Some(kind) => Err(refuse(kind.to_owned())),
            }
        }
        Ok(found) => Err(refuse(incomplete(&text, &found))),
        Err(error) => {
            Err(refuse(stranger(&text).unwrap_or_else(|| {
                format!("what is no such JSON: {error}")
            })))
        }
    }
}

/// What a file with both lists is, if its annotations are not of objects.
fn other_kind(images: &[Image], annotations: &[Annotation]) -> Option<&'static str> {
    let lacks_boxes = !annotations.is_empty() && annotations.iter().all(|a| a.bbox.is_null());
    let any = |has: fn(&Annotation) -> bool| lacks_boxes && annotations.iter().any(has);
    let of_lvis = |image: &Image| image.coco_url.is_some() && image.file_name.is_null();
    if any(|annotation| annotation.segments_info.is_some()) {
        Some("a panoptic file: its annotations are of whole pictures")
    } else if any(|annotation| annotation.caption.is_some()) {
        Some("captions, without boxes")
    } else if !images.is_empty() && images.iter().all(of_lvis) {
        Some("an LVIS file: its images have a `coco_url` in place of a `file_name`; add the latter")
    } else {
        None
    }
}

/// What an object that lacks one of the lists seems to be.
fn incomplete(text: &[u8], found: &AnyFile) -> String {
    if found.images.is_some() {
        return "`images` without `annotations`, as files for test sets have them".to_owned();
    }
    let keys: Result<serde_json::Map<String, Value>, _> = serde_json::from_slice(text);
    let keys = keys.unwrap_or_default();
    let keys: Vec<&str> = keys.keys().take(8).map(String::as_str).collect();
    format!("an object with the keys {}", keys.join(", "))
}

/// The number in `value`, which may be a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// The whole number in `value`, which may be a text or end in `.0`.
pub(super) fn whole(value: &Value) -> Option<u32> {
    let number = number(value)?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    fits.then_some(number as u32)
}

/// The id in `value`. A number that is written as a text, or as a fraction, is the number.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_f64() => whole(value).map(|whole| whole.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => match text.parse::<u64>() {
            Ok(number) => Some(number.to_string()),
            Err(_) => Some(text.clone()).filter(|text| !text.is_empty()),
        },
        _ => None,
    }
}

/// `value` as it stands in the file.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        value => finite_back(&value.to_string()),
    }
}

/// `bytes` with texts in the place of numbers that are none.
fn finite(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut changed = Cow::Borrowed(bytes);
    let (mut at, mut in_text) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'\\' if in_text => 2,
            b'"' => {
                in_text = !in_text;
                1
            }
            b'N' | b'I' | b'-' if !in_text => {
                let rest = &bytes[at..];
                let found = NOT_FINITE.iter().find(|(word, _)| rest.starts_with(word));
                if let Some((word, text)) = found {
                    changed.to_mut()[at..at + word.len()].copy_from_slice(text);
                }
                found.map_or(1, |(word, _)| word.len())
            }
            _ => 1,
        };
    }
    changed
}

fn finite_back(text: &str) -> String {
    NOT_FINITE
        .iter()
        .fold(text.to_owned(), |text, (word, stand_in)| {
            let [word, stand_in] = [word, stand_in].map(|word| String::from_utf8_lossy(word));
            text.replace(&*stand_in, &word)
        })
}

/// What a file that is no JSON object with such lists seems to be.
fn stranger(bytes: &[u8]) -> Option<String> {
    match bytes.trim_ascii_start() {
        [] => Some("an empty file".to_owned()),
        [b'<', ..] => Some("XML or a web page".to_owned()),
        [b'[', ..] => {
            let list: Vec<Entry<Annotation>> = serde_json::from_slice(bytes).ok()?;
            let list = entries(list);
            let has_score = list.iter().any(|entry| entry.score.is_some());
            let what = if has_score {
                "results of a detector: they have no images and no true boxes"
            } else {
                "not the object that holds both"
            };
            Some(format!("a list of {} entries, {what}", list.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_does_not_have_becomes_a_text_of_the_same_length() {
        let before = br#"{"a": [NaN, -Infinity, Infinity, -3], "NaN \" Infinity": "NaN"}"#;
        let after = finite(before);
        assert_eq!(after.len(), before.len());
        let value: Value = serde_json::from_slice(&after).unwrap();
        assert_eq!(shown(&value["a"]), "[NaN,-Infinity,Infinity,-3]");
        assert_eq!(value["NaN \" Infinity"], "NaN");
        assert!(
            value["a"].as_array().unwrap()[..3]
                .iter()
                .all(|one| number(one).is_none())
        );
        assert!(matches!(finite(b"[1, 2]"), Cow::Borrowed(_)));
    }

    #[test]
    fn ids_and_numbers_are_what_they_say_however_they_are_written() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for text in ["7", "7.0", "\"7\"", "\"000007\""] {
            assert_eq!(id(&value(text)).as_deref(), Some("7"), "{text}");
        }
        assert_eq!(id(&value("\"a7\"")).as_deref(), Some("a7"));
        assert_eq!(id(&value("-3")).as_deref(), Some("-3"));
        for text in ["null", "\"\"", "1.5", "[1]", "1e30"] {
            assert_eq!(id(&value(text)), None, "{text}");
        }
        assert_eq!(whole(&value("\" 96.0 \"")), Some(96));
        for text in ["96.5", "-1", "\"\"", "\"inf\"", "true", "5e9"] {
            assert_eq!(whole(&value(text)), None, "{text}");
        }
    }
}
