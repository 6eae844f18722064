//! The two generations of Froxlor's envelope, and what an answer says.
//!
//! 2.x takes the credentials as HTTP Basic and answers `{"data": ...}` or `{"message": "..."}`; 0.10 takes
//! them in the body's `header` and answers `{"status", "status_message", "data"}` both ways. Neither has
//! error codes. The status alone proves nothing: with its database down Froxlor answers 200,
//! `application/json` and a sentence in English, and a PHP fatal error is a 500 without a body.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::http::Reply;
use crate::http::lenient::signed;
use crate::{Detail, PanelError};

/// Which envelope a panel speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// 2.0 and later.
    Modern,
    /// 0.10.
    Legacy,
}

impl Generation {
    /// The body that asks for `command`.
    pub(super) fn request(self, key: &str, secret: &str, command: &str, params: &Value) -> Value {
        let call = json!({"command": command, "params": params});
        match self {
            Self::Modern => call,
            Self::Legacy => json!({"header": {"apikey": key, "secret": secret}, "body": call}),
        }
    }
}

/// What was answered, with the answer (its body dropped: records hold secrets) for error texts.
pub(super) struct Got<T> {
    pub(super) value: T,
    pub(super) reply: Reply,
}

/// An error that Froxlor itself reports: it understood, and says why not.
pub(super) struct Said {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) reply: Reply,
}

/// What an error text means. Only texts that are English whatever the admin's language are looked at;
/// those of validation (400) are translated and all alike to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NoCustomer,
    NoDomain,
    NoPlan,
    NoAdmin,
    /// Something else that was named is not there.
    NotFound,
    /// A parameter is missing or empty: also a 404, and surely no missing object.
    ParameterMissing,
    /// The key's user may not do this.
    NotAllowed,
    /// The admin's allowance of customers or domains is used up.
    NoMoreResources,
    /// The admin has no customers at all.
    NoCustomersAtAll,
    SameAdmin,
    LinkForSuspended,
    UnknownCommand,
    /// Refused with a text of its own.
    Refused,
    /// A message where none should be (status 200); whether something was done is open.
    Unclear,
}

impl Kind {
    fn of(status: u16, message: &str) -> Self {
        let missing = message.ends_with("could not be found");
        match status {
            404 | 406 if message.starts_with("Requested parameter ") => Self::ParameterMissing,
            404 if message.starts_with("Customer with ") && missing => Self::NoCustomer,
            404 if message.starts_with("Domain with ") && missing => Self::NoDomain,
            404 if message.starts_with("Hosting-plan with ") && missing => Self::NoPlan,
            404 if message.starts_with("Admin with ") && missing => Self::NoAdmin,
            404 => Self::NotFound,
            403 => Self::NotAllowed,
            405 if message.starts_with("Required resource unsatisfied") => Self::NoCustomersAtAll,
            406 if message.starts_with("No more resources available") => Self::NoMoreResources,
            406 if message.starts_with("Cannot move customer to the same admin") => Self::SameAdmin,
            406 if message.starts_with("Cannot generate link for deactivated") => {
                Self::LinkForSuspended
            }
            400 if matches!(message, "Unknown command" | "The given command is invalid.") => {
                Self::UnknownCommand
            }
            303 | 501 => Self::UnknownCommand,
            400 | 405 | 406 => Self::Refused,
            _ => Self::Unclear,
        }
    }
}

impl Said {
    /// The error that this is where the caller expects nothing special.
    pub(super) fn into_error(self) -> PanelError {
        match self.kind {
            Kind::NoCustomer => self.rejected("no_such_account"),
            Kind::NoPlan => self.rejected("package_unknown"),
            Kind::NoAdmin => self.rejected("no_such_owner"),
            Kind::NoMoreResources => self.rejected("no_more_resources"),
            Kind::UnknownCommand => self.rejected("unsupported"),
            Kind::NotAllowed => self
                .reply
                .auth("the API key's user may not do this; the key must be an admin's"),
            Kind::Unclear => self.reply.unknown(format!(
                "the panel answered with a message only: {}",
                self.message
            )),
            Kind::NoDomain
            | Kind::NotFound
            | Kind::ParameterMissing
            | Kind::NoCustomersAtAll
            | Kind::SameAdmin
            | Kind::LinkForSuspended
            | Kind::Refused => self.rejected("panel_refused"),
        }
    }

    /// Refused, with Froxlor's own text as the reason.
    pub(super) fn rejected(&self, code: &'static str) -> PanelError {
        self.reply.rejected(code, &self.message)
    }
}

/// Froxlor's object, either generation's.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    data: Option<T>,
    message: Option<String>,
    status: Option<Value>,
    status_message: Option<String>,
}

/// An answer, judged; and which generation it is written in, where that can be told.
pub(super) struct Judged<T> {
    pub(super) spoken: Option<Generation>,
    /// The status is one with which the other generation refuses a request before it reads the command.
    pub(super) refused_whole: bool,
    pub(super) outcome: Result<Result<Got<T>, Said>, PanelError>,
}

