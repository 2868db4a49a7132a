//! How a command ends.

use std::process::ExitCode;

use i2am_files::FileError;

/// The exit codes that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0: everything was done.
    Ok,
    /// 1: it failed.
    Failed,
    /// 2: the command line or the configuration cannot be used.
    Usage,
    /// 3: the run is worse than its baseline allows, or lacks something that is there.
    Worse,
    /// 4: some samples failed, or a metric that was asked for has no value; the rest is done.
    SomeFailed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Ok => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::Worse => 3,
            Outcome::SomeFailed => 4,
        })
    }
}

/// Marks an error as the user's to mend in the command line or the configuration.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// A usage error with this message.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(UsageError(message.into()))
}

/// A file of the user's that cannot be read: its content is the user's to mend, as a configuration is.
pub(crate) fn refused_content(error: FileError) -> anyhow::Error {
    if error.cause.kind() == std::io::ErrorKind::InvalidData {
        usage(error.to_string())
    } else {
        error.into()
    }
}

impl Outcome {
    /// What an error ends with.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<UsageError>() {
            Self::Usage
        } else {
            Self::Failed
        }
    }
}
