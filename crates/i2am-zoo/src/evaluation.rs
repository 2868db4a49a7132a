//! What is generated on the way of a training: pictures, and a table of how good they are.

use std::path::Path;

use anyhow::Result;
use i2am_runner::noise::NoiseSource;
use tch::Tensor;

use crate::pictures;

/// The noise of an evaluation sample: the same at every step.
pub(crate) fn noise(seed: u64, sample: &str) -> NoiseSource {
    NoiseSource::Seeded {
        seed,
        dataset: "evaluation".to_owned(),
        sample: sample.to_owned(),
    }
}

/// Writes the pictures of all samples, a column for each, and returns the means of their figures.
pub(crate) fn write_columns<const N: usize>(
    stem: &Path,
    done: &[(Vec<Tensor>, [f64; N])],
) -> Result<[f64; N]> {
    let row = |index: usize| {
        let cells: Vec<&Tensor> = done.iter().map(|(column, _)| &column[index]).collect();
        Tensor::cat(&cells, 0)
    };
    let rows = done.first().map_or(0, |(column, _)| column.len());
    let rows: Vec<Tensor> = (0..rows).map(row).collect();
    pictures::write_rows(&stem.with_extension("png"), &rows)?;
    let mean = |index: usize| {
        done.iter()
            .map(|(_, q): &(_, [f64; N])| q[index])
            .sum::<f64>()
    };
    Ok(std::array::from_fn(|index| mean(index) / done.len() as f64))
}

/// Puts the line of `step` into the table next to `stem`, behind those of earlier steps. `columns` name the cells, separated by commas.
pub(crate) fn record(stem: &Path, columns: &str, step: u64, cells: &[f64]) -> Result<()> {
    let path = stem.with_file_name("evaluation.csv");
    let known = if path.is_file() {
        i2am_files::read_text(&path)?
    } else {
        String::new()
    };
    let is_earlier = |line: &&str| {
        let number = line.split(',').next().and_then(|n| n.parse::<u64>().ok());
        number.is_some_and(|number| number < step)
    };
    let mut lines = vec![format!("step,{columns}")];
    lines.extend(known.lines().filter(is_earlier).map(str::to_owned));
    let first = std::iter::once(step.to_string());
    let cells = first.chain(cells.iter().map(|cell| format!("{cell:.5}")));
    lines.push(cells.collect::<Vec<_>>().join(","));
    i2am_files::write_atomic(path, (lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
