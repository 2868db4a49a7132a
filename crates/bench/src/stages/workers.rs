//! Several processes that generate side by side.
//!
//! A worker is this program, started by the run as `bench work`. It gets the numbers of a model and of samples in a line of JSON on
//! standard input ([`Job`]), writes images and records into the folder of the run, and says so in a line on standard output
//! ([`Answer`]). Only the run writes `samples.csv`. Which worker takes a sample changes nothing in it.

mod queue;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use i2am_nets::libtorch;
use i2am_results::{RunFolder, Stage};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::generate::{warn_split, which};
use super::{note, stopped};
use crate::batch;
use crate::device::devices;
use crate::plan::Plan;
use crate::shard::Shard;
use queue::Queue;

/// Samples for a model to generate in one batch: their numbers in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) model: usize,
    pub(crate) samples: Vec<usize>,
}

/// A line of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// It waits for its first job. The hash is that of the settings which decide what is generated.
    Ready { settings: String },
    /// It has done this many steps of its job.
    Step { step: usize, steps: usize },
    /// The job is done, with a failure or none for each of its samples. If the batch was too large, `split` says what it may be.
    Done {
        failures: Vec<Option<Failure>>,
        split: Option<Split>,
    },
    /// A model cannot be loaded, which ends the run.
    Unloaded { reason: String },
}

/// Why a sample failed; `fatal` if every sample after it would fail too.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) fatal: bool,
}

/// Why a batch was done one by one, and how many samples to take from here on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) size: usize,
    pub(crate) reason: String,
}

/// Generates the samples `left` of every model in as many processes as there are `workers`.
///
/// # Errors
/// Workers that cannot be started, and whatever ends a run that generates by itself. The workers are stopped then.
pub(super) fn generate(
    plan: &Plan,
    folder: &mut RunFolder,
    left: &[Vec<usize>],
    workers: usize,
    bar: &ProgressBar,
) -> Result<()> {
    let (sender, events) = channel();
    let sizes = plan.models.iter().map(|entry| {
        let choice = batch::choose(entry, &plan.device);
        choice.map(|choice| choice.size)
    });
    let sizes = sizes.collect::<Result<_>>()?;
    let mut pool = Pool {
        plan,
        settings: plan.generate_hash(),
        devices: devices(&plan.device)?,
        threads: (plan.threads / workers).max(1),
        workers: BTreeMap::new(),
        started: 0,
        queue: Queue::new(left, sizes),
        sender,
        events,
    };
    bar.set_message(format!("{workers} workers are starting"));
    for _ in 0..workers {
        pool.start()?;
    }
    pool.run(folder, bar)
}

/// What happens to a worker, by its number.
enum Event {
    Says(Answer),
    /// Its output ended, after this last line on standard error.
    Ended(String),
}

struct Worker {
    child: Child,
    input: ChildStdin,
    is_ready: bool,
    /// The model that it has loaded.
    model: Option<usize>,
    job: Option<Job>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Files are complete or not there, whenever it ends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Pool<'a> {
    plan: &'a Plan,
    settings: String,
    devices: Vec<String>,
    threads: usize,
    workers: BTreeMap<usize, Worker>,
    /// Number of workers started so far.
    started: usize,
    queue: Queue,
    sender: Sender<(usize, Event)>,
    events: Receiver<(usize, Event)>,
}

