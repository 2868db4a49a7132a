//! Trains the small demonstration checkpoints with the project's own networks.

mod attention;
mod autoencoder;
mod catvton;
mod config;
mod curve;
mod diffusers;
mod encoded;
mod evaluation;
mod frozen;
mod init;
mod log;
mod noising;
mod optimizer;
mod paint_by_example;
mod pasd;
mod pictures;
mod places;
mod posteriors;
mod progress;
mod stable_viton;
mod state;
mod tensors;
mod train;
mod trainer;
#[cfg(test)]
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use tch::Device;

use config::ZooConfig;
use train::Limits;

/// Trains a small checkpoint on the synthetic try-on set and saves it in the published layout.
///
/// A run can be stopped at any time and goes on where it was when started again with the same configuration.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  i2am-zoo --config configs/zoo/paint-by-example.toml
  i2am-zoo --config configs/zoo/paint-by-example.toml --device cuda:0
  i2am-zoo --config configs/zoo/stable-viton.toml --minutes 60
  i2am-zoo --config configs/zoo/stable-viton.toml --export-only
  i2am-zoo --config configs/zoo/pasd.toml --device cuda:0"
)]
struct Args {
    /// What to train: sizes, lengths, seeds, folders.
    #[arg(long)]
    config: PathBuf,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu", value_parser = parse_device)]
    device: Device,
    /// Stop after so many minutes and save; the next start goes on from there.
    #[arg(long)]
    minutes: Option<f64>,
    /// Folder of the training state, log and pictures, instead of the configuration's.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Save the checkpoint of the training state there is, without training on.
    #[arg(long)]
    export_only: bool,
}

fn parse_device(text: &str) -> Result<Device, String> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(Device::Cpu),
        Some(("cuda", index)) => index
            .parse()
            .map(Device::Cuda)
            .map_err(|error| error.to_string()),
        _ => Err("expected cpu or cuda:N".to_owned()),
    }
}

/// Trains what is not trained yet and saves the checkpoints.
fn train(config: &ZooConfig, device: Device, limits: Limits) -> Result<()> {
    match config {
        ZooConfig::Autoencoder(config) => autoencoder::train(config, device, limits),
        ZooConfig::CatVton(config) => catvton::train(config, device, limits),
        ZooConfig::PaintByExample(config) => paint_by_example::train(config, device, limits),
        ZooConfig::PaintByExampleUNet(config) => {
            paint_by_example::train_unet(config, device, limits)
        }
        ZooConfig::Pasd(config) => pasd::train(config, device, limits),
        ZooConfig::StableViton(config) => stable_viton::train(config, device, limits),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let limits = Limits {
        minutes: args.minutes,
        export_only: args.export_only,
    };
    match ZooConfig::read(&args.config)
        .map(|config| config.working_in(args.work))
        .and_then(|config| train(&config, args.device, limits))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
