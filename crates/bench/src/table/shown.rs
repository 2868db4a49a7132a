//! A table of a report on the terminal: no wider than a line where that is possible, the best of each column marked.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, LineStyle, Table as Drawn, TableStyle};
use i2am_report::{Cell, Column, Rank, Table};

/// Columns of a terminal that every table tries to fit in.
pub(crate) const WIDTH: usize = 80;
/// Between two columns.
const GAP: u16 = 2;
/// Before the best value of a column.
const BEST: &str = "▸";
/// What is left of a name that is cut, at least.
const SHORTEST: usize = 16;

/// `table` with its caption above it and its notes below, in lines of at most `width` characters where that is possible: the words of
/// headings come below each other, then names are cut in the middle, as far as they stay different from each other.
pub(crate) fn shown(table: &Table, width: usize) -> String {
    let (columns, mut rows, same) = without_same_n(table);
    let mut headings: Vec<String> = columns.iter().map(heading).collect();
    let mut drawn = draw(&columns, &headings, &rows);
    while longest(&drawn) > width && split_widest(&mut headings, &rows) {
        drawn = draw(&columns, &headings, &rows);
    }
    let excess = longest(&drawn).saturating_sub(width);
    if excess > 0 && shorten(&columns, &mut rows, excess) {
        drawn = draw(&columns, &headings, &rows);
    }
    let best = rows.iter().flatten().any(|cell| cell.rank == Rank::Best);
    let best = best.then(|| format!("{BEST} best of its column"));
    let legend: Vec<String> = same.into_iter().chain(best).collect();
    // What bold and underlined mean elsewhere is no part of this form.
    let caption = table.caption.split(" Best in bold").next();
    let mut text = wrapped(caption.unwrap_or_default(), width);
    text.push('\n');
    text.push_str(&drawn);
    if !legend.is_empty() {
        text.push('\n');
        text.push_str(&legend.join("; "));
    }
    for (mark, meaning) in table.marks().meanings() {
        text.push('\n');
        text.push_str(&wrapped(&format!("{mark} {meaning}"), width));
    }
    for note in &table.notes {
        text.push('\n');
        text.push_str(&wrapped(note, width));
    }
    text
}

/// The table without its last column `n` if all models have the same number of samples, and that in words.
fn without_same_n(table: &Table) -> (Vec<Column>, Vec<Vec<Cell>>, Option<String>) {
    let (mut columns, mut rows) = (table.columns.clone(), table.rows.clone());
    let counts: BTreeSet<&str> = table
        .rows
        .iter()
        .filter_map(|row| Some(row.last()?.text.as_str()))
        .collect();
    let is_n = columns.last().is_some_and(|column| column.heading == "n");
    let [count] = counts.into_iter().collect::<Vec<_>>()[..] else {
        return (columns, rows, None);
    };
    if !is_n {
        return (columns, rows, None);
    }
    let said = format!("n = {count}");
    columns.pop();
    for row in &mut rows {
        row.pop();
    }
    (columns, rows, Some(said))
}

/// Puts the words of one heading below each other: of the one that stands out most over the values of its column. Whether there was one.
fn split_widest(headings: &mut [String], rows: &[Vec<Cell>]) -> bool {
    let outstanding = |index: usize, heading: &str| {
        let values = rows.iter().map(|row| in_words(&row[index], 0));
        let values = values.map(|value| value.chars().count()).max();
        let words = longest(&split(heading));
        longest(heading).saturating_sub(words.max(values.unwrap_or_default()))
    };
    let gains = (0..headings.len()).map(|index| outstanding(index, &headings[index]));
    match gains.enumerate().max_by_key(|(_, gain)| *gain) {
        Some((index, gain)) if gain > 0 => {
            headings[index] = split(&headings[index]);
            true
        }
        _ => false,
    }
}

/// Every word on a line of its own, an arrow behind its word.
fn split(heading: &str) -> String {
    let lines = heading.replace(' ', "\n");
    lines.replace("\n↑", " ↑").replace("\n↓", " ↓")
}

