//! Whether files can be named after samples and models, here and where a run folder may be copied to.

use std::collections::BTreeMap;

use anyhow::Result;
use i2am_results::name_objection;
use unicode_normalization::UnicodeNormalization as _;

use crate::exit::usage;
use crate::plan::Plan;

/// Checks the names of all models and of all samples of the data set.
///
/// # Errors
/// The first name that no file can have, or the first two that one file may have.
pub(super) fn check(plan: &Plan) -> Result<()> {
    let models = plan.models.iter().map(|model| model.name.as_str());
    fit("model", models)?;
    fit("sample", plan.dataset.ids().iter().map(String::as_str))
}

/// Whether each of `names`, of things called `what`, can have files of its own.
fn fit<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut folded = BTreeMap::new();
    for name in names {
        if let Some(reason) = name_objection(name) {
            let found = name.escape_debug();
            return Err(usage(format!(
                "{what} `{found}`: expected a name that files can have, found one that {reason}"
            )));
        }
        let same: String = name.nfc().flat_map(char::to_lowercase).nfc().collect();
        if let Some(other) = folded.insert(same, name) {
            return Err(usage(format!(
                "{what}s `{other}` and `{name}`: expected names that differ in more than capital letters and the way accents are written, which \
                 not every file system tells apart"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(names: &[&str]) -> String {
        fit("sample", names.iter().copied())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_name_has_files_of_its_own_everywhere() {
        let accents = ["caf\u{e9}", "caf\u{e8}", "caf"];
        assert!(fit("sample", ["00001_00", "00001_01", "a b"].into_iter()).is_ok());
        assert!(fit("sample", accents.into_iter()).is_ok());
        assert!(refusal(&["a", "b", "A"]).contains("samples `a` and `A`"));
        assert!(refusal(&["caf\u{e9}", "cafe\u{301}"]).contains("accents"));
        assert!(refusal(&["CAF\u{c9}", "cafe\u{301}"]).contains("accents"));
        assert!(refusal(&["a\nb"]).contains("sample `a\\nb`: expected a name that files can have"));
    }
}
