//! What can go wrong between a name and its files.

use std::path::PathBuf;

use i2am_files::FileError;

/// A name that could not be made files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// An environment variable that cannot be used.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Something that is not in the cache is needed, and the network may not be used.
    #[error("{name}: {what} is not in the cache {}, and HF_HUB_OFFLINE is set", .cache.display())]
    Offline {
        /// The name.
        name: String,
        /// What is needed.
        what: String,
        /// The folder of the repository in the cache.
        cache: PathBuf,
    },
    /// No connection, or none that lasts.
    #[error("{url}: the server cannot be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The hub wants to know who asks, or does not accept who does.
    #[error(
        "{name}: the hub does not let this user read it (401): expected a token of a user who may, found {found}; or the name is wrong, since the hub \
             gives the same answer then"
    )]
    Unauthorized {
        /// The name.
        name: String,
        /// The token that was sent, by where it was read.
        found: String,
    },
    /// A repository whose license has to be accepted first, or that others own.
    #[error(
        "{name}: the hub refuses access (403): {reason}; accept the license at {page} with the account of the token ({found})"
    )]
    Forbidden {
        /// The name.
        name: String,
        /// What the hub says.
        reason: String,
        /// The page of the repository.
        page: String,
        /// The token that was sent, by where it was read.
        found: String,
    },
    /// A repository, a revision or a file that is not there.
    #[error("{name}: {what} is not on the hub (404)")]
    NotFound {
        /// The name.
        name: String,
        /// What is not there.
        what: String,
    },
    /// Another answer than was expected.
    #[error("{url}: expected status {expected}, found {found}")]
    Status {
        /// What was asked for.
        url: String,
        /// Which answers can be used.
        expected: &'static str,
        /// The answer, and what the server says to it.
        found: String,
    },
    /// An answer whose content is not that of a hub.
    #[error("{url}: expected {expected}, found {found}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What the hub answers.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// A download that ended too early, again and again.
    #[error(
        "{url}: expected {expected} bytes, the connection ended after {found} in {attempts} attempts in a row without progress; what has arrived is kept, and \
             the same command continues from there"
    )]
    Cut {
        /// What was asked for.
        url: String,
        /// Size of the file.
        expected: u64,
        /// Bytes that arrived.
        found: u64,
        /// How often it was tried.
        attempts: u32,
    },
    /// A file that is not what the hub says it is.
    #[error("{url}: expected {kind} {expected}, found {found}; the download was removed")]
    Hash {
        /// What was asked for.
        url: String,
        /// How the file is hashed.
        kind: &'static str,
        /// What the hub says.
        expected: String,
        /// What arrived.
        found: String,
    },
    /// A file of the cache that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
