//! Reads what comes next while what was read is worked on.

use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

/// Calls `work` with the items `0..count` in their order, `batch` at a time. `load` makes the items of the next batch, in parallel,
/// while `work` has one: two batches are in memory, however many there are in all.
///
/// # Errors
/// The first error of `load`, in the order of the items, or of `work`. Items before its batch were worked on.
///
/// # Panics
/// If `batch` is 0.
pub fn in_batches<T: Send, E: Send>(
    count: usize,
    batch: usize,
    load: impl Fn(usize) -> Result<T, E> + Sync,
    mut work: impl FnMut(Vec<T>) -> Result<(), E>,
) -> Result<(), E> {
    let load = &load;
    std::thread::scope(|scope| {
        // No room to wait in: one batch is in work, one in the making.
        let (sender, receiver) = sync_channel(0);
        scope.spawn(move || {
            for start in (0..count).step_by(batch) {
                let indices = start..(start + batch).min(count);
                let loaded: Vec<Result<T, E>> = indices.into_par_iter().map(load).collect();
                let loaded: Result<Vec<T>, E> = loaded.into_iter().collect();
                let failed = loaded.is_err();
                // The receiver hangs up only after an error of its own.
                if sender.send(loaded).is_err() || failed {
                    break;
                }
            }
        });
        receiver.into_iter().try_for_each(|loaded| work(loaded?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_once_and_in_order() {
        for (count, batch) in [(0, 3), (1, 3), (7, 3), (9, 3), (5, 100)] {
            let mut seen = Vec::new();
            let done: Result<(), ()> = in_batches(count, batch, Ok, |items| {
                assert!(items.len() <= batch);
                seen.extend(items);
                Ok(())
            });
            assert_eq!((done, seen), (Ok(()), (0..count).collect()));
        }
    }

    #[test]
    fn the_first_error_is_told() {
        let load = |index| {
            if index % 4 == 3 {
                Err(index)
            } else {
                Ok(index)
            }
        };
        let mut seen = Vec::new();
        let done = in_batches(100, 10, load, |items| {
            seen.extend(items);
            Ok(())
        });
        assert_eq!((done, seen.len()), (Err(3), 0));
        let mut batches = 0;
        let stopped = in_batches(100, 10, Ok, |_: Vec<usize>| {
            batches += 1;
            if batches == 2 { Err("enough") } else { Ok(()) }
        });
        assert_eq!((stopped, batches), (Err("enough"), 2));
    }
}
