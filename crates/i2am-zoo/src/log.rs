//! The losses of a training: one CSV file for each stage, and its curve.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::curve;

const HEADER: &str = "step,loss,gradient_norm,learning_rate";

/// Means over the steps since the line before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    /// Before clipping.
    pub(crate) gradient_norm: f64,
    pub(crate) learning_rate: f64,
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let mut cells = text.split(',');
        let step = cells.next()?.parse().ok()?;
        let mut number = || cells.next()?.parse().ok();
        Some(Self {
            step,
            loss: number()?,
            gradient_norm: number()?,
            learning_rate: number()?,
        })
    }

    fn write(&self) -> String {
        let Self {
            step,
            loss,
            gradient_norm,
            learning_rate,
        } = self;
        format!("{step},{loss:.6},{gradient_norm:.4},{learning_rate:.3e}\n")
    }
}

/// `STAGE.csv` in the folder of a training.
pub(crate) struct Log {
    path: PathBuf,
    stage: &'static str,
    lines: Vec<Line>,
}

impl Log {
    /// The log as it was after `step`: what a killed run logged after its last saved state is dropped, for it comes again.
    pub(crate) fn open(folder: &Path, stage: &'static str, step: u64) -> Result<Self> {
        let path = folder.join(format!("{stage}.csv"));
        let known = if path.is_file() {
            let text = i2am_files::read_text(&path)?;
            let lines = text.lines().filter_map(Line::parse);
            lines.filter(|line| line.step <= step).collect()
        } else {
            Vec::new()
        };
        let log = Self {
            path,
            stage,
            lines: known,
        };
        let lines: String = log.lines.iter().map(Line::write).collect();
        i2am_files::write_atomic(&log.path, format!("{HEADER}\n{lines}").as_bytes())?;
        Ok(log)
    }

    pub(crate) fn append(&mut self, line: Line) -> Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(line.write().as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.lines.push(line);
        Ok(())
    }

    /// Draws the curve next to the log.
    pub(crate) fn draw(&self) -> Result<()> {
        let points: Vec<(f64, f64)> = self
            .lines
            .iter()
            .map(|line| (line.step as f64, line.loss))
            .collect();
        let picture = curve::svg(&format!("{}: loss", self.stage), &points);
        i2am_files::write_atomic(self.path.with_extension("svg"), picture.as_bytes())?;
        Ok(())
    }
}
