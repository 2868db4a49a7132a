//! A worker of a run: generates the samples that it is given, one after the other.

use std::io::{self, BufRead as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use i2am_results::RunPaths;

use crate::batch;
use crate::cli::RunArgs;
use crate::config::{Document, Source};
use crate::device::device;
use crate::exit::Outcome;
use crate::plan::Plan;
use crate::progress;
use crate::stages::generate::{Loaded, Made};
use crate::stages::is_fatal;
use crate::stages::workers::{Answer, Failure, Job, Split};

/// Steps are reported no more often than this: nobody can read them faster.
const STEPS: Duration = Duration::from_millis(200);

/// Generates until there are no more jobs.
pub(super) fn run(args: &RunArgs) -> Result<Outcome> {
    progress::hide_bars();
    let source = Source::read(&args.config, &args.sets)?;
    let plan = Plan::of(args, &mut Document::parse_source(&source)?, None)?;
    let device = device(&plan.device)?;
    let paths = RunPaths::new(plan.output());
    let jobs = jobs();
    say(&Answer::Ready {
        settings: plan.generate_hash(),
    })?;
    let mut loaded: Option<(usize, Loaded<'_>)> = None;
    for job in jobs {
        if loaded.as_ref().is_none_or(|(model, _)| *model != job.model) {
            // First the memory of the one before.
            drop(loaded.take());
            match Loaded::load(&plan, &plan.models[job.model], device) {
                Ok(model) => loaded = Some((job.model, model)),
                Err(error) => {
                    let reason = progress::one_line(&error);
                    say(&Answer::Unloaded { reason })?;
                    continue;
                }
            }
        }
        let Some((_, model)) = &loaded else { continue };
        let mut said: Option<Instant> = None;
        let Made { results, split } = model.make(&paths, &job.samples, &mut |step, steps| {
            if said.is_none_or(|said| said.elapsed() >= STEPS) {
                said = Some(Instant::now());
                // Whether the run still listens shows at the end of the job.
                let _ = say(&Answer::Step { step, steps });
            }
        });
        let failure = |error: anyhow::Error| Failure {
            reason: progress::one_line(&error),
            fatal: is_fatal(&error),
        };
        let failures = results.into_iter().map(|made| made.err().map(failure));
        let split = split.map(|error| Split {
            size: batch::after(&error, job.samples.len()),
            reason: progress::one_line(&error.into()),
        });
        let failures = failures.collect();
        say(&Answer::Done { failures, split })?;
    }
    Ok(Outcome::Ok)
}

fn say(answer: &Answer) -> io::Result<()> {
    progress::print(&serde_json::to_string(answer)?)
}

/// The jobs that come in on standard input.
fn jobs() -> Receiver<Job> {
    let (sender, jobs) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(job) = serde_json::from_str(&line) else {
                break;
            };
            if sender.send(job).is_err() {
                break;
            }
        }
        // The run has ended or was killed, so nothing that is under way is wanted; files are complete or not there.
        end();
    });
    jobs
}

#[expect(
    clippy::exit,
    reason = "the thread that samples cannot be interrupted otherwise"
)]
fn end() {
    std::process::exit(0);
}
