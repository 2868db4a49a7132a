//! Cells of the reference taken away from one sample in one way.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use i2am_attribution::Grid;
use i2am_faithfulness::{NOISE, Paint, paint};
use i2am_imaging::RgbImage;
use i2am_runner::families::{Question, WithoutCells};

use super::answers::About;
use super::scene::Scene;
use crate::config::{Faithfulness, Operator};

/// Standard deviation of the blur that paints a cell, in sides of a cell.
const BLUR: f64 = 0.5;

impl Faithfulness {
    /// The cells of the reference.
    pub(super) fn grid(&self) -> Grid {
        let [height, width] = self.cells;
        Grid { height, width }
    }
}

/// Cells taken away from one sample in one way. What was asked once is remembered.
pub(super) struct Removal<'a> {
    about: &'a About<'a>,
    pub(super) operator: Operator,
    /// What is left of the image without some cells, by these.
    kept: BTreeMap<Vec<usize>, f64>,
}

impl<'a> Removal<'a> {
    pub(super) fn new(about: &'a About<'a>, operator: Operator) -> Self {
        Self {
            about,
            operator,
            kept: BTreeMap::new(),
        }
    }

    /// What is predicted without each cell.
    pub(super) fn each_cell(&mut self, scene: &mut Scene<'_>) -> Result<Vec<Vec<f32>>> {
        let cells = self.about.asked.settings.grid().len();
        let sets: Vec<Vec<usize>> = (0..cells).map(|cell| vec![cell]).collect();
        let latents = self.without(scene, &sets)?;
        self.remember(scene, sets, &latents)?;
        Ok(latents)
    }

    /// What is left of the image without each of `sets` of sorted cells: 1 for all of it, 0 for what is left without the reference.
    pub(super) fn kept(&mut self, scene: &mut Scene<'_>, sets: &[Vec<usize>]) -> Result<Vec<f64>> {
        let all = self.about.asked.settings.grid().len();
        self.kept.insert(Vec::new(), 1.0);
        if self.operator == Operator::Forbid {
            // With nothing left to attend to there is no softmax.
            self.kept.insert((0..all).collect(), 0.0);
        }
        let mut new: Vec<Vec<usize>> = sets.to_vec();
        new.sort_unstable();
        new.dedup();
        new.retain(|set| !self.kept.contains_key(set));
        let latents = self.without(scene, &new)?;
        self.remember(scene, new, &latents)?;
        Ok(sets.iter().map(|set| self.kept[set]).collect())
    }

    fn remember(
        &mut self,
        scene: &Scene<'_>,
        sets: Vec<Vec<usize>>,
        latents: &[Vec<f32>],
    ) -> Result<()> {
        let effects = scene.effects_of(latents)?;
        let kept = effects.into_iter().map(|effect| 1.0 - effect);
        self.kept.extend(sets.into_iter().zip(kept));
        Ok(())
    }

    /// What is predicted without each of `sets` of cells.
    fn without(&self, scene: &mut Scene<'_>, sets: &[Vec<usize>]) -> Result<Vec<Vec<f32>>> {
        let settings = self.about.asked.settings;
        let (grid, conditional) = (settings.grid(), scene.conditional());
        if self.operator == Operator::Forbid {
            let probe = |set: &Vec<usize>| {
                let mut gone = vec![false; grid.len()];
                for &cell in set {
                    gone[cell] = true;
                }
                WithoutCells::new(grid, gone, conditional)
            };
            let mut probes: Vec<WithoutCells> = sets.iter().map(probe).collect();
            let mut questions: Vec<Question<'_>> = probes
                .iter_mut()
                .map(|probe| Question::Probed(probe))
                .collect();
            return scene.ask(&mut questions);
        }
        let operator = self.painting()?;
        let reference = &self.about.sample.reference;
        let painted = sets
            .iter()
            .map(|set| Ok(paint(reference, settings.cells, set, &operator)?));
        let painted: Vec<RgbImage> = painted.collect::<Result<_>>()?;
        let mut questions: Vec<Question<'_>> = painted.iter().map(Question::Reading).collect();
        scene.ask(&mut questions)
    }

    /// The operator that paints.
    fn painting(&self) -> Result<Paint<'_>> {
        let About {
            asked,
            sample,
            others,
            ..
        } = self.about;
        Ok(match self.operator {
            Operator::Forbid | Operator::MeanColor => Paint::MeanColor,
            Operator::Blur => {
                let [rows, columns] = asked.settings.cells.map(|count| count as f64);
                let (width, height) = sample.reference.dimensions();
                let side = (f64::from(height) / rows).max(f64::from(width) / columns);
                Paint::Blur {
                    deviation: BLUR * side,
                }
            }
            Operator::Imputation => Paint::Linear {
                noise: NOISE,
                seed: asked.seed(sample),
            },
            Operator::OtherReference => {
                let other = others.reference.as_ref();
                Paint::Other(other.ok_or_else(|| anyhow!("there is no other reference"))?)
            }
        })
    }
}
