//! The license that the card of a model, its `README.md`, names in its first lines.

use std::fmt;
use std::path::Path;

/// What a card says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Its identifier, such as `mit` or `other`.
    pub id: String,
    /// Its name, where the identifier is `other`.
    pub name: Option<String>,
    /// Where its text is, where the identifier is `other`.
    pub link: Option<String>,
}

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_ref().unwrap_or(&self.id))?;
        self.link.iter().try_for_each(|link| write!(f, " ({link})"))
    }
}

/// The license that the card in `folder` names; nothing without a card or without a license in it.
pub fn license_of(folder: &Path) -> Option<License> {
    let card = std::fs::read_to_string(folder.join("README.md")).ok()?;
    let mut lines = card.lines().map(str::trim_end);
    lines
        .find(|line| !line.trim_start_matches('\u{feff}').is_empty())
        .filter(|line| line.trim_start_matches('\u{feff}') == "---")?;
    let head: Vec<&str> = lines.take_while(|line| *line != "---").collect();
    let value = |key: &str| {
        let at = head.iter().position(|line| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(':'))
        })?;
        let own = plain(&head[at][key.len() + 1..]);
        // A list has its first entry on the next line.
        let own = own.or_else(|| plain(head.get(at + 1)?.trim_start().strip_prefix("- ")?));
        own.map(str::to_owned)
    };
    Some(License {
        id: value("license")?,
        name: value("license_name"),
        link: value("license_link"),
    })
}

/// A value without quotes, brackets and comment; nothing if there is none.
fn plain(text: &str) -> Option<&str> {
    let text = text.split(" #").next().unwrap_or(text);
    let text = text.trim_matches(|c: char| c.is_whitespace() || "'\"[]".contains(c));
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::license_of;

    #[test]
    fn the_license_stands_in_the_head_of_the_card() {
        let folder = tempfile::tempdir().unwrap();
        let of = |card: &str| {
            i2am_files::write_atomic(folder.path().join("README.md"), card).unwrap();
            license_of(folder.path()).map(|license| license.to_string())
        };
        for (card, expected) in [
            ("---\nlicense: mit\n---\n# A model\n", Some("mit")),
            (
                "---\r\ntags:\r\n- x\r\nlicense: 'apache-2.0'\r\n---\r\n",
                Some("apache-2.0"),
            ),
            (
                "---\nlicense:\n- cc-by-nc-sa-4.0\n---\n",
                Some("cc-by-nc-sa-4.0"),
            ),
            ("\u{feff}---\nlicense: [mit] # yes\n---\n", Some("mit")),
            (
                "---\nlicense: other\nlicense_name: x-1\nlicense_link: https://x\n---\n",
                Some("x-1 (https://x)"),
            ),
            ("---\ntags: [x]\n---\nlicense: mit\n", None),
            ("license: mit\n", None),
            ("", None),
        ] {
            assert_eq!(of(card).as_deref(), expected, "{card}");
        }
        assert_eq!(license_of(&folder.path().join("none")), None);
    }
}
