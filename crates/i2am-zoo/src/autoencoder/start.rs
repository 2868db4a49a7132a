//! Where the training starts: at another autoencoder, which new channels of the latents do not change.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use i2am_nets::layout::Checkpoint;
use tch::{IndexOp as _, Kind, Tensor};

use super::FIRST_LOG_VARIANCE;
use crate::init::spread;

/// Copies the autoencoder of `checkpoint` into `variables`, which have been drawn. New channels of the latents come last; their means are drawn,
/// they are almost noiseless, and the decoder does not read them yet.
///
/// # Errors
/// A tensor of another shape, but for channels of latents.
pub(super) fn take_over(
    variables: &BTreeMap<String, Tensor>,
    checkpoint: &Checkpoint,
) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let latents = |size: &[i64]| size[1];
    let reads = "vae.decoder.conv_in.weight";
    let before = checkpoint.shape(reads).map_or(0, |size| latents(&size));
    let after = latents(&variables[reads].size());
    // Means, and behind them as many log-variances.
    let moments = || (0..before).chain(after..after + before);
    let moments: Vec<i64> = moments().collect();
    let first: Vec<i64> = (0..before).collect();
    for (name, variable) in variables {
        let found = checkpoint.tensor(name)?.to_kind(Kind::Float);
        let both = |places: &[i64], length: i64| {
            spread(&spread(&found, 0, places, length), 1, places, length)
                + new_identity(places, length)
        };
        let widened = match name.as_str() {
            "vae.encoder.conv_out.weight" => {
                let widened = spread(&found, 0, &moments, 2 * after);
                let new = |x: &Tensor| x.i(before..after);
                new(&widened).copy_(&new(variable));
                widened
            }
            "vae.encoder.conv_out.bias" => spread(&found, 0, &moments, 2 * after),
            "vae.quant_conv.weight" => both(&moments, 2 * after),
            "vae.quant_conv.bias" => {
                let widened = spread(&found, 0, &moments, 2 * after);
                let _ = widened.i(after + before..).fill_(FIRST_LOG_VARIANCE);
                widened
            }
            "vae.post_quant_conv.weight" => both(&first, after),
            "vae.post_quant_conv.bias" => spread(&found, 0, &first, after),
            "vae.decoder.conv_in.weight" => spread(&found, 1, &first, after),
            _ => found.view_as(variable),
        };
        let size = variable.size();
        ensure!(
            widened.size() == size,
            "{}: tensor `{name}`: expected {size:?}, found {:?}",
            checkpoint.path().display(),
            found.size()
        );
        variable.detach().copy_(&widened);
    }
    Ok(())
}

/// Hands on each of `length` channels that is not one of `places`: `[length, length, 1, 1]`.
fn new_identity(places: &[i64], length: i64) -> Tensor {
    let is_new = |channel: i64| !places.contains(&channel);
    let diagonal: Vec<f32> = (0..length)
        .map(|c| f32::from(u8::from(is_new(c))))
        .collect();
    Tensor::from_slice(&diagonal)
        .diag(0)
        .reshape([length, length, 1, 1])
}

#[cfg(test)]
mod tests {

    use i2am_nets::layout::Checkpoint;
    use i2am_nets::vae::{Vae, VaeConfig};
    use i2am_nets::{FreshSource, Scope};
    use tch::{Device, IndexOp as _, Kind, Tensor};

    use super::take_over;

    /// With three more channels the first four are what they were, and so is what is decoded; the new ones know of the picture.
    #[test]
    fn new_channels_change_nothing_yet() -> anyhow::Result<()> {
        let _draws = crate::trial::alone();
        let root = crate::trial::frozen();
        let checkpoint = Checkpoint::open(&root)?;
        let sizes = VaeConfig::of(&checkpoint)?;
        let built = |latent_channels: i64| -> anyhow::Result<Vae> {
            let source = FreshSource::new(Device::Cpu);
            let sizes = VaeConfig {
                latent_channels,
                ..sizes.clone()
            };
            let vae = Vae::new(&Scope::root(&source, "vae"), sizes);
            take_over(&source.variables(), &checkpoint)?;
            Ok(vae)
        };
        let (before, after) = (built(4)?, built(7)?);
        let _guard = tch::no_grad_guard();
        let picture = Tensor::rand([1, 3, 32, 24], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
        let (narrow, wide) = (before.encode(&picture), after.encode(&picture));
        let off = |x: &Tensor, y: &Tensor| (x - y).abs().max().double_value(&[]);
        assert!(off(&narrow.mean, &wide.mean.i((.., ..4))) < 1e-5);
        assert!(off(&narrow.log_variance, &wide.log_variance.i((.., ..4))) < 1e-4);
        assert!(wide.mean.i((.., 4..)).std(true).double_value(&[]) > 0.01);
        let new = wide.log_variance.i((.., 4..));
        assert!(off(&new, &(new.zeros_like() - 8.0)) < 1e-5);
        assert!(off(&before.decode(&narrow.mean), &after.decode(&wide.mean)) < 1e-5);
        Ok(())
    }
}