impl Pool<'_> {
    fn start(&mut self) -> Result<()> {
        let number = self.started;
        let (config, sets) = &self.plan.source;
        let program = std::env::current_exe().context("this program")?;
        let mut command = Command::new(program);
        command.args(["work", "--quiet", "--config"]).arg(config);
        for set in sets {
            command.arg("--set").arg(set);
        }
        if let Some(Shard { index, count }) = self.plan.shard {
            command.args(["--shard", &format!("{index}/{count}")]);
        }
        command
            .args(["--device", &self.devices[number % self.devices.len()]])
            .args(["--threads", &self.threads.to_string()])
            .envs(libtorch::missing())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("a worker cannot be started")?;
        let piped = "standard streams of a worker are pipes";
        let (input, output, errors) = (
            child.stdin.take().expect(piped),
            child.stdout.take().expect(piped),
            child.stderr.take().expect(piped),
        );
        let last = Arc::new(Mutex::new(String::new()));
        let log = {
            let last = Arc::clone(&last);
            std::thread::spawn(move || forward(number, errors, &last))
        };
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Anything else on this stream is no word of ours.
                let Ok(answer) = serde_json::from_str(&line) else {
                    continue;
                };
                // The receiver hangs up only when the run ends.
                let _ = sender.send((number, Event::Says(answer)));
            }
            let _ = log.join();
            let last = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _ = sender.send((number, Event::Ended(last)));
        });
        let worker = Worker {
            child,
            input,
            is_ready: false,
            model: None,
            job: None,
        };
        self.workers.insert(number, worker);
        self.started += 1;
        Ok(())
    }

    /// Until every sample is done or noted as failed.
    fn run(&mut self, folder: &mut RunFolder, bar: &ProgressBar) -> Result<()> {
        while !self.queue.is_empty() || self.workers.values().any(|worker| worker.job.is_some()) {
            let (number, event) = self.events.recv().context("the workers are gone")?;
            match event {
                Event::Says(answer) => self.hear(number, answer, folder, bar)?,
                Event::Ended(last) => self.bury(number, &last, folder, bar)?,
            }
        }
        Ok(())
    }

    fn hear(
        &mut self,
        number: usize,
        answer: Answer,
        folder: &mut RunFolder,
        bar: &ProgressBar,
    ) -> Result<()> {
        let Some(worker) = self.workers.get_mut(&number) else {
            return Ok(());
        };
        let (models, ids) = (&self.plan.models, self.plan.dataset.ids());
        match (answer, worker.job.take()) {
            (Answer::Ready { settings }, None) => {
                ensure!(
                    settings == self.settings,
                    "{}: the configuration was changed while the run started",
                    self.plan.source.0.display()
                );
                worker.is_ready = true;
            }
            (Answer::Step { step, steps }, Some(job)) => {
                let (name, which) = (&models[job.model].name, which(ids, &job.samples));
                bar.set_message(format!("{name}, {which}, step {step} of {steps}"));
                worker.job = Some(job);
                return Ok(());
            }
            (Answer::Done { failures, split }, Some(job)) => {
                let name = models[job.model].name.as_str();
                ensure!(
                    failures.len() == job.samples.len(),
                    "worker {number} was given {} samples and answers for {}",
                    job.samples.len(),
                    failures.len()
                );
                for (&sample, failure) in job.samples.iter().zip(failures) {
                    let made = match failure {
                        None => Ok(Vec::new()),
                        Some(failure) if failure.fatal => {
                            bail!(stopped(name, &ids[sample], &failure.reason))
                        }
                        Some(failure) => Err(anyhow!(failure.reason)),
                    };
                    note(folder, Stage::Generate, [name, &ids[sample]], made)?;
                    bar.inc(1);
                }
                if let Some(Split { size, reason }) = split {
                    let size = self.queue.limit(job.model, size);
                    warn_split(name, &which(ids, &job.samples), size, &reason);
                }
            }
            (Answer::Unloaded { reason }, Some(_)) => bail!(reason),
            (answer, job) => bail!("worker {number} says {answer:?} with the job {job:?}"),
        }
        self.give(number);
        Ok(())
    }

    /// Gives worker `number` its next job, if there is one.
    fn give(&mut self, number: usize) {
        let others: Vec<usize> = self
            .workers
            .iter()
            .filter(|(other, _)| **other != number)
            .filter_map(|(_, worker)| worker.model)
            .collect();
        let Some(worker) = self.workers.get_mut(&number) else {
            return;
        };
        let Some(job) = self.queue.next(worker.model, &others) else {
            return;
        };
        let line = serde_json::to_string(&job).expect("numbers have a JSON text") + "\n";
        (worker.model, worker.job) = (Some(job.model), Some(job));
        // A worker that does not read any more has ended, which is heard of next.
        let _ = worker.input.write_all(line.as_bytes());
    }

    /// A worker has ended: others take over what it was at.
    fn bury(
        &mut self,
        number: usize,
        last: &str,
        folder: &mut RunFolder,
        bar: &ProgressBar,
    ) -> Result<()> {
        let Some(mut worker) = self.workers.remove(&number) else {
            return Ok(());
        };
        let how = describe(worker.child.wait().context("a worker")?, last);
        ensure!(worker.is_ready, "a worker ended before it was ready: {how}");
        let ids = self.plan.dataset.ids();
        if let Some(Job { model, samples }) = worker.job.take() {
            let name = self.plan.models[model].name.as_str();
            let given_up = self.queue.take_over(model, &samples);
            if given_up.len() < samples.len() {
                let which = which(ids, &samples);
                tracing::warn!("{name}: {which}: a worker died ({how}); another takes over");
            }
            for sample in given_up {
                let reason = anyhow!("two workers died over this sample; the second: {how}");
                note(folder, Stage::Generate, [name, &ids[sample]], Err(reason))?;
                bar.inc(1);
            }
        }
        // Where memory is short, fewer workers get further: only the last one is replaced.
        if self.workers.is_empty() && !self.queue.is_empty() {
            self.start()?;
        }
        let idle = |(number, worker): (&usize, &Worker)| {
            (worker.is_ready && worker.job.is_none()).then_some(*number)
        };
        for number in self.workers.iter().filter_map(idle).collect::<Vec<_>>() {
            self.give(number);
        }
        Ok(())
    }
}

/// How a worker ended, and the last thing that it said.
fn describe(status: ExitStatus, last: &str) -> String {
    if last.is_empty() {
        status.to_string()
    } else {
        format!("{status}; its last words: {last}")
    }
}

/// Writes the log of a worker into that of the run, and keeps its last line.
fn forward(number: usize, errors: impl Read, last: &Mutex<String>) {
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        tracing::warn!("worker {number}: {line}");
        line.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
