//! Pickle streams read as data: protocols 0 to 5, and nothing in them is ever called.
//!
//! A pickle is a program for a small stack machine whose `REDUCE`, `NEWOBJ` and `BUILD` call Python functions. This
//! machine records such a call as a value ([`Value::Made`]) and goes on; what builds a tensor is recognized
//! afterwards by its name, and everything else stays inert. So checkpoints with optimizers, loggers or classes
//! that are not installed load, and there is no code path that runs anything.
//!
//! Hostile streams: values live in one flat [`Heap`] and refer to each other by index, so nesting and cycles cost no
//! recursion, and every allocation is paid for by bytes of the stream.

mod error;
mod globals;
mod input;
mod literal;
mod machine;
mod opcodes;
mod stack;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use error::{Failure, PickleError};
pub(crate) use value::{Heap, Id, Value};

/// What one pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(crate) heap: Heap<'a>,
    pub(crate) root: Id,
    /// Bytes up to and including the `STOP` opcode; what follows is not part of it.
    pub(crate) length: usize,
}

/// Reads the pickle that `bytes` begin with.
pub(crate) fn parse(bytes: &[u8]) -> Result<Pickle<'_>, Failure> {
    machine::run(bytes)
}