fn draw(columns: &[Column], headings: &[String], rows: &[Vec<Cell>]) -> String {
    let mut drawn = Drawn::new();
    drawn.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    drawn.set_header(headings);
    let marks: Vec<usize> = (0..columns.len())
        .map(|index| {
            let of_column = rows
                .iter()
                .map(|row| row[index].marks.text().chars().count());
            of_column.max().unwrap_or_default()
        })
        .collect();
    for row in rows {
        let cells = row.iter().zip(columns).zip(&marks);
        drawn.add_row(cells.map(|((cell, column), marks)| {
            let pad = if column.numeric { *marks } else { 0 };
            in_words(cell, pad)
        }));
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(drawn) = drawn.column_mut(index) {
            drawn.set_padding((0, GAP));
            if column.numeric {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let text = drawn.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    // The line below the heading ends where the last column does.
    let longest = lines
        .iter()
        .filter(|line| !line.starts_with('─'))
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default();
    let lines = lines.into_iter().map(|line| {
        let cut: String = line.chars().take(longest).collect();
        if line.starts_with('─') {
            cut
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Title and arrow on the first line, scale and variant on the second.
fn heading(column: &Column) -> String {
    let mut words: Vec<&str> = column.heading.split(' ').collect();
    let arrow = words.pop_if(|word| ["↑", "↓"].contains(word));
    let Some(arrow) = arrow else {
        let lines = [column.heading.as_str(), column.variant.as_str()];
        return lines.join("\n").trim_end().to_owned();
    };
    let title = if words.is_empty() {
        ""
    } else {
        words.remove(0)
    };
    words.push(&column.variant);
    format!("{title} {arrow}\n{}", words.join(" ").trim())
        .trim_end()
        .to_owned()
}

/// Value, marks padded to `pad` characters, and what stands behind them.
fn in_words(cell: &Cell, pad: usize) -> String {
    let best = if cell.rank == Rank::Best { BEST } else { "" };
    let mark = cell.marks.text();
    let detail = if cell.detail.is_empty() {
        String::new()
    } else {
        format!(" {}", cell.detail)
    };
    format!("{best}{}{mark:<pad$}{detail}", cell.text)
}

fn longest(text: &str) -> usize {
    let lines = text.lines().map(|line| line.chars().count());
    lines.max().unwrap_or_default()
}

/// Cuts the names of models so that the longest is `excess` characters shorter, if enough is left of them to tell them apart.
fn shorten(columns: &[Column], rows: &mut [Vec<Cell>], excess: usize) -> bool {
    let Some(place) = columns.iter().position(|column| column.heading == "Model") else {
        return false;
    };
    let names: BTreeSet<&str> = rows.iter().map(|row| row[place].text.as_str()).collect();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let most = longest
        .unwrap_or_default()
        .saturating_sub(excess)
        .max(SHORTEST);
    let short: BTreeSet<String> = names.iter().map(|name| cut(name, most)).collect();
    if short.len() < names.len() {
        return false;
    }
    for row in rows {
        row[place].text = cut(&row[place].text, most);
    }
    true
}

/// `name` with its middle left out if it is longer than `most`.
fn cut(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= most {
        return name.to_owned();
    }
    let front = most / 2;
    let back = most - front - 1;
    let ends = [&letters[..front], &letters[letters.len() - back..]];
    let [front, back] = ends.map(|end| end.iter().collect::<String>());
    format!("{front}…{back}")
}

/// `text` in lines of at most `width` characters; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use i2am_quantity::Marks;

    use super::*;

    fn cell(text: &str, rank: Rank) -> Cell {
        Cell {
            text: text.to_owned(),
            rank,
            detail: String::new(),
            marks: Marks::NONE,
        }
    }

    fn table(models: [&str; 2]) -> Table {
        let column = |heading: &str, variant: &str| Column {
            heading: heading.to_owned(),
            variant: variant.to_owned(),
            numeric: heading != "Model",
        };
        let row = |model: &str, value: &str, rank: Rank| {
            vec![
                cell(model, Rank::Plain),
                cell(value, rank),
                cell("48", Rank::Plain),
            ]
        };
        Table {
            name: "results".to_owned(),
            caption: "Results on drawn. Best in bold, second best underlined.".to_owned(),
            columns: vec![
                column("Model", ""),
                column("KID ×10³ ↓", "clean"),
                column("n", ""),
            ],
            rows: vec![
                row(models[0], "7.25", Rank::Best),
                row(models[1], "91.50", Rank::Plain),
            ],
            notes: vec!["A note.".to_owned()],
            raw: Vec::new(),
            indexed: Vec::new(),
        }
    }

    #[test]
    fn the_best_is_marked_and_the_same_n_is_said_once() {
        let text = shown(&table(["good", "bad"]), 80);
        let expected = "Results on drawn.
Model       KID ↓
       ×10³ clean
─────────────────
good        ▸7.25
bad         91.50
n = 48; ▸ best of its column
A note.";
        assert_eq!(text, expected);
    }

    #[test]
    fn where_a_line_is_too_short_the_words_of_headings_come_below_each_other() {
        let text = shown(&table(["good", "bad"]), 15);
        let expected = "Results on
drawn.
Model  KID ↓
        ×10³
       clean
────────────
good   ▸7.25
bad    91.50
n = 48; ▸ best of its column
A note.";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_are_cut_in_the_middle_where_they_stay_different() {
        let names = [
            "stable-viton-longer-and-longer-014000",
            "stable-viton-longer-and-longer-006000",
        ];
        let text = shown(&table(names), 40);
        assert!(longest(&text) <= 40, "{text}");
        assert!(text.contains('…') && text.contains("014000"), "{text}");
        let names = [
            "a-very-long-name-1-whose-middle-differs",
            "a-very-long-name-2-whose-middle-differs",
        ];
        let text = shown(&table(names), 30);
        assert!(text.contains(names[0]) && text.contains(names[1]), "{text}");
    }

    #[test]
    fn words_are_not_cut() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("longer-than-that", 4), "longer-than-that");
    }
}
