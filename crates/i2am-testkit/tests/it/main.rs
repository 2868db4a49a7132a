//! What holds for the whole checkout, and for the scripts that set it up.

mod checkout;
mod edges;
mod provenance;
mod setup;
mod skipped;
mod tidy;
