//! What can go wrong with a panel, in five classes by what we *know*, not by what happened.

use std::time::Duration;

/// An error of a panel call. `Display` is for the customer (safe in a webhook or a billing module's
/// error text); the [`Detail`] is for the operator.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PanelError {
    /// Nothing was changed: not reached (DNS, refused, TLS not begun), or a *read* failed in any way.
    #[error("the hosting panel could not be reached")]
    Transient(Box<Detail>),
    /// The panel asked for patience (429, or its own words for it); nothing was changed.
    #[error("the hosting panel is busy and asked to be called later")]
    Throttled {
        /// How long it asked us to wait, as far as it said so; the caller caps it.
        after: Option<Duration>,
        /// For the operator.
        detail: Box<Detail>,
    },
    /// Not safe or not allowed to go on: credentials refused, a login page instead of an answer,
    /// certificate or pin mismatch (then no credential was sent), a redirect.
    #[error("the hosting panel does not accept our credentials")]
    Auth(Box<Detail>),
    /// Understood and refused. Nothing was changed.
    #[error("{reason}")]
    Rejected {
        /// A stable code: `account_exists`, `no_such_account`, `package_unknown`, ...
        code: &'static str,
        /// The panel's reason in words that a customer may read; redacted.
        reason: String,
        /// For the operator.
        detail: Box<Detail>,
    },
    /// A *change* was sent and we do not know what became of it.
    #[error("the hosting panel did not confirm the change; it is being looked up")]
    InDoubt(Box<Detail>),
}

impl PanelError {
    /// A refusal that the driver itself concludes, without an answer of the panel to show.
    #[must_use]
    pub fn refused(code: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let detail = Box::new(Detail::of(reason.clone()));
        Self::Rejected {
            code,
            reason,
            detail,
        }
    }

    /// The stable code that outsiders may depend on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transient(_) => "panel_unreachable",
            Self::Throttled { .. } => "panel_throttled",
            Self::Auth(_) => "panel_auth",
            Self::Rejected { code, .. } => code,
            Self::InDoubt(_) => "panel_in_doubt",
        }
    }

    /// The class's name: `transient`, `throttled`, `auth`, `rejected`, `in_doubt`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Transient(_) => "transient",
            Self::Throttled { .. } => "throttled",
            Self::Auth(_) => "auth",
            Self::Rejected { .. } => "rejected",
            Self::InDoubt(_) => "in_doubt",
        }
    }

    /// What the operator gets to see.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        match self {
            Self::Transient(detail) | Self::Auth(detail) | Self::InDoubt(detail) => detail,
            Self::Throttled { detail, .. } | Self::Rejected { detail, .. } => detail,
        }
    }
}

/// The operator's side of an error. Every text in it is redacted and at most a few hundred bytes long.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Detail {
    /// What happened, in one sentence.
    pub what: String,
    /// HTTP method, when a request was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path without the query, and the panel's function name where the path does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// HTTP status, when an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the call took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// A redacted excerpt of the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// A redacted excerpt of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

impl Detail {
    /// A detail that is only a sentence.
    #[must_use]
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let (Some(method), Some(path)) = (&self.method, &self.path) {
            write!(f, "{method} {path}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(status) = self.status {
            write!(f, " (status {status})")?;
        }
        if let Some(elapsed) = self.elapsed_ms {
            write!(f, " after {elapsed} ms")?;
        }
        Ok(())
    }
}
