//! Weight files on disk: those that load, and those that must not.

mod common;
mod damaged;
mod fuzz;
mod parity;
mod refused;
mod safetensors;
