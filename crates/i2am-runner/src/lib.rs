//! Model families, samplers and the attention probe: a sample becomes a picture and an attention record.
//!
//! A [`families::Family`] knows how one published model wants its pictures, which checkpoints it reads and where its reference
//! enters. It makes a [`families::Pipeline`], which generates one sample at a time and, if asked, captures the attention
//! between reference and generated picture while it samples.

pub mod capture;
mod error;
pub mod families;
pub mod noise;
pub mod pictures;
pub mod samplers;
pub mod schedule;

pub use error::RunnerError;
