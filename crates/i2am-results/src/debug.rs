//! `debug/<model>.csv`: which head of which layer looks outside the mask, and when.

use std::path::Path;

use i2am_quantity::{Direction, Notes};
use serde::{Deserialize, Serialize};

use crate::error::ResultsError;
use crate::row::csv_problem;

/// One row of `debug/<model>.csv`: one head of one layer in one time group, summed up over samples. The fields are the columns, in
/// this order. Rows are sorted by direction, then by rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebugRow {
    /// Name of the model.
    pub model: String,
    /// Each is ranked on its own.
    pub direction: Direction,
    /// 1 for the lowest mean score; empty where no sample has one.
    pub rank: Option<usize>,
    /// Name of the layer.
    pub layer: String,
    /// Size of the layer's own map, as `16x12`.
    pub grid: String,
    /// The head, counted from 0.
    pub head: usize,
    /// The time group, counted from the first and noisiest.
    pub time_group: usize,
    /// Mean IMACS over the `n` samples: `imacs_g` in direction `r2g`, `imacs_r` in `g2r`.
    pub imacs: Option<f64>,
    /// Standard deviation, with `n - 1`.
    pub sd: Option<f64>,
    /// Samples that have a score.
    pub n: usize,
    /// Samples that have none.
    pub missing: usize,
    /// Mean share of the layer's attention that lies outside the mask, 0 to 1, before any normalisation or change of polarity.
    pub attention_outside: Option<f64>,
    /// Mean share of the area that lies outside the mask at the layer's size, 0 to 1: what even attention would have.
    pub area_outside: Option<f64>,
    /// As [`Measurement::convention`](crate::Measurement::convention).
    pub convention: String,
    /// As [`Measurement::note`](crate::Measurement::note).
    pub note: Notes,
    /// Hash of the settings of [`Stage::Score`](crate::Stage::Score).
    pub config_hash: String,
}

/// Reads a `debug/<model>.csv`.
///
/// # Errors
/// A file that cannot be read, or a line that is no such row.
pub fn read_debug(path: &Path) -> Result<Vec<DebugRow>, ResultsError> {
    let text = i2am_files::read_text(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize().enumerate().map(|(index, row)| {
        row.map_err(|error| ResultsError::Damaged {
            path: path.to_owned(),
            line: error
                .position()
                .map_or(index as u64 + 2, csv::Position::line),
            problem: csv_problem(&error),
        })
    });
    rows.collect()
}

/// Writes a `debug/<model>.csv`, its folder included.
///
/// # Errors
/// A file that cannot be written.
///
/// # Panics
/// Never: the fields are plain, and memory takes them.
pub fn write_debug(path: &Path, rows: &[DebugRow]) -> Result<(), ResultsError> {
    if let Some(folder) = path.parent() {
        i2am_files::create_dir(folder)?;
    }
    Ok(i2am_files::write_atomic(path, to_csv(rows))?)
}

fn to_csv(rows: &[DebugRow]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .expect("plain fields can be written to memory");
    }
    writer
        .into_inner()
        .expect("memory takes what is written to it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rank: Option<usize>) -> DebugRow {
        DebugRow {
            model: "pbe".to_owned(),
            direction: Direction::ReferenceToGenerated,
            rank,
            layer: "up_blocks.1.attentions.2.transformer_blocks.0.attn2".to_owned(),
            grid: "16x12".to_owned(),
            head: 3,
            time_group: 0,
            imacs: rank.map(|_| -2.062_500_000_000_000_4),
            sd: None,
            n: 1,
            missing: 2,
            attention_outside: Some(0.75),
            area_outside: Some(0.625),
            convention: "spatial".to_owned(),
            note: Notes::from("one-token"),
            config_hash: "0123456789abcdef".to_owned(),
        }
    }

    #[test]
    fn rows_are_read_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("debug/pbe.csv");
        let rows = [row(Some(1)), row(None)];
        write_debug(&path, &rows).unwrap();
        assert_eq!(read_debug(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        let header = "model,direction,rank,layer,grid,head,time_group,imacs,sd,n,missing,attention_outside,area_outside,convention,note,config_hash";
        assert_eq!(text.lines().next(), Some(header));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pbe.csv");
        write_debug(&path, &[row(Some(1)), row(Some(2))]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let damaged = text.replacen(",2,up_blocks", ",two,up_blocks", 1);
        i2am_files::write_atomic(&path, damaged).unwrap();
        let message = read_debug(&path).unwrap_err().to_string();
        assert!(message.contains("line 3"), "{message}");
    }
}
