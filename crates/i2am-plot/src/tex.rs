//! Text for LaTeX.

/// `text` with everything escaped that LaTeX would take for a command, and symbols in the spelling of plain LaTeX. Other characters stay
/// as they are.
pub fn tex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match symbol(c) {
            Some(spelled) => escaped.push_str(spelled),
            None => escaped.push(c),
        }
    }
    escaped
}

fn symbol(c: char) -> Option<&'static str> {
    Some(match c {
        '\\' => "\\textbackslash{}",
        '&' => "\\&",
        '%' => "\\%",
        '$' => "\\$",
        '#' => "\\#",
        '_' => "\\_",
        '{' => "\\{",
        '}' => "\\}",
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '<' => "$<$",
        '>' => "$>$",
        '|' => "$|$",
        '−' => "$-$",
        '×' => "$\\times$",
        '±' => "$\\pm$",
        '≤' => "$\\leq$",
        '≥' => "$\\geq$",
        '↑' => "$\\uparrow$",
        '↓' => "$\\downarrow$",
        '⁰' => "$^0$",
        '¹' => "$^1$",
        '²' => "$^2$",
        '³' => "$^3$",
        '⁴' => "$^4$",
        '⁻' => "$^-$",
        'ρ' => "$\\rho$",
        'τ' => "$\\tau$",
        '–' => "--",
        '…' => "\\ldots{}",
        '→' => "$\\rightarrow$",
        '≈' => "$\\approx$",
        '·' => "$\\cdot$",
        '†' => "$\\dagger$",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::tex;

    #[test]
    fn what_latex_would_take_for_a_command_is_escaped() {
        assert_eq!(tex("a_b & 5 % → ²"), "a\\_b \\& 5 \\% $\\rightarrow$ $^2$");
        assert_eq!(tex("ä"), "ä");
    }
}
