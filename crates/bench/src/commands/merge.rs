//! Parts of one run put together.

use anyhow::{Context as _, Result};
use i2am_results::{Merged, ResultsError, merge};
use serde_json::json;

use crate::cli::MergeArgs;
use crate::exit::{Outcome, usage};
use crate::progress;

/// Merges.
pub(super) fn run(args: &MergeArgs) -> Result<Outcome> {
    let merged = merge(&args.parts, &args.into).map_err(|error| match error {
        ResultsError::NotOneRun { .. } | ResultsError::MergeIntoPart { .. } => {
            usage(error.to_string())
        }
        error => error.into(),
    });
    let Merged { counts, warnings } = merged?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let text = if args.json {
        json!({ "into": args.into, "parts": args.parts, "counts": counts, "warnings": warnings })
            .to_string()
    } else {
        let parts = args.parts.len();
        format!(
            "{}: {} samples done, {} failed, out of {parts} folders\nScores of whole sets (FID, KID) are measured on the whole by \
             `bench --config FILE --stages measure` with this folder as its `output`.",
            args.into.display(),
            counts.ok,
            counts.failed
        )
    };
    progress::print(&text).context("standard output")?;
    Ok(if counts.failed > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}
