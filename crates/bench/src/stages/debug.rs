//! After the scores: which head of which layer looks outside the mask, and when.

use anyhow::Result;
use i2am_attribution::Direction;
use i2am_datasets::Goal;
use i2am_imacs::{CellScore, RankedCell, Ranking, score_cells};
use i2am_results::{DebugRow, RunFolder, Stage, Status, read_debug, write_debug};
use rayon::prelude::*;

use super::score::{BATCH, Generated};
use crate::plan::Plan;
use crate::progress;

/// What one sample says, by direction.
type Scores = [Vec<CellScore>; 2];

/// Writes `debug/<model>.csv` for every model whose file is not that of the same samples and settings.
///
/// No more than a batch of samples is held at a time; they are summed up in the data set's order, whatever the number of threads.
pub(crate) fn run(plan: &Plan, folder: &RunFolder) -> Result<()> {
    if !plan.config.debug.ranking || plan.dataset.goal() != Goal::Repaint {
        return Ok(());
    }
    let hash = folder.manifest().config_hashes.score.hash();
    let ids = plan.dataset.ids();
    for entry in &plan.models {
        let generated = |index: &usize| {
            let done = folder.done(Stage::Generate, &entry.name, &ids[*index]);
            done == Some(Status::Ok)
        };
        let samples: Vec<usize> = plan.indices().filter(generated).collect();
        let path = folder.paths().debug(&entry.name);
        let current =
            |row: &DebugRow| row.config_hash == hash && row.n + row.missing == samples.len();
        // A file that cannot be read is written anew.
        let there = path.exists() && read_debug(&path).is_ok_and(|rows| rows.iter().all(current));
        if samples.is_empty() || there {
            continue;
        }
        let rankings = rank(plan, folder, &entry.name, &samples);
        let mut rows = Vec::new();
        for (direction, ranking) in Direction::ALL.into_iter().zip(rankings) {
            let row = |cell| row(plan, &entry.name, hash, direction, cell);
            rows.extend(ranking.ranked().into_iter().map(row));
        }
        write_debug(&path, &rows)?;
    }
    Ok(())
}

fn rank(plan: &Plan, folder: &RunFolder, model: &str, samples: &[usize]) -> [Ranking; 2] {
    let bar = progress::bar(&format!("rank heads of {model}"), samples.len() as u64);
    let mut rankings = [Ranking::default(), Ranking::default()];
    for batch in samples.chunks(BATCH) {
        let one = |&index: &usize| {
            let scores = scores(plan, folder, model, index);
            bar.inc(1);
            scores
        };
        let scored: Vec<Result<Scores>> = batch.par_iter().map(one).collect();
        for (index, scores) in batch.iter().zip(scored) {
            let scores = scores.unwrap_or_else(|error| {
                let id = &plan.dataset.ids()[*index];
                tracing::warn!(
                    "{model}: sample {id} is not ranked: {}",
                    progress::one_line(&error)
                );
                Scores::default()
            });
            for (ranking, scores) in rankings.iter_mut().zip(scores) {
                ranking.add(scores);
            }
        }
    }
    bar.finish_and_clear();
    rankings
}

fn scores(plan: &Plan, folder: &RunFolder, model: &str, index: usize) -> Result<Scores> {
    let Generated { record, masks, .. } = Generated::read(plan, folder, model, index, &[])?;
    let convention = &plan.config.convention;
    Ok(Direction::ALL.map(|direction| {
        let mask = masks.of_direction(direction);
        mask.map_or_else(
            |_no_mask| Vec::new(),
            |mask| score_cells(&record, convention, direction, mask, &plan.config.imacs),
        )
    }))
}

fn row(plan: &Plan, model: &str, hash: &str, direction: Direction, ranked: RankedCell) -> DebugRow {
    DebugRow {
        model: model.to_owned(),
        direction,
        rank: ranked.rank,
        layer: ranked.cell.layer,
        grid: ranked.grid.to_string(),
        head: ranked.cell.head,
        time_group: ranked.cell.time,
        imacs: ranked.imacs,
        sd: ranked.sd,
        n: ranked.n,
        missing: ranked.missing,
        attention_outside: ranked.attention_outside,
        area_outside: ranked.area_outside,
        convention: plan.config.convention.label(),
        note: ranked.marks.into(),
        config_hash: hash.to_owned(),
    }
}
