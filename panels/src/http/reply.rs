//! An answer, and the helpers with which a driver judges it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use zeroize::Zeroizing;

use super::{Effect, Redactor, retry_after};
use crate::{Detail, PanelError};

/// What was asked, as far as an operator may see it.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// The request's body (or query) as sent, secrets and all; only its excerpt is ever shown.
    pub(super) request: Option<Zeroizing<String>>,
    pub(super) redactor: Redactor,
    pub(super) effect: Effect,
}

impl Asked {
    pub(super) fn detail(&self, what: impl Into<String>, elapsed: Duration) -> Box<Detail> {
        Box::new(Detail {
            what: self.redactor.reason(&what.into()),
            method: Some(self.method.clone()),
            path: Some(self.path.clone()),
            elapsed_ms: u64::try_from(elapsed.as_millis()).ok(),
            request: self
                .request
                .as_ref()
                .map(|request| self.redactor.excerpt(request.as_bytes())),
            ..Detail::default()
        })
    }

    /// The class of not knowing: a lost read is harmless, a lost change is not.
    pub(super) fn unknown(&self, detail: Box<Detail>) -> PanelError {
        match self.effect {
            Effect::Read => PanelError::Transient(detail),
            Effect::Change => PanelError::InDoubt(detail),
        }
    }
}

/// An answer of a panel, whole.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, where sent.
    pub content_type: Option<String>,
    /// `Retry-After`, where sent.
    pub retry_after: Option<String>,
    /// The body, at most the call's cap.
    pub body: Vec<u8>,
    /// Connect to last byte.
    pub elapsed: Duration,
    /// The panel's clock when it answered (its `Date` header), in milliseconds UTC.
    pub panel_clock: Option<i64>,
    pub(super) asked: Asked,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("path", &self.asked.path)
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// Passes a 2xx; otherwise says what the status alone means. A driver whose panel explains its
    /// refusals in the body of a 4xx looks there first.
    ///
    /// # Errors
    /// `Auth` for 401 and 403; `Throttled` for 429; for all others, 5xx first, `Transient` after a read and
    /// `InDoubt` after a change. That holds for 404 too: a web server that lost its panel for a moment
    /// says so as well, and it is no word about our credentials.
    pub fn judge_status(&self) -> Result<(), PanelError> {
        match self.status {
            200..=299 => Ok(()),
            401 | 403 => Err(self.auth("the panel refused our credentials")),
            404 | 405 | 410 => Err(self.unknown("there is no such API at this address")),
            429 => Err(self.throttled()),
            500..=599 => Err(self.unknown("the panel failed while it worked on the request")),
            _ => Err(self.unknown("the panel answered with an unexpected status")),
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `Auth` for a login page; otherwise, when it is not JSON, [`Reply::unknown`].
    pub fn json(&self) -> Result<Value, PanelError> {
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) if self.is_login_page() => {
                Err(self.auth("the panel answered with its login page"))
            }
            Err(_) if self.is_html() => Err(self.unknown("the panel answered with a web page")),
            Err(_) if self.body.is_empty() => Err(self.unknown("the panel's answer was empty")),
            Err(_) => Err(self.unknown("the panel's answer is not JSON")),
        }
    }

    /// Whether the body is a web page, by content: panels send JSON as text/html and the reverse.
    #[must_use]
    pub fn is_html(&self) -> bool {
        let head = &self.body[..self.body.len().min(1024)];
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let head = head.trim_start_matches('\u{feff}').trim_start();
        head.starts_with('<')
            && ["<!doctype", "<html", "<head", "<body"]
                .iter()
                .any(|tag| head.contains(tag))
    }

    /// Whether the body is a web page that asks somebody to log in.
    #[must_use]
    pub fn is_login_page(&self) -> bool {
        if !self.is_html() {
            return false;
        }
        let page = &self.body[..self.body.len().min(256 << 10)];
        let page = String::from_utf8_lossy(page).to_ascii_lowercase();
        let form = page.contains("type=\"password\"")
            || page.contains("type='password'")
            || page.contains("type=password");
        form || page.contains("id=\"login_form\"")
            || page.contains("<title>login")
            || page.contains("cpanel login")
            || page.contains("whm login")
    }

    /// Credentials or rights: nothing more is sent until a person looked.
    #[must_use]
    pub fn auth(&self, what: impl Into<String>) -> PanelError {
        PanelError::Auth(self.detail(what))
    }

    /// The panel asks for patience, as long as its header says.
    #[must_use]
    pub fn throttled(&self) -> PanelError {
        let now = self.panel_clock.unwrap_or_else(our_clock);
        let after = self
            .retry_after
            .as_deref()
            .and_then(|text| retry_after(text, now));
        PanelError::Throttled {
            after,
            detail: self.detail("the panel asked to be called later"),
        }
    }

    /// Understood and refused. `reason` is the panel's own text; it is cleaned here.
    #[must_use]
    pub fn rejected(&self, code: &'static str, reason: &str) -> PanelError {
        let mut reason = self.redact_reason(reason);
        if reason.is_empty() {
            "the panel gave no reason".clone_into(&mut reason);
        }
        PanelError::Rejected {
            code,
            detail: self.detail(reason.clone()),
            reason,
        }
    }

    /// We do not know: `Transient` after a read, `InDoubt` after a change.
    #[must_use]
    pub fn unknown(&self, what: impl Into<String>) -> PanelError {
        self.asked.unknown(self.detail(what))
    }

    /// A panel's text as a customer may read it: redacted, one line, at most 300 characters.
    #[must_use]
    pub fn redact_reason(&self, text: &str) -> String {
        self.asked.redactor.reason(text)
    }

    /// The operator's side of an error about this answer; `what` is redacted.
    #[must_use]
    pub fn detail(&self, what: impl Into<String>) -> Box<Detail> {
        let mut detail = self.asked.detail(what, self.elapsed);
        detail.status = Some(self.status);
        detail.reply = (!self.body.is_empty()).then(|| self.asked.redactor.excerpt(&self.body));
        detail
    }
}

impl Reply {
    /// An answer that no panel gave, for the drivers' own tests and [`crate::fuzzing`].
    pub(crate) fn canned(effect: Effect, status: u16, body: &[u8]) -> Self {
        Self {
            status,
            content_type: None,
            retry_after: None,
            body: body.to_vec(),
            elapsed: Duration::ZERO,
            panel_clock: None,
            asked: Asked {
                method: "POST".to_owned(),
                path: "/".to_owned(),
                request: None,
                redactor: Redactor::default(),
                effect,
            },
        }
    }
}

/// Only for a `Retry-After` date of a panel that sends no `Date`.
fn our_clock() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
