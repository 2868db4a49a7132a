//! The learned weights of LPIPS's channels, which are part of the program.

use safetensors::SafeTensors;
use tch::{Device, Tensor};

use super::Backbone;

/// `lin0` to `lin4` (or `lin6`) of each net as written by `scripts/golden/pairs.py` from the files of lpips 0.1.4.
const FILE: &[u8] = include_bytes!("heads.safetensors");

/// The weights of channels `[C]` of every tap, from shallow to deep.
pub(super) fn learned(backbone: Backbone, device: Device) -> Vec<Tensor> {
    let file = SafeTensors::deserialize(FILE).expect("the file is part of the program");
    let head = |tap: usize| {
        let view = file.tensor(&format!("{}.lin{tap}", backbone.name())).ok()?;
        let values: Vec<f32> = view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        Some(Tensor::from_slice(&values).to_device(device))
    };
    (0..).map_while(head).collect()
}