/// What the answer says. `data` under status 200 is success, `message` is an error of Froxlor's;
/// everything else is an answer of somebody else or of a Froxlor that broke off, and proves nothing.
pub(super) fn judge<T: DeserializeOwned>(reply: Reply) -> Judged<T> {
    let refused_whole = matches!(reply.status, 400 | 401 | 403);
    let (spoken, outcome) = weigh(reply);
    Judged {
        spoken,
        refused_whole,
        outcome,
    }
}

/// The generation and the outcome.
type Weighed<T> = (Option<Generation>, Result<Result<Got<T>, Said>, PanelError>);

fn weigh<T: DeserializeOwned>(mut reply: Reply) -> Weighed<T> {
    if reply.status == 429 {
        return (None, Err(reply.throttled()));
    }
    // A list would be taken for an envelope whose fields are given in order.
    let object = reply.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let envelope = match serde_json::from_slice::<Envelope<T>>(&reply.body) {
        Ok(envelope) if object => envelope,
        _ => return other(&reply, object),
    };
    let spoken = spoken(&envelope);
    let good = reply.status == 200
        && match spoken {
            Some(Generation::Legacy) => envelope.status.as_ref().and_then(signed) == Some(200),
            _ => envelope.message.is_none(),
        };
    let outcome = match envelope {
        Envelope {
            data: Some(value), ..
        } if good => {
            reply.body = Vec::new();
            Ok(Ok(Got { value, reply }))
        }
        Envelope {
            message: Some(message),
            ..
        }
        | Envelope {
            status_message: Some(message),
            ..
        } => said(reply, message),
        _ => Err(reply.unknown("the panel's answer has neither data nor a message")),
    };
    (spoken, outcome)
}

fn spoken<T>(envelope: &Envelope<T>) -> Option<Generation> {
    if envelope.status_message.is_some() {
        Some(Generation::Legacy)
    } else if envelope.data.is_some() || envelope.message.is_some() {
        Some(Generation::Modern)
    } else {
        None
    }
}

/// Not Froxlor's object, or data that is not what the command answers with.
fn other<T>(reply: &Reply, object: bool) -> Weighed<T> {
    if object && let Ok(envelope) = serde_json::from_slice::<Envelope<IgnoredAny>>(&reply.body) {
        return (spoken(&envelope), Err(odd_data(reply)));
    }
    let error = match reply.judge_status().and_then(|()| reply.json()) {
        Ok(_) => reply.unknown("the panel's answer is not one of Froxlor's"),
        Err(error) => error,
    };
    (None, Err(error))
}

fn odd_data(reply: &Reply) -> PanelError {
    match reply.judge_status() {
        Ok(()) => reply.unknown("the panel's data is not what was asked for"),
        Err(error) => error,
    }
}

fn said<T>(reply: Reply, message: String) -> Result<Result<Got<T>, Said>, PanelError> {
    let kind = Kind::of(reply.status, &message);
    match reply.status {
        403 if message.starts_with("Not allowed to execute given command") => {}
        401 if message.starts_with("Unauthenticated") => {
            return Err(reply.auth(
                "no credentials reached Froxlor; the web server may drop the Authorization header",
            ));
        }
        401 | 403 => {
            return Err(reply.auth(
                "Froxlor refused the API key: wrong, expired, not allowed from here, or its user may not",
            ));
        }
        // Said before the credentials are looked at, so in nobody's language.
        400 | 404 if message.starts_with("API is not enabled") => {
            return Err(reply.auth("the API is switched off in Froxlor's settings"));
        }
        406 if message.starts_with("Account suspended") => {
            return Err(reply.auth("the admin whose API key this is is deactivated"));
        }
        500.. => return Err(reply.unknown("Froxlor failed while it worked on the request")),
        _ => {}
    }
    Ok(Err(Said {
        kind,
        message,
        reply,
    }))
}

/// The error without its excerpt of the answer where that may be of a record, which holds secrets that
/// no pattern knows (two-factor secret, login link).
pub(super) fn without_records(mut error: PanelError) -> PanelError {
    let detail: &mut Detail = match &mut error {
        PanelError::Transient(detail)
        | PanelError::Auth(detail)
        | PanelError::InDoubt(detail)
        | PanelError::Throttled { detail, .. }
        | PanelError::Rejected { detail, .. } => detail,
    };
    if detail.reply.as_deref().is_some_and(may_hold_record) {
        detail.reply = Some("(an account's record, left out)".to_owned());
    }
    error
}

fn may_hold_record(excerpt: &str) -> bool {
    excerpt.split_once("\"data\"").is_some_and(|(_, data)| {
        let data = data.trim_start_matches([':', ' ']);
        // 0.10 writes its errors with this.
        !data.starts_with("null")
    })
}
