//! Checkpoints of the Hugging Face hub, or of any server with the same protocol, by name: `hf:OWNER/NAME[@REVISION][/PATH]`.
//!
//! The cache is that of the Python library `huggingface_hub`, in its layout, and the same environment variables choose it, the token, the
//! server and offline mode ([`Settings`]): what either of them has downloaded, the other finds. Files are downloaded under the name that
//! the Python library gives unfinished files, continue where an earlier attempt stopped, and get their final name only after their hash is
//! checked.
//!
//! A name whose files are in the cache needs no network. So a branch such as `main` stays at the commit it had when it was first used; a
//! later commit is used if the name says so (`@COMMIT`).

mod cache;
mod card;
mod download;
mod error;
mod http;
mod hub;
mod name;
mod settings;

pub use card::{License, license_of};
pub use error::HubError;
pub use hub::{Hub, Listing, Progress};
pub use name::HubName;
pub use settings::{Settings, Token};
