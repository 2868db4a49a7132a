use std::path::Path;

use anyhow::{Context as _, Result};
use i2am_imaging::RgbImage;
use i2am_metrics::{Pair, PairMetric, PairValue, Progress, in_batches};

/// Values of one metric, one per pair.
pub(crate) type PairScores = Vec<PairValue>;

/// A generated picture and its ground truth.
type Loaded = (RgbImage, RgbImage);

/// Measures all of `metrics` on `count` pairs, called by their `name` in messages. The next pairs are read while those before are measured.
///
/// # Errors
/// The first pair that cannot be read or compared.
pub(crate) fn measure_pairs(
    metrics: &[&dyn PairMetric],
    count: usize,
    batch: usize,
    load: &(dyn Fn(usize) -> Result<Loaded> + Sync),
    name: &dyn Fn(usize) -> String,
    progress: &dyn Progress,
) -> Result<Vec<PairScores>> {
    let mut scores = vec![Vec::with_capacity(count); metrics.len()];
    progress.start("pairs", count as u64);
    let done = in_batches(count, batch, load, |loaded| {
        let pairs: Vec<Pair<'_>> = loaded
            .iter()
            .map(|(generated, real)| Pair::new(generated, real))
            .collect::<Result<_, _>>()?;
        for (metric, scores) in metrics.iter().zip(&mut scores) {
            let measured = metric.measure(&pairs).map_err(|error| {
                // The metric does not know whose pictures they are.
                let is_to_blame =
                    |pair: &Pair<'_>| metric.measure(std::slice::from_ref(pair)).is_err();
                let culprit = scores.len() + pairs.iter().position(is_to_blame).unwrap_or_default();
                anyhow::Error::new(error).context(name(culprit))
            })?;
            scores.extend(measured);
        }
        progress.advance(pairs.len() as u64);
        Ok(())
    });
    progress.finish();
    done.map(|()| scores)
}

/// Reads the two files of a pair, which must have one size.
///
/// # Errors
/// A file that cannot be read, or two sizes.
pub(crate) fn read_pair(generated: &Path, real: &Path) -> Result<Loaded> {
    let pair = (
        i2am_imaging::read_rgb(generated)?,
        i2am_imaging::read_rgb(real)?,
    );
    Pair::new(&pair.0, &pair.1)
        .with_context(|| format!("{} and {}", generated.display(), real.display()))?;
    Ok(pair)
}
