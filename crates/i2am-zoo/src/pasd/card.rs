use super::config::CropConfig;
use super::export::Exporter;

/// The card of the checkpoint: what it is, how it was made, what it is good for.
pub(super) fn text(exporter: &Exporter<'_>, step: u64) -> String {
    let config = exporter.config;
    let saved = config.snapshots.iter().filter(|&&other| other < step);
    let saved: Vec<String> = saved
        .map(|&step| {
            format!(
                "`../{}`",
                exporter
                    .snapshot_path(step)
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
            )
        })
        .collect();
    let (pixel, modules) = exporter.pixel_attentions();
    format!(
        "# {name}

A PASD model (super-resolution, {modules} pixel attentions) small enough to travel with the source, in the diffusers folder layout, half
precision. It stands in for the published checkpoint in demonstrations and tests; it knows nothing but the persons of the
synthetic try-on set, of {height}x{width} pixels from {low_height}x{low_width}.

| network | parameters |
|---|---|
| UNet with pixel attentions | {unet}, {pixel} of them pixel attentions |
| ControlNet | {control} |
| autoencoder | {vae} |
| text encoder | {text} |

Made by `cargo run --release -p i2am-zoo -- --config configs/zoo/{name}.toml`:

- data: `synth`, seed {data_seed}, {pictures} persons, made smaller by Pillow's bicubic filter;
- the autoencoder is that of the small Paint-by-Example, unchanged; its latents have a quarter of the picture's height and width, so the
  conditioning embedding has {resolutions} resolutions where the published one has 4;
- the text encoder stays as it was drawn, and its tokenizer knows bytes and few joins: there is one text, `{prompt}`, and it is
  dropped for {drop_text} of the samples;
- everything else is trained from nothing (the published training starts from Stable Diffusion 1.5 and leaves its UNet as it is but for
  the pixel attentions), so what the picture comes through starts drawn and not at zero;
- noise prediction on the Stable Diffusion schedule in batches of {batch}, weight `1 + min((1 - alpha) / alpha, {high})`; absolute error of the
  embedding's small pictures, weight {small};
- for {drop_additions} of the samples the ControlNet adds nothing to the UNet, and the low-resolution picture comes through the pixel
  attentions alone. The published training does not do that; it is meant to give them work, since the additions bring the picture, too;
{crops}- AdamW, highest learning rate {rate}, {step} of {steps} planned steps, averaged weights (decay up to {decay}); seed {seed}{snapshots}.

Sample with guidance 1 and `least_side` 1: nothing here was trained for a negative text or for larger pictures.

Licence: that of the source code. No photograph and no published weight went into it.
",
        name = config.name,
        height = config.data.height,
        width = config.data.width,
        low_height = config.data.height / config.upscale,
        low_width = config.data.width / config.upscale,
        unet = exporter.parameters("unet."),
        control = exporter.parameters("controlnet."),
        vae = exporter.parameters("vae."),
        text = exporter.parameters("text_encoder."),
        data_seed = config.data.seed,
        pictures = config.data.count,
        resolutions = config.conditioning.len(),
        prompt = config.prompt,
        drop_text = config.loss.drop_text,
        batch = config.schedule.batch,
        high = config.loss.high_noise_weight,
        small = config.loss.small_pictures,
        drop_additions = config.loss.drop_additions,
        crops = config.crops.as_ref().map_or_else(String::new, |crops| {
            let CropConfig { share, height, width } = crops;
            format!("- in the end {share} of the batches saw crops of {height}x{width}, as many times more as they are smaller;\n")
        }),
        rate = config.schedule.learning_rate,
        steps = config.schedule.steps,
        decay = config.loss.average_decay,
        seed = config.seed,
        snapshots = if saved.is_empty() {
            String::new()
        } else {
            format!(";\n- snapshots of UNet and ControlNet on the way: {}", saved.join(", "))
        },
    )
}
