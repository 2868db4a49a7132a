use super::export::Exporter;

/// The card in the folder: what it and the snapshots beside it are, how they were made, what they are good for.
pub(super) fn text(exporter: &Exporter<'_>, step: u64) -> String {
    let config = exporter.config;
    let stage = &config.diffusion;
    let earlier = config.snapshots.iter().filter(|&&other| other < step);
    let earlier: Vec<String> = earlier.map(u64::to_string).collect();
    format!(
        "# {name}

A Paint-by-Example model (one image token) small enough to travel with the source, in the diffusers folder layout, half
precision. It stands in for the published checkpoint in demonstrations and tests; it knows nothing but the synthetic
try-on set.

| network | parameters |
|---|---|
| UNet | {unet} |
| autoencoder | {vae} |
| reference encoder | {encoder} |

The UNet was made by `cargo run --release -p i2am-zoo -- --config configs/zoo/{name}.toml`:

- data: `synth`, seed {data_seed}, {pictures} pictures of {height}x{width};
- {step} of {steps} planned steps of {batch} pictures, noise prediction on the Stable Diffusion schedule, weight
  `1 + min((1 - alpha) / alpha, {weight})`, the reference dropped for {drop} of the samples;
- AdamW, highest learning rate {rate}, averaged weights (decay up to {decay}); seed {seed};
- snapshots after so many steps: {earlier}. They are the files `{name}-STEP.safetensors` beside this folder: the UNet under the
  published LDM names. Their metadata name this folder as the base (key `base`) for the other networks.

Autoencoder and reference encoder are older and stayed as they were: `configs/zoo/paint-by-example-from-nothing.toml` made them,
together with a larger UNet that is not kept here.

Licence: that of the source code. No photograph and no published weight went into it.
",
        name = config.name,
        unet = exporter.trained(),
        vae = exporter.kept("vae."),
        encoder = exporter.kept("image_encoder."),
        data_seed = config.data.seed,
        pictures = config.data.count,
        height = config.data.height,
        width = config.data.width,
        steps = stage.schedule.steps,
        batch = stage.schedule.batch,
        weight = stage.high_noise_weight,
        drop = stage.drop_reference,
        rate = stage.schedule.learning_rate,
        decay = stage.average_decay,
        seed = config.seed,
        earlier = earlier.join(", "),
    )
}
