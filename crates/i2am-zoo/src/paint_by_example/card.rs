use std::collections::BTreeMap;

use tch::Tensor;

use super::PaintByExampleZoo;

/// The card beside a checkpoint: what it is, how it was made, what it is good for.
pub(super) fn text(
    config: &PaintByExampleZoo,
    variables: &BTreeMap<String, Tensor>,
    steps: u64,
) -> String {
    let count = |network: &str| -> usize {
        variables
            .iter()
            .filter(|(name, _)| name.starts_with(network))
            .map(|(_, tensor)| tensor.numel())
            .sum()
    };
    let PaintByExampleZoo {
        name,
        seed,
        data,
        vae,
        reference,
        diffusion,
        ..
    } = config;
    format!(
        "# {name}

A Paint-by-Example model (one image token) small enough to travel with the source, in the diffusers folder layout, half
precision. It stands in for the published checkpoint in demonstrations and tests; it knows nothing but the synthetic
try-on set.

| network | parameters |
|---|---|
| UNet | {unet} |
| autoencoder | {vae_count} |
| reference encoder | {encoder} |

Made by `cargo run --release -p i2am-zoo -- --config configs/zoo/{name}.toml`:

- data: `synth`, seed {data_seed}, {pictures} pictures of {height}x{width};
- autoencoder: {vae_steps} steps of {vae_batch} pictures, absolute error, colour and edges, divergence weight {kl};
- reference encoder: {reference_steps} steps of {reference_batch} references, telling a coarse picture of what it sees;
- UNet and reference encoder together: {steps} steps of {batch} pictures, noise prediction on the Stable Diffusion
  schedule, weight `1 + min((1 - alpha) / alpha, {weight})`, the reference dropped for {drop} of the samples;
- AdamW, highest learning rates {vae_rate} and {rate}, averaged weights (decay {decay}); seed {seed}.

Licence: that of the source code. No photograph and no published weight went into it.
",
        unet = count("unet."),
        vae_count = count("vae."),
        encoder = count("image_encoder."),
        data_seed = data.seed,
        pictures = data.count,
        height = data.height,
        width = data.width,
        vae_steps = vae.schedule.steps,
        vae_batch = vae.schedule.batch,
        kl = vae.kl_weight,
        reference_steps = reference.schedule.steps,
        reference_batch = reference.schedule.batch,
        batch = diffusion.schedule.batch,
        weight = diffusion.high_noise_weight,
        drop = diffusion.drop_reference,
        vae_rate = vae.schedule.learning_rate,
        rate = diffusion.schedule.learning_rate,
        decay = diffusion.average_decay,
    )
}
