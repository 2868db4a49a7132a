//! The closest known name for an unknown one.

/// `": did you mean `x`?"` with the closest of `known`, and what there is.
pub(crate) fn help<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|name| (distance(found, name), *name))
        .min();
    let all = known.join(", ");
    match near {
        Some((edits, name)) if edits <= name.len().div_ceil(2) => {
            format!("did you mean `{name}`? Known are: {all}")
        }
        _ => format!("known are: {all}"),
    }
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, help};

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["manifest", "synth", "viton-hd"];
        assert!(help("viton_hd", known).starts_with("did you mean `viton-hd`?"));
        assert!(help("imagenet-1k", known).starts_with("known are: manifest"));
    }
}
