use super::export::Exporter;

/// The card beside the snapshots: what they are, how they were made, what they are good for.
pub(super) fn text(exporter: &Exporter<'_>, base: &str, step: u64) -> String {
    let config = exporter.config;
    let saved = config.snapshots.iter().filter(|&&other| other < step);
    let saved: Vec<String> = saved.chain([&step]).map(u64::to_string).collect();
    let start = match &config.start {
        None => "nothing".to_owned(),
        Some(path) => {
            let name = path.file_name().unwrap_or_default();
            format!("`{}`", name.to_string_lossy())
        }
    };
    let attention = config
        .attention
        .as_ref()
        .map_or_else(String::new, |attention| {
            let slots: Vec<String> = attention.slots.iter().map(usize::to_string).collect();
            format!(
                "\n- attention total variation (Kim et al. 2024) on warp blocks {}, weight {};",
                slots.join(" and "),
                attention.weight
            )
        });
    format!(
        "# {name}

A StableVITON model (image token, control model, {warps} warp blocks) small enough to travel with the source, under the published
names in half precision. It stands in for the published checkpoint in demonstrations and tests; it knows nothing but the
synthetic try-on set.

| network | parameters | file |
|---|---|---|
| UNet with warp blocks | {unet} | snapshot |
| control model | {control} | snapshot |
| autoencoder | {vae} | folder `{base}` |
| reference encoder | {encoder} | folder `{base}` |

A snapshot names the folder `{base}` beside it as its base in its metadata (key `base`): the networks that it lacks are there. What
no shape tells of the UNet (heads, groups) is in the metadata too (`unet/config.json`).

Made by `cargo run --release -p i2am-zoo -- --config configs/zoo/{name}.toml`:

- data: `synth`, seed {data_seed}, {pictures} pictures of {height}x{width};
- autoencoder and reference encoder from the small Paint-by-Example, unchanged; the other networks start from {start};
- noise prediction on the Stable Diffusion schedule in batches of {batch}, weight `1 + min((1 - alpha) / alpha, {high})`, outside
  the hole times {outside}, the token dropped for {drop} of the samples;{attention}
- AdamW, highest learning rate {rate}, planned for {steps} steps, averaged weights (decay up to {decay}); seed {seed};
- snapshots after so many steps: {saved}.

Licence: that of the source code. No photograph and no published weight went into it.
",
        name = config.name,
        warps = exporter.warp_blocks(),
        unet = exporter.parameters("unet."),
        control = exporter.parameters("control_model."),
        vae = exporter.parameters("vae."),
        encoder = exporter.parameters("image_encoder."),
        data_seed = config.data.seed,
        pictures = config.data.count,
        height = config.data.height,
        width = config.data.width,
        batch = config.schedule.batch,
        high = config.loss.high_noise_weight,
        outside = config.loss.outside_weight,
        drop = config.loss.drop_reference,
        rate = config.schedule.learning_rate,
        steps = config.schedule.steps,
        decay = config.loss.average_decay,
        seed = config.seed,
        saved = saved.join(", "),
    )
}
