//! Whether maps point at what the image depends on: parts of the reference are taken away, in single passes of the networks or in whole
//! samplings, and what changes is compared with what maps, and baselines that know nothing of the model, claim. One file for each
//! question.

mod answers;
mod cells;
mod counterfactual;
mod curves;
mod knock_out;
mod lanes;
mod maps;
mod mark;
mod randomized;
mod removal;
mod rows;
mod scene;
mod share;
mod worth;

use anyhow::{Context as _, Result};
use i2am_quantity::Measurement;
use i2am_results::{RunFolder, Stage, Status};

use super::note;
use crate::config::Faithfulness;
use crate::device::{NetworkThreads, device, lanes};
use crate::plan::Plan;
use crate::progress;
use answers::Asked;
use lanes::{Jobs, in_order};

/// Indices of the samples that `model` has generated and was not asked about yet.
fn left(plan: &Plan, settings: &Faithfulness, folder: &RunFolder, model: &str) -> Vec<usize> {
    let ids = plan.dataset.ids();
    let generated =
        |index: &usize| folder.done(Stage::Generate, model, &ids[*index]) == Some(Status::Ok);
    let has_file = |index: usize| folder.paths().counterfactual(model, &ids[index]).is_file();
    let open = |index: &usize| !ended(folder, [model, &ids[*index]]) || !has_file(*index);
    let asked = plan.indices().take(settings.samples);
    asked.filter(generated).filter(open).collect()
}

fn ended(folder: &RunFolder, [model, id]: [&str; 2]) -> bool {
    folder.done(Stage::Faithfulness, model, id) == Some(Status::Ok)
}

/// Whether there is a sample to answer for.
pub(super) fn is_left(plan: &Plan, folder: &RunFolder) -> bool {
    let settings = plan.config.faithfulness.as_ref();
    settings.is_some_and(|settings| {
        let mut models = plan.models.iter();
        models.any(|entry| !left(plan, settings, folder, &entry.name).is_empty())
    })
}

/// Answers for every sample that was generated and not asked yet.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let Some(settings) = &plan.config.faithfulness else {
        return Ok(());
    };
    let device = device(&plan.device)?;
    let ids = plan.dataset.ids();
    let all: usize = plan
        .models
        .iter()
        .map(|entry| left(plan, settings, folder, &entry.name).len())
        .sum();
    let bar = progress::bar("faithfulness", all as u64);
    for entry in &plan.models {
        let left = left(plan, settings, folder, &entry.name);
        if left.is_empty() {
            continue;
        }
        bar.set_message(format!("loading {}", entry.name));
        let paths = folder.paths().clone();
        let lane = |jobs: &Jobs<'_, Result<Vec<Measurement>>>| {
            let _threads = NetworkThreads::of_model(entry, device, plan.threads)?;
            let (pipeline, weights) = entry
                .model
                .load_with_weights(device)
                .with_context(|| format!("model `{}`", entry.name))?;
            let asked = Asked {
                plan,
                settings,
                model: &entry.name,
                pipeline: pipeline.as_ref(),
                weights: &weights,
                parts: entry.model.needs(),
                paths: paths.clone(),
            };
            jobs.work(|job| {
                bar.set_message(format!("{}, sample {}", entry.name, ids[left[job]]));
                asked.sample(left[job])
            });
            Ok(())
        };
        let lanes = lanes(entry, device, plan.threads)?.min(left.len());
        in_order(lanes, left.len(), lane, |job, rows| {
            let sample = [entry.name.as_str(), ids[left[job]].as_str()];
            // Where they are known, only the file of the sample was gone.
            if !ended(folder, sample) || rows.is_err() {
                note(folder, Stage::Faithfulness, sample, rows)?;
            }
            bar.inc(1);
            Ok(())
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}
