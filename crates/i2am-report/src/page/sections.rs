//! A section of the page for each task that a run had besides images and maps.

use crate::table::{Rank, Table};

/// A task.
pub(super) struct Task {
    /// The place to go to.
    pub(super) id: &'static str,
    /// In the list of sections.
    pub(super) short: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    /// Names of its tables.
    tables: &'static [&'static str],
}

/// Every task that has tables of its own.
pub(super) static TASKS: [Task; 4] = [
    Task {
        id: "detection",
        short: "Detection",
        title: "Detection",
        lead: "Does a map show where the object is? A box is derived from the map and compared with the true box. Baselines do not use the \
               map: they show what is possible without it.",
        tables: &["detection"],
    },
    Task {
        id: "super-resolution",
        short: "Super-resolution",
        title: "Super-resolution: attention near the matching place",
        lead: "Both images show the same content at the same place. How much of the attention falls near that place, compared with what \
               chance gives?",
        tables: &["locality", "locality_levels"],
    },
    Task {
        id: "faithfulness",
        short: "Faithfulness",
        title: "Faithfulness: does a map point at what the image depends on?",
        lead: "Parts of the reference are taken away, and the change of the image is compared with what the map claims. Baselines know \
               nothing of the model.",
        tables: &["faithfulness", "agreement", "mark"],
    },
    Task {
        id: "known-truth",
        short: "Known truth",
        title: "Known truth: does a position read from the place that it comes from?",
        lead: "Drawn samples say from where in the reference every pixel comes. Maps of single positions are compared with that place.",
        tables: &["correspondence", "correspondence_distance"],
    },
];

impl Task {
    /// The tables of this task among `tables`.
    pub(super) fn tables<'a>(&self, tables: &'a [Table]) -> Vec<&'a Table> {
        let own = |table: &&Table| self.tables.contains(&table.name.as_str());
        tables.iter().filter(own).collect()
    }
}

/// Whether a table stands in the section of a task.
pub(super) fn has_section(table: &Table) -> bool {
    TASKS
        .iter()
        .any(|task| task.tables.contains(&table.name.as_str()))
}

/// What the best cell of a table says, in words: its value, and what its line is about. None if no cell is the best.
pub(super) fn finding(table: &Table) -> Option<String> {
    let row = table
        .rows
        .iter()
        .find(|row| row.iter().any(|cell| cell.rank == Rank::Best))?;
    let place = row.iter().position(|cell| cell.rank == Rank::Best)?;
    let heading = table.columns[place]
        .heading
        .trim_end_matches([' ', '↑', '↓']);
    let about: Vec<&str> = row
        .iter()
        .zip(&table.columns)
        .filter(|(cell, column)| !column.numeric && !cell.text.is_empty())
        .map(|(cell, _)| cell.text.as_str())
        .collect();
    let interval = table
        .columns
        .iter()
        .position(|column| column.heading == "95 % interval")
        .map(|index| row[index].text.as_str())
        .filter(|text| !text.is_empty());
    let interval = interval.map_or_else(String::new, |text| format!(", 95 % interval {text}"));
    Some(format!(
        "Best {heading}: {} ({}{interval}).",
        row[place].text,
        about.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cell, Column};

    #[test]
    fn the_best_line_is_said_in_words() {
        let cell = |text: &str| Cell::new(text);
        let best = |text: &str| Cell {
            rank: Rank::Best,
            ..cell(text)
        };
        let table = Table {
            name: "detection".to_owned(),
            caption: String::new(),
            columns: vec![
                Column::text("Model"),
                Column::text("Procedure"),
                Column::number("IoU ↑"),
                Column::number("95 % interval"),
            ],
            rows: vec![
                vec![cell("a"), cell("otsu"), cell("0.3"), cell("[0.2, 0.4]")],
                vec![cell("b"), cell("otsu"), best("0.6"), cell("[0.5, 0.7]")],
            ],
            notes: Vec::new(),
            raw: Vec::new(),
            indexed: Vec::new(),
        };
        let expected = "Best IoU: 0.6 (b, otsu, 95 % interval [0.5, 0.7]).";
        assert_eq!(finding(&table).as_deref(), Some(expected));
        assert!(has_section(&table));
    }
}
