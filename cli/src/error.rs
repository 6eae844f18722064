//! How a command ends when it does not end well.

use std::process::ExitCode;

use jobs::store::StoreError;
use scheduler::Problem;
use scheduler::registry::RegistryError;

/// Why a command failed; decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage or configuration: exit code 2. The text names the field.
    #[error("{0}")]
    Usage(String),
    /// The work failed: exit code 1.
    #[error("{0}")]
    Work(String),
    /// The work failed, and what was printed already says how: exit code 1.
    #[error("the work failed")]
    Shown,
}

impl Failure {
    /// A field that is not right.
    pub fn usage(field: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        Self::Usage(format!("{}: {}", field.as_ref(), message.as_ref()))
    }

    /// Work that did not succeed.
    pub fn work(message: impl Into<String>) -> Self {
        Self::Work(message.into())
    }

    /// Its exit code.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Work(_) | Self::Shown => ExitCode::from(1),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unreachable { .. } => Self::usage("database.url", error.to_string()),
            StoreError::NotFound(_) | StoreError::Refused(_) => Self::Work(error.to_string()),
            StoreError::Db(_)
            | StoreError::CommitUnknown(_)
            | StoreError::NoAnswer(_)
            | StoreError::Row { .. } => Self::Work(error.to_string()),
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Store(error) => error.into(),
            RegistryError::InUse(why) => Self::Work(why),
            wrong @ (RegistryError::Invalid { .. }
            | RegistryError::NotFound(_)
            | RegistryError::Taken(_)
            | RegistryError::Seal(_)) => Self::Usage(wrong.to_string()),
        }
    }
}

impl From<Problem> for Failure {
    /// Problems of the asker are wrong usage; a ledger that is away is not.
    fn from(problem: Problem) -> Self {
        if problem.status.is_client_error() {
            Self::Usage(problem.detail)
        } else {
            Self::Work(format!("{}: {}", problem.title, problem.detail))
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Work(error.to_string())
    }
}
