//! Words and bars on standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "torch")]
use indicatif::ProgressDrawTarget;
use indicatif::{
    FormattedDuration, HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle,
    WeakProgressBar,
};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Every bar is one of these, so that lines of the log can be written between them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The bar that says how far the command is, for logs without bars, and where it began.
static CURRENT: Mutex<Option<(WeakProgressBar, u64)>> = Mutex::new(None);

/// Lines of the log so far.
static LINES: AtomicU64 = AtomicU64::new(0);

/// A log without bars is silent for no longer than this; another number of seconds is set by `I2AM_LOG_SECONDS`.
const SILENCE: Duration = Duration::from_secs(30);

/// Collects a line and writes it while the bars are out of the way.
#[derive(Default)]
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        LINES.fetch_add(1, Ordering::Relaxed);
        // A closed standard error is no reason to stop.
        let _ = BARS.suspend(|| io::stderr().write_all(&self.0));
    }
}

struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line::default()
    }
}

/// Sends the log to standard error; `RUST_LOG` chooses what, `quiet` only warnings.
pub(crate) fn start_logging(quiet: bool) {
    let default = if quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let format = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_writer(Lines);
    format
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    if !io::stderr().is_terminal() {
        std::thread::spawn(break_silence);
    }
}

/// Says now and then how far the command is.
fn break_silence() {
    let seconds = std::env::var("I2AM_LOG_SECONDS").ok();
    let silence =
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
    let silence = silence.unwrap_or(SILENCE);
    let (mut lines, mut since) = (0, Instant::now());
    loop {
        std::thread::sleep(silence / 10);
        let now = LINES.load(Ordering::Relaxed);
        if now != lines {
            (lines, since) = (now, Instant::now());
        } else if since.elapsed() + silence / 10 >= silence {
            since = Instant::now();
            let (bar, first) = current().clone().unwrap_or_default();
            if let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
                tracing::info!("{}", state(&bar, first));
            }
        }
    }
}

fn current() -> MutexGuard<'static, Option<(WeakProgressBar, u64)>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time that the rest takes if it goes on as it went from `first` on. The mean does not mind that some things are done in bursts,
/// such as samples computed side by side. None until something is done.
fn time_left(elapsed: Duration, [first, done, total]: [u64; 3]) -> Option<Duration> {
    let made = done.checked_sub(first).filter(|&made| made > 0)?;
    Some(elapsed.mul_f64(total.saturating_sub(done) as f64 / made as f64))
}

/// A bar that began at `first`, in words.
fn state(bar: &ProgressBar, first: u64) -> String {
    let (done, total) = (bar.position(), bar.length().unwrap_or(0));
    let left = match time_left(bar.elapsed(), [first, done, total]) {
        None => "time left not known yet".to_owned(),
        Some(left) => format!("{} left", HumanDuration(left)),
    };
    let message = bar.message();
    let at = if message.is_empty() { "" } else { ", now " };
    format!(
        "{}: {done} of {total} done, {left}{at}{message}",
        bar.prefix()
    )
}

/// One line for an error and its causes.
pub(crate) fn error(error: &anyhow::Error) {
    tracing::error!("{}", one_line(error));
}

/// An error and its causes; a cause that the error before it names already is not repeated.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Draws no bars from now on.
#[cfg(feature = "torch")]
pub(crate) fn hide_bars() {
    BARS.set_draw_target(ProgressDrawTarget::hidden());
}

/// Text on standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A bar with the time left. Nothing is drawn off a terminal; there, the log says now and then how far the newest bar is.
pub(crate) fn bar(title: &str, length: u64) -> ProgressBar {
    bar_from(title, 0, length)
}

/// As [`bar`], where `first` of all is done already.
pub(crate) fn bar_from(title: &str, first: u64, length: u64) -> ProgressBar {
    let template = "{prefix:<24.bold} {bar:30} {pos:>5}/{len} {msg} {elapsed_precise} left {left}";
    let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let counts = [first, state.pos(), state.len().unwrap_or(0)];
        // A bar that cannot be drawn is no reason to stop.
        let _ = match time_left(state.elapsed(), counts) {
            None => out.write_str("-"),
            Some(left) => write!(out, "{}", FormattedDuration(left)),
        };
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let bar = BARS.add(
        ProgressBar::new(length)
            .with_style(style.with_key("left", left))
            .with_prefix(title.to_owned())
            .with_position(first),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    *current() = Some((bar.downgrade(), first));
    bar
}

/// A bar for each work that a metric reports.
#[derive(Default)]
pub(crate) struct MetricBars(Mutex<Option<ProgressBar>>);

impl MetricBars {
    fn current(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl i2am_metrics::Progress for MetricBars {
    fn start(&self, what: &str, total: u64) {
        *self.current() = Some(bar(what, total));
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = self.current().as_ref() {
            bar.inc(units);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.current().take() {
            bar.finish_and_clear();
        }
    }

    fn warn(&self, what: &str) {
        tracing::warn!("{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_mean_rate_of_this_session() {
        let minute = Duration::from_mins(1);
        assert_eq!(time_left(minute, [0, 0, 48]), None);
        assert_eq!(time_left(minute, [0, 2, 48]), Some(minute * 23));
        // 40 were done before.
        assert_eq!(time_left(minute, [40, 42, 48]), Some(minute * 3));
        assert_eq!(time_left(minute, [40, 40, 48]), None);
        assert_eq!(time_left(minute, [0, 48, 48]), Some(Duration::ZERO));
    }

    #[test]
    fn a_cause_is_named_once() {
        let cause = || std::io::Error::other("no such file");
        let error = anyhow::Error::new(cause()).context("cannot read x");
        assert_eq!(one_line(&error), "cannot read x: no such file");
        let named = anyhow::Error::new(cause()).context("cannot read x: no such file");
        assert_eq!(
            one_line(&named.context("model")),
            "model: cannot read x: no such file"
        );
    }
}
