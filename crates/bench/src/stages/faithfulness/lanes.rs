//! Samples side by side, their results in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::Result;

/// What a lane takes its jobs from, and hands their results to.
pub(super) struct Jobs<'a, T> {
    next: &'a AtomicUsize,
    count: usize,
    done: &'a SyncSender<Result<(usize, T)>>,
}

impl<T> Jobs<'_, T> {
    /// Does one job after the other that no lane has begun, until there is none, or nobody takes results.
    pub(super) fn work(&self, job: impl Fn(usize) -> T) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count || self.done.send(Ok((index, job(index)))).is_err() {
                return;
            }
        }
    }
}

/// Does `count` jobs in so many `lanes`, each on a thread of its own, and lets `take` have the results in the order of the jobs.
///
/// # Errors
/// The first of a lane that could not begin, or of `take`; no job is begun then.
pub(super) fn in_order<T: Send>(
    lanes: usize,
    count: usize,
    lane: impl Fn(&Jobs<'_, T>) -> Result<()> + Sync,
    mut take: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, results) = sync_channel(lanes);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            let (lane, next, done) = (&lane, &next, sender.clone());
            scope.spawn(move || {
                let jobs = Jobs {
                    next,
                    count,
                    done: &done,
                };
                if let Err(error) = lane(&jobs) {
                    // Where nobody takes results, another error has ended the stage.
                    let _ = done.send(Err(error));
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for result in results {
            let (index, result) = result?;
            early.insert(index, result);
            while let Some(result) = early.remove(&due) {
                take(due, result)?;
                due += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let lane = |jobs: &Jobs<'_, usize>| {
            jobs.work(|index| {
                // The first of every three is the slowest.
                std::thread::sleep(Duration::from_millis(if index % 3 == 0 { 20 } else { 1 }));
                index * index
            });
            Ok(())
        };
        let mut taken = Vec::new();
        let take = |index, square| {
            taken.push((index, square));
            Ok(())
        };
        in_order(3, 9, lane, take).unwrap();
        let expected: Vec<(usize, usize)> = (0..9).map(|index| (index, index * index)).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn an_error_ends_all_lanes() {
        let begun = AtomicUsize::new(0);
        let lane = |jobs: &Jobs<'_, ()>| {
            jobs.work(|_| {
                begun.fetch_add(1, Ordering::Relaxed);
            });
            Ok(())
        };
        let take = |index, ()| {
            if index == 1 {
                bail!("the disk is full");
            }
            Ok(())
        };
        let error = in_order(2, 1000, lane, take).unwrap_err();
        assert_eq!(error.to_string(), "the disk is full");
        assert!(begun.into_inner() < 100);
        let cannot_begin = |_: &Jobs<'_, ()>| bail!("no such checkpoint");
        let error = in_order(2, 3, cannot_begin, |_, ()| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "no such checkpoint");
    }
}
