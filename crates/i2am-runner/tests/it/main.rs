//! One program for every test of the crate: linking against libtorch is done once.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bad_input;
mod capture_both;
mod capture_maps;
mod check;
mod common;
mod dci_vton;
mod dci_vton_data;
mod faults;
mod intervene;
mod loading;
mod locality;
mod noise;
mod parity_attention;
mod parity_diffusers;
mod parity_paint_by_example;
mod parity_pasd;
mod parity_samplers;
mod parity_stable_viton;
mod parity_super_resolution;
mod parity_warp_attention;
mod pasd;
mod pasd_bad_input;
mod pasd_rules;
mod precision;
mod recorder;
mod stable_viton;
mod tiny;
mod tiny_pasd;
mod tiny_viton;
mod vae_tiles;
mod viton_rules;
