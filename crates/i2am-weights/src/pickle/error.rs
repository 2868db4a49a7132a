//! What can be wrong with a pickle.

/// The newest protocol there is.
pub(super) const MAX_PROTOCOL: u8 = 5;

/// What is wrong with a pickle.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum PickleError {
    #[error("expected {expected} more bytes, found {found}")]
    Truncated { expected: u64, found: usize },
    #[error("expected a pickle opcode, found byte 0x{0:02x}")]
    Opcode(u8),
    #[error("expected protocol {MAX_PROTOCOL} or older, found {0}")]
    Protocol(u8),
    #[error("expected a sound pickle, found {0}")]
    Malformed(&'static str),
    #[error("more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("`{global}` is refused")]
    Refused { global: String },
}

/// An error and the byte of the opcode it belongs to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) offset: usize,
    pub(crate) error: PickleError,
}
