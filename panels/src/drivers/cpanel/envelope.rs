//! The envelope of WHM API 1: `{"metadata": {"result", "reason", "output"}, "data"}`.
//!
//! HTTP is 200 for business failures too, and answers of other kinds arrive under the same status: a login
//! page, the envelope of cPanel's API 2, the old API 0. What each proves is decided here.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::reasons;
use crate::PanelError;
use crate::http::{Effect, Object, Reply, lenient};

/// An answer that the panel itself gave to the function we called.
#[derive(Debug)]
pub(super) enum Answer<D = Value> {
    /// `result` is 1.
    Done(Done<D>),
    /// `result` is 0: understood and not done.
    Refused(Refused),
}

/// A call that was done.
#[derive(Debug)]
pub(super) struct Done<D = Value> {
    /// `data`; null when there is none.
    pub(super) data: D,
    /// `metadata.output.warnings`, redacted: a part of the request may have been refused.
    pub(super) warnings: Vec<String>,
    /// For errors about what it holds.
    pub(super) reply: Reply,
}

/// A call that was refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// The panel's own words, not redacted.
    pub(super) reason: String,
    reply: Reply,
}

impl<D> Answer<D> {
    /// The refusal as an error, for callers to whom it is nothing else.
    pub(super) fn done(self) -> Result<Done<D>, PanelError> {
        match self {
            Answer::Done(done) => Ok(done),
            Answer::Refused(refused) => Err(refused.into_error()),
        }
    }
}

impl Done {
    /// The same with its data read.
    pub(super) fn reading<T>(self, read: fn(&Value) -> T) -> Done<T> {
        Done {
            data: read(&self.data),
            warnings: self.warnings,
            reply: self.reply,
        }
    }
}

impl Refused {
    /// The class and stable code by the panel's words.
    pub(super) fn into_error(self) -> PanelError {
        match reasons::judge(&self.reason) {
            reasons::Verdict::Permission => self.reply.auth(format!(
                "the token may not do this: {}",
                self.reply.redact_reason(&self.reason)
            )),
            // Something held a lock in the middle of it: after a change, part of it may be done.
            reasons::Verdict::Busy => self.reply.unknown(self.reason),
            reasons::Verdict::Rejected(code) => self.reply.rejected(code, &self.reason),
        }
    }

    /// A refusal with a code that the caller knows better.
    pub(super) fn rejected(&self, code: &'static str) -> PanelError {
        self.reply.rejected(code, &self.reason)
    }
}

/// Reads the envelope.
///
/// # Errors
/// `Auth` for refused credentials, login pages, and answers of another API (the address or the port
/// is not WHM's); `Throttled` for 429; for all else, a refusal without a reason too, `Transient` after a read and `InDoubt` after a change.
pub(super) fn open(reply: Reply, effect: Effect) -> Result<Answer, PanelError> {
    reply.judge_status()?;
    let mut body = reply.json()?;
    if let Some(error) = api_2_error(&body) {
        return Err(reply.auth(format!("this is not the WHM API: {error}")));
    }
    let Some(metadata) = body.get("metadata").filter(|m| m.is_object()).cloned() else {
        return Err(no_metadata(&reply, &body, effect));
    };
    let data = body.get_mut("data").map_or(Value::Null, Value::take);
    match metadata.get("result").and_then(lenient::signed) {
        Some(1) => Ok(Answer::Done(Done {
            warnings: warnings(&metadata, &reply),
            data,
            reply,
        })),
        Some(0) => {
            let text = |value: &Value| lenient::text(value).filter(|text| !text.trim().is_empty());
            let reason = metadata
                .get("reason")
                .and_then(text)
                .or_else(|| data.get("reason").and_then(text))
                .ok_or_else(|| reply.unknown("the panel refused, and the reason cannot be read"))?;
            Ok(Answer::Refused(Refused { reason, reply }))
        }
        _ => Err(reply.unknown("the answer does not say whether it was done")),
    }
}

/// The usual answer of a call that was done, its data read straight into what it is wanted as.
#[derive(Deserialize)]
struct Usual<T> {
    metadata: Map<String, Value>,
    data: Object<T>,
    cpanelresult: Option<IgnoredAny>,
}

/// Reads the envelope of a long listing without a tree of values, which takes several times the answer's
/// memory. An answer that is not written as usual is read as any other, and its data by `odd`.
///
/// # Errors
/// As [`open`].
pub(super) fn open_listing<T: DeserializeOwned>(
    reply: Reply,
    effect: Effect,
    odd: fn(&Value) -> T,
) -> Result<Answer<T>, PanelError> {
    reply.judge_status()?;
    if let Ok(Object(usual)) = serde_json::from_slice::<Object<Usual<T>>>(&reply.body)
        && usual.cpanelresult.is_none()
        && usual.metadata.get("result").and_then(lenient::signed) == Some(1)
    {
        return Ok(Answer::Done(Done {
            warnings: warnings(&usual.metadata.into(), &reply),
            data: usual.data.0,
            reply,
        }));
    }
    Ok(match open(reply, effect)? {
        Answer::Done(done) => Answer::Done(done.reading(odd)),
        Answer::Refused(refused) => Answer::Refused(refused),
    })
}

/// `{"cpanelresult": {"error": ...}}`: API 2, in which WHM refuses credentials and cPanel's own ports
/// answer everything.
fn api_2_error(body: &Value) -> Option<String> {
    let result = body.get("cpanelresult")?;
    let error = result
        .get("error")
        .or_else(|| result.pointer("/data/reason"))
        .and_then(lenient::text);
    Some(error.unwrap_or_else(|| "API 2".to_owned()))
}

/// JSON without our envelope. API 0 (no `api.version` arrived) is a wrong set-up; but a change that was
/// answered in it may well have been made.
fn no_metadata(reply: &Reply, body: &Value, effect: Effect) -> PanelError {
    let first = body.pointer("/result/0").unwrap_or(body);
    let api_0 = first.get("status").is_some() || first.get("statusmsg").is_some();
    let other = [
        "acct",
        "passwd",
        "bandwidth",
        "version",
        "app",
        "privs",
        "package",
    ];
    let api_0 = api_0 || other.iter().any(|key| body.get(key).is_some());
    let said = first
        .get("statusmsg")
        .and_then(lenient::text)
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    match (api_0, effect) {
        (true, Effect::Read) => reply.auth(format!(
            "the panel answered in its API 0; something takes api.version out of our requests{said}"
        )),
        (true, Effect::Change) => reply.unknown(format!("the panel answered in its API 0{said}")),
        (false, _) => reply.unknown("the answer is not one of the WHM API"),
    }
}

fn warnings(metadata: &Value, reply: &Reply) -> Vec<String> {
    let Some(warnings) = metadata.pointer("/output/warnings") else {
        return Vec::new();
    };
    lenient::items(warnings)
        .into_iter()
        .filter_map(lenient::text)
        .map(|text| reply.redact_reason(&text))
        .filter(|text| !text.is_empty())
        .collect()
}
