//! The table of evaluations of a training.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Puts the line of `step` into the table, behind those of earlier steps. `columns` name the cells, separated by commas.
pub(crate) fn record(path: &Path, columns: &str, step: u64, cells: &[f64]) -> Result<()> {
    let known = if path.is_file() {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
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
