//! Layers, sizes and layouts of networks.

mod layers;
mod ldm_layout;
mod published_sizes;
