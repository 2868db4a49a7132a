//! What a sample is, by content.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use i2am_files::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::Part;

/// Hexadecimal digits kept of the sha256 of one file: 16 bytes.
const PART_DIGITS: usize = 32;
/// Hexadecimal digits of the fingerprint: 64 bits distinguish the states of one sample, and every row carries them.
const DIGITS: usize = 16;

/// The identity of one sample by content: of each file that belongs to it, and of what decides it besides files.
///
/// Where the files are, what they are called and when they were written does not matter. It prints as 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    text: String,
    parts: BTreeMap<Part, String>,
}

impl Fingerprint {
    /// Of the files' sha256 and of `decides`, what decides the sample besides files.
    pub(crate) fn of(decides: &str, mut parts: BTreeMap<Part, String>) -> Self {
        let mut lines = format!("i2am fingerprint 1\n{decides}\n");
        for (part, hash) in &mut parts {
            hash.truncate(PART_DIGITS);
            writeln!(lines, "{part}\t{hash}").expect("writing to a String cannot fail");
        }
        let mut text = sha256_hex(lines);
        text.truncate(DIGITS);
        Self { text, parts }
    }

    /// The fingerprint as rows carry it: 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// For each part that is a file and exists, the first 32 hexadecimal digits of its sha256.
    pub fn parts(&self) -> &BTreeMap<Part, String> {
        &self.parts
    }

    /// The parts whose file has other content in `other`, or exists on one side only. None although the fingerprints differ means
    /// that settings of the data set differ.
    pub fn changed_parts(&self, other: &Self) -> Vec<Part> {
        let differs = |part: &Part| self.parts.get(part) != other.parts.get(part);
        Part::ALL.into_iter().filter(differs).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(decides: &str, parts: &[(Part, &str)]) -> Fingerprint {
        let hash = |(part, content): &(Part, &str)| (*part, sha256_hex(content));
        Fingerprint::of(decides, parts.iter().map(hash).collect())
    }

    #[test]
    fn every_part_counts_by_name_and_content_and_so_do_settings() {
        let base = of("paired", &[(Part::Image, "a"), (Part::Mask, "b")]);
        assert_eq!(base.as_str().len(), DIGITS);
        for (other, changed) in [
            (
                of("paired", &[(Part::Image, "a"), (Part::Mask, "c")]),
                vec![Part::Mask],
            ),
            (
                of("paired", &[(Part::Image, "b"), (Part::Mask, "a")]),
                vec![Part::Image, Part::Mask],
            ),
            (of("paired", &[(Part::Image, "a")]), vec![Part::Mask]),
            (
                of("unpaired", &[(Part::Image, "a"), (Part::Mask, "b")]),
                vec![],
            ),
        ] {
            assert_ne!(base.as_str(), other.as_str());
            assert_eq!(base.changed_parts(&other), changed);
        }
    }

    #[test]
    fn it_is_kept_as_json() {
        let one = of("", &[(Part::GroundTruth, "a")]);
        let text = serde_json::to_string(&one).unwrap();
        assert!(text.contains("\"ground_truth\""), "{text}");
        let again: Fingerprint = serde_json::from_str(&text).unwrap();
        assert_eq!((again.to_string(), &again), (one.to_string(), &one));
    }
}
