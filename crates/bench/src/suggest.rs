//! The closest known name for an unknown one.

use strsim::levenshtein;

/// `did you mean ...` with the closest of `known`, and what there is.
pub(crate) fn help<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|name| (levenshtein(found, name), *name))
        .min();
    let all = known.join(", ");
    match near {
        Some((edits, name)) if edits <= name.len().div_ceil(2) => {
            format!("did you mean `{name}`? Known are: {all}")
        }
        _ => format!("known are: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::help;

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        let known = ["manifest", "synth", "viton-hd"];
        assert!(help("viton_hd", known).starts_with("did you mean `viton-hd`?"));
        assert!(help("imagenet-1k", known).starts_with("known are: manifest"));
    }
}
