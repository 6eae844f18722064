//! How an attempt ends: done, or why not.

use std::time::Duration;

use jobs::store::{ServerEffect, StoreError};
use panels::PanelError;
use serde_json::Value;

use crate::panel_source::OpenError;

/// What a handler's work ended with.
#[derive(Debug)]
pub(crate) struct Done {
    /// Whether nothing had to be changed.
    pub(crate) already_so: bool,
    /// What outsiders see; without secrets.
    pub(crate) result: Option<Value>,
    /// What it says of the server.
    pub(crate) effect: ServerEffect,
    /// Whether the job's secrets have served.
    pub(crate) secrets_spent: bool,
}

impl Done {
    pub(crate) fn changed() -> Self {
        Self {
            already_so: false,
            result: None,
            effect: ServerEffect::None,
            secrets_spent: false,
        }
    }

    pub(crate) fn already_so() -> Self {
        Self {
            already_so: true,
            ..Self::changed()
        }
    }

    pub(crate) fn with(self, result: Value) -> Self {
        Self {
            result: Some(result),
            ..self
        }
    }

    pub(crate) fn secrets_spent(self) -> Self {
        Self {
            secrets_spent: true,
            ..self
        }
    }

    pub(crate) fn telling(self, effect: ServerEffect) -> Self {
        Self { effect, ..self }
    }
}

/// Why an attempt ends without being done.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The panel's error; the verdict decides.
    Panel(PanelError),
    /// The claim is no longer valid: nothing may be written or sent any more.
    Lost,
    /// A change is in doubt, and it is too early to send it again.
    LookAgain,
    /// It waits for something outside; no try is used.
    Later {
        /// From now.
        after: Duration,
        /// Stable code.
        code: &'static str,
        /// For the customer.
        why: String,
    },
    /// A person must look.
    Hold {
        /// Stable code.
        code: &'static str,
        /// For the customer.
        why: String,
    },
    /// Our own database.
    Store(StoreError),
}

impl From<PanelError> for Halt {
    fn from(error: PanelError) -> Self {
        Self::Panel(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sea_orm::DbErr> for Halt {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl From<OpenError> for Halt {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            OpenError::Panel(error) => Self::Panel(error),
            OpenError::Secret(why) => Self::hold("server_secret", why.to_string()),
            OpenError::Settings(why) => Self::hold("server_settings", why),
        }
    }
}

impl Halt {
    pub(crate) fn hold(code: &'static str, why: impl Into<String>) -> Self {
        Self::Hold {
            code,
            why: why.into(),
        }
    }

    /// A refusal that we conclude ourselves.
    pub(crate) fn refuse(code: &'static str, why: impl Into<String>) -> Self {
        Self::Panel(PanelError::refused(code, why))
    }
}
