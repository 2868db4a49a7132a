//! A stopwatch that also tells processor time.

use std::time::Instant;

/// Seconds of wall time and of processor time over all threads.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) wall: f64,
    pub(crate) processor: f64,
}

pub(crate) struct Clock {
    wall: Instant,
    processor: f64,
}

impl Clock {
    pub(crate) fn now() -> Self {
        Self {
            wall: Instant::now(),
            processor: processor_seconds(),
        }
    }

    pub(crate) fn elapsed(&self) -> Taken {
        Taken {
            wall: self.wall.elapsed().as_secs_f64(),
            processor: processor_seconds() - self.processor,
        }
    }
}

/// Processor time of this process so far, as the kernel counts it: in hundredths of a second.
fn processor_seconds() -> f64 {
    let read = || {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name stands in brackets and may hold blanks; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(11);
        let (user, system): (f64, f64) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / 100.0)
    };
    read().unwrap_or(f64::NAN)
}
