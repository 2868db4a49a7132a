use anyhow::Result;
use i2am_results::RunFolder;

use crate::cli::{RunArgs, StageName};
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::{progress, stages, table};

/// Runs the stages in order; what an earlier run of the same configuration did is not done again.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    let plan = Plan::of(args)?;
    plan.check()?;
    let mut folder = RunFolder::open(plan.output(), plan.manifest()?, plan.fresh)?;
    let done = run_stages(&plan, &mut folder);
    if let Err(error) = done {
        folder.fail(format!("{error:#}"))?;
        return Err(error);
    }
    folder.finish(Vec::new())?;
    progress::print(&table::summary(&folder.aggregate()?))?;
    let worst = stages::debug::worst(&plan, &folder)?;
    if !worst.is_empty() {
        progress::print(&table::worst(&worst))?;
    }
    let counts = folder.counts();
    tracing::info!(
        "{}: {} samples done, {} failed, {} done before",
        folder.paths().dir().display(),
        counts.ok,
        counts.failed,
        counts.skipped
    );
    Ok(if counts.failed > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}

fn run_stages(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    for stage in &plan.stages {
        match stage {
            #[cfg(feature = "torch")]
            StageName::Generate => stages::generate::run(plan, folder)?,
            // `Plan::check` has refused it.
            #[cfg(not(feature = "torch"))]
            StageName::Generate => {}
            StageName::Score => {
                stages::score::run(plan, folder)?;
                stages::debug::run(plan, folder)?;
            }
            StageName::Measure => stages::measure::run(plan, folder)?,
        }
    }
    Ok(())
}
