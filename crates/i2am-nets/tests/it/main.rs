//! Layers, sizes and layouts of networks.

mod eight_bits;
mod flux2;
mod flux2_layout;
mod fuzz;
mod layers;
mod ldm_layout;
mod published_sizes;
mod qwen3;
mod untrusted;
