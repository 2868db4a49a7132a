//! Tables as LaTeX, for papers.

use i2am_plot::tex as escaped;

use super::{Cell, Column, Rank, Table, index_of};

/// Longest detail, in characters, that stands in the line of its number.
const MOST_BESIDE: usize = 7;

pub(super) fn render(table: &Table) -> String {
    let columns: String = table
        .columns
        .iter()
        .map(|column| if column.numeric { 'r' } else { 'l' })
        .collect();
    let mut lines = vec![
        "% Needs \\usepackage{booktabs}.".to_owned(),
        "\\begin{table}".to_owned(),
        "  \\centering".to_owned(),
        format!("  \\caption{{{}}}", escaped(&table.caption)),
        format!("  \\label{{tab:{}}}", table.name),
        "  \\smallskip\\small\\setlength{\\tabcolsep}{4pt}".to_owned(),
        format!("  \\begin{{tabular}}{{@{{}}{columns}@{{}}}}"),
        "    \\toprule".to_owned(),
    ];
    lines.push(line(table.columns.iter().map(heading)));
    lines.push("    \\midrule".to_owned());
    lines.extend(table.rows.iter().map(|row| line(row.iter().map(cell))));
    lines.push("    \\bottomrule".to_owned());
    lines.push("  \\end{tabular}".to_owned());
    let meanings = table.marks().meanings();
    let notes: Vec<String> = meanings
        .map(|(mark, meaning)| format!("{} {}", raised(mark), escaped(meaning)))
        .chain(table.notes.iter().map(|note| escaped(note)))
        .collect();
    if !notes.is_empty() {
        lines.push("  \\par\\smallskip".to_owned());
        lines.push("  \\begin{minipage}{\\linewidth}\\footnotesize".to_owned());
        lines.push(format!("    {}", notes.join("\\\\\n    ")));
        lines.push("  \\end{minipage}".to_owned());
    }
    lines.push("\\end{table}".to_owned());
    let mut text = lines.join("\n") + "\n";
    for title in &table.indexed {
        if let Some((name, index)) = index_of(title) {
            let lowered = format!("{}$_{index}$", escaped(name));
            text = text.replace(&escaped(title), &lowered);
        }
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("    {} \\\\", cells.join(" & "))
}

/// A variant goes below its heading, so that columns are no wider than their numbers need.
fn heading(column: &Column) -> String {
    let heading = escaped(&column.heading);
    match &column.variant[..] {
        "" => heading,
        variant => format!(
            "\\shortstack[r]{{{heading}\\\\{{\\footnotesize {}}}}}",
            escaped(variant)
        ),
    }
}

fn cell(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    let mut text = match cell.rank {
        Rank::Plain => text,
        Rank::Best => format!("\\textbf{{{}}}", bold_minus(&text)),
        Rank::Second => format!("\\underline{{{text}}}"),
    };
    text.push_str(&raised(cell.marks.text()));
    let detail = escaped(&cell.detail);
    match cell.detail.chars().count() {
        0 => {}
        1..=MOST_BESIDE => text = format!("{text} {{\\scriptsize {detail}}}"),
        // An interval goes below its number: a table of them must fit a page.
        _ => {
            text = format!(
                "\\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text}\\\\[-2pt]{{\\scriptsize {detail}}}\\end{{tabular}}"
            );
        }
    }
    text
}

/// Marks as they stand behind a number.
fn raised(marks: &str) -> String {
    match marks {
        "" => String::new(),
        "*" => "$^*$".to_owned(),
        marks => format!(
            "$^{{{}}}$",
            marks.replace('†', "\\dagger").replace('‡', "\\ddagger")
        ),
    }
}

/// A minus sign is set in mathematics, which `\textbf` does not make bold.
fn bold_minus(text: &str) -> String {
    text.replace("$-$", "{\\boldmath$-$}")
}
