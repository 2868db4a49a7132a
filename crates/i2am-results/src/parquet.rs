//! `samples.parquet`: the ledger, typed. The only file that knows polars.

use std::path::Path;

use polars::prelude::{Column, DataFrame, ParquetWriter, PolarsError};

use crate::error::ResultsError;
use crate::reader::current_batches;
use crate::row::{COLUMNS, Row};

/// Rows in memory at a time, and in one row group of the file.
const ROW_GROUP: usize = 1 << 16;

/// Writes the rows of the ledger `samples_csv`, closing rows included, to `parquet`: `version` as u32, `value` as f64
/// with null where it is empty, the rest as text.
pub(crate) fn write_parquet(samples_csv: &Path, parquet: &Path) -> Result<(), ResultsError> {
    let encoding = |error: PolarsError| ResultsError::Parquet {
        path: parquet.to_owned(),
        problem: error.to_string(),
    };
    let mut bytes = Vec::new();
    let schema = frame(&[]).map_err(encoding)?.schema().clone();
    let mut writer = ParquetWriter::new(&mut bytes)
        .batched(&schema)
        .map_err(encoding)?;
    let mut rows: Vec<Row> = Vec::new();
    for batch in current_batches(samples_csv)? {
        let batch = batch?;
        rows.extend(batch.rows);
        rows.push(batch.closing);
        if rows.len() >= ROW_GROUP {
            writer
                .write_batch(&frame(&rows).map_err(encoding)?)
                .map_err(encoding)?;
            rows.clear();
        }
    }
    if !rows.is_empty() {
        writer
            .write_batch(&frame(&rows).map_err(encoding)?)
            .map_err(encoding)?;
    }
    writer.finish().map_err(encoding)?;
    Ok(i2am_files::write_atomic(parquet, bytes)?)
}

fn frame(rows: &[Row]) -> Result<DataFrame, PolarsError> {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let column = |(index, name): (usize, &&'static str)| {
        let name_of_column = (*name).into();
        match *name {
            "version" => {
                let versions = rows.iter().map(|row| row.measurement.version);
                Column::new(name_of_column, versions.collect::<Vec<u32>>())
            }
            "value" => {
                let values = rows.iter().map(|row| row.measurement.outcome.value());
                Column::new(name_of_column, values.collect::<Vec<Option<f64>>>())
            }
            _ => {
                let texts = cells.iter().map(|cells| cells[index].as_ref());
                Column::new(name_of_column, texts.collect::<Vec<&str>>())
            }
        }
    };
    DataFrame::new(rows.len(), COLUMNS.iter().enumerate().map(column).collect())
}

#[cfg(test)]
mod tests;
