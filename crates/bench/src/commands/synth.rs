use anyhow::Result;
use i2am_synth::SynthSet;

use crate::cli::SynthArgs;
use crate::exit::Outcome;
use crate::progress;

/// Writes the synthetic set.
pub(super) fn run(args: &SynthArgs) -> Result<Outcome> {
    let bar = progress::bar("drawing", args.count as u64);
    let (height, width) = args.size;
    let set = SynthSet {
        seed: args.seed,
        count: args.count,
        height,
        width,
    };
    set.write_viton_hd(&args.out, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    tracing::info!(
        "{}: {} samples of {height}x{width}, seed {}",
        args.out.display(),
        args.count,
        args.seed
    );
    Ok(Outcome::Ok)
}
