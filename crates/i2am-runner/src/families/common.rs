//! What several families do alike.

use std::path::Path;

use i2am_nets::layout::Checkpoint;
use i2am_nets::{ExpectedSource, NetError};
use tch::Tensor;

use super::ModelFacts;
use crate::RunnerError;
use crate::capture::{CaptureConfig, CaptureMasks, ConditionalHalf, Recorder};
use crate::noise::NoiseSource;
use crate::samplers::SamplerConfig;
use crate::schedule::{Schedule, TRAIN_STEPS};

/// Layers that are recorded: every cross-attention but the one at the lowest resolution, as in the published method.
pub(super) fn wants(layer: &str) -> bool {
    !layer.starts_with("mid_block.")
}

/// Whether a guidance scale asks for a pass without the reference.
pub(super) fn is_guided(guidance: f64) -> bool {
    (guidance - 1.0).abs() > f64::EPSILON
}

/// Height and width of a generated picture.
///
/// # Errors
/// [`RunnerError::Setting`] unless both are positive multiples of `multiple`.
pub(super) fn checked_size(
    [height, width]: [i64; 2],
    multiple: i64,
) -> Result<(i64, i64), RunnerError> {
    if height <= 0 || width <= 0 || height % multiple != 0 || width % multiple != 0 {
        return Err(RunnerError::Setting {
            key: "model.size",
            expected: format!("[height, width] in multiples of {multiple}"),
            found: format!("[{height}, {width}]"),
        });
    }
    Ok((height, width))
}

/// What is known of a model whose networks have asked `expected` for their tensors.
///
/// # Errors
/// Tensors of `checkpoint` that are missing or wrong; a sampler or a capture that cannot work.
pub(super) fn facts(
    checkpoint: &Checkpoint,
    expected: &ExpectedSource,
    sampler: &SamplerConfig,
    capture: Option<&CaptureConfig>,
    size: Option<(i64, i64)>,
    wants: fn(&str) -> bool,
) -> Result<ModelFacts, RunnerError> {
    let report = checkpoint.compare(&expected.shapes());
    if !report.is_complete() {
        let path = checkpoint.path().to_owned();
        return Err(NetError::Tensors {
            path,
            report: Box::new(report),
        }
        .into());
    }
    let steps = sampler.build(&Schedule::default())?.timesteps().len();
    if let Some(capture) = capture {
        capture
            .intervene
            .check_layers(&expected.cross_attentions("unet"))?;
        Recorder::new(
            capture,
            ConditionalHalf::Whole,
            wants,
            CaptureMasks::default(),
            steps,
        )?;
    }
    Ok(ModelFacts {
        parameters: expected.parameters(),
        files: checkpoint.files().map(Path::to_owned).collect(),
        size,
        steps,
    })
}

/// Noise for the update after `step`.
pub(super) fn step_noise(
    noise: &NoiseSource,
    step: usize,
    like: &Tensor,
) -> Result<Tensor, RunnerError> {
    let noise = noise.draw(&format!("step.{step}"), &like.size())?;
    Ok(noise.to_device(like.device()).to_kind(like.kind()))
}

/// # Errors
/// [`RunnerError::NotFinite`] if the decoded picture of `sample` holds anything else.
pub(super) fn assert_finite(sample: &str, decoded: &Tensor) -> Result<(), RunnerError> {
    if decoded.isfinite().all().int64_value(&[]) == 0 {
        return Err(RunnerError::NotFinite {
            sample: sample.to_owned(),
            what: "the decoded picture",
        });
    }
    Ok(())
}

/// A clean latent noised to the last timestep of training: where sampling starts that does not start from pure noise.
///
/// The first model call is at an earlier timestep, as in the published code.
pub(super) fn noised(clean: &Tensor, noise: &Tensor) -> Tensor {
    let alpha = Schedule::default().alpha(TRAIN_STEPS - 1);
    clean * alpha.sqrt() + noise * (1.0 - alpha).sqrt()
}
