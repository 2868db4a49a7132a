//! Reading, sampling and writing side by side: while one batch is sampled, the samples of the next are read and those of the last are
//! written, each on a thread of its own. What waits in between is bounded.

use std::sync::mpsc::{channel, sync_channel};

use anyhow::Result;

/// What came of a batch.
pub(super) struct Sampled<T> {
    /// Of every sample, in their order.
    pub(super) made: Vec<T>,
    /// How many samples to take from here on.
    pub(super) size: usize,
}

/// Takes the samples `indices` in their order, at first `size` at a time: `read` one by one, `sample` them on this thread in batches, and
/// `write` each. `note` gets the results on this thread, in the same order. No more than `size` samples wait to be sampled, and as many
/// to be written.
///
/// # Errors
/// The first of `note`; samples that were not read by then are not, and those that are being written are not noted.
pub(super) fn overlapped<I: Send, O: Send, R: Send>(
    indices: &[usize],
    size: usize,
    read: impl Fn(usize) -> I + Send,
    write: impl Fn(usize, O) -> R + Send,
    sample: &mut dyn FnMut(Vec<(usize, I)>) -> Sampled<O>,
    note: &mut dyn FnMut(usize, R) -> Result<()>,
) -> Result<()> {
    let (has_read, inputs) = sync_channel(size);
    let (has_sampled, outputs) = sync_channel::<(usize, O)>(size);
    let (has_written, results) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for &index in indices {
                // The other end is gone where the run ends early.
                if has_read.send((index, read(index))).is_err() {
                    break;
                }
            }
        });
        scope.spawn(move || {
            for (index, output) in outputs {
                if has_written.send((index, write(index, output))).is_err() {
                    break;
                }
            }
        });
        // Taken here, so that they are gone, and both threads end, before the scope waits for them.
        let (inputs, has_sampled, results) = (inputs, has_sampled, results);
        let mut size = size;
        loop {
            let batch: Vec<(usize, I)> = inputs.iter().take(size).collect();
            if batch.is_empty() {
                break;
            }
            let own: Vec<usize> = batch.iter().map(|(index, _)| *index).collect();
            let sampled = sample(batch);
            size = sampled.size.max(1);
            for pair in own.into_iter().zip(sampled.made) {
                // Fails only if the other thread panicked, which the scope repeats.
                if has_sampled.send(pair).is_err() {
                    return Ok(());
                }
            }
            for (index, result) in results.try_iter() {
                note(index, result)?;
            }
        }
        drop(has_sampled);
        for (index, result) in results {
            note(index, result)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use anyhow::{anyhow, ensure};

    use super::*;

    fn sampled<T>(made: Vec<T>, size: usize) -> Sampled<T> {
        Sampled { made, size }
    }

    #[test]
    fn every_sample_keeps_its_result_and_the_order() {
        let batches = Mutex::new(Vec::new());
        let mut noted = Vec::new();
        // Sample 12 cannot be read, and 14 cannot be written.
        let read = |index: usize| (index != 12).then_some(index * 10);
        let write = |index: usize, made: Option<usize>| match made {
            _ if index == 14 => Err(anyhow!("no room")),
            Some(made) => Ok(made),
            None => Err(anyhow!("not read")),
        };
        overlapped(
            &[10, 11, 12, 13, 14, 15, 16],
            3,
            read,
            write,
            &mut |batch: Vec<(usize, Option<usize>)>| {
                let made = batch.iter().map(|(_, read)| read.map(|value| value + 1));
                let made = made.collect();
                batches.lock().unwrap().push(batch.len());
                // The first batch was too large.
                sampled(made, 2)
            },
            &mut |index, result| {
                noted.push((index, result.map_err(|error| error.to_string())));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(*batches.lock().unwrap(), [3, 2, 2]);
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            noted,
            [
                (10, Ok(101)),
                (11, Ok(111)),
                (12, error("not read")),
                (13, Ok(131)),
                (14, error("no room")),
                (15, Ok(151)),
                (16, Ok(161)),
            ]
        );
    }

    #[test]
    fn an_error_of_the_ledger_ends_it_and_what_waits_is_bounded() {
        let reads = AtomicUsize::new(0);
        let indices: Vec<usize> = (0..1000).collect();
        let ended = overlapped(
            &indices,
            2,
            |index| {
                reads.fetch_add(1, Ordering::Relaxed);
                index
            },
            |_, made: usize| made,
            &mut |batch| {
                std::thread::sleep(Duration::from_millis(20));
                // Two are sampled, two wait, and one waits for a place.
                let read = reads.load(Ordering::Relaxed);
                assert!(read <= batch[0].0 + 5, "{read} were read before {batch:?}");
                sampled(batch.iter().map(|(index, _)| *index).collect(), 2)
            },
            &mut |index, _| {
                ensure!(index != 4, "disk full");
                Ok(())
            },
        );
        assert_eq!(ended.unwrap_err().to_string(), "disk full");
        assert!(reads.load(Ordering::Relaxed) < 100);
    }

    #[test]
    fn reading_and_writing_take_no_time_of_their_own() {
        let wait = || std::thread::sleep(Duration::from_millis(30));
        let indices: Vec<usize> = (0..10).collect();
        let started = Instant::now();
        overlapped(
            &indices,
            1,
            |index| {
                wait();
                index
            },
            |_, _: usize| wait(),
            &mut |batch| {
                wait();
                sampled(batch.into_iter().map(|(_, made)| made).collect(), 1)
            },
            &mut |_, ()| Ok(()),
        )
        .unwrap();
        // One after the other they take 900 ms; side by side 360.
        let took = started.elapsed();
        assert!(took < Duration::from_millis(720), "{took:?}");
    }
}
