//! Tables as Markdown.

use super::{Cell, Rank, Table};

pub(super) fn render(table: &Table) -> String {
    let mut lines = vec![format!("{}\n", escaped(&table.caption))];
    let headings = table.columns.iter().map(|column| {
        let heading = escaped(&column.heading);
        match &column.variant[..] {
            "" => heading,
            variant => format!("{heading} ({})", escaped(variant)),
        }
    });
    lines.push(line(headings));
    let rule = table.columns.iter().map(|column| {
        let rule = if column.numeric { "---:" } else { "---" };
        rule.to_owned()
    });
    lines.push(line(rule));
    lines.extend(table.rows.iter().map(|row| line(row.iter().map(cell))));
    let meanings = table.marks().meanings();
    lines.extend(meanings.map(|(mark, meaning)| format!("\n{} {meaning}", escaped(mark))));
    lines.extend(
        table
            .notes
            .iter()
            .map(|note| format!("\n{}", escaped(note))),
    );
    lines.join("\n") + "\n"
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |", cells.join(" | "))
}

fn cell(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    let mut text = match cell.rank {
        Rank::Plain => text,
        Rank::Best => format!("**{text}**"),
        // Markdown has no underline of its own.
        Rank::Second => format!("<u>{text}</u>"),
    };
    text.push_str(&escaped(cell.marks.text()));
    if !cell.detail.is_empty() {
        text = format!("{text} {}", escaped(&cell.detail));
    }
    text
}

/// What would end a cell or start emphasis is escaped. An underscore inside a word starts nothing.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('*', "\\*")
        .replace('<', "&lt;")
}
