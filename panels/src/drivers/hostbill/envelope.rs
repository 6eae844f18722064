//! What an answer says. There are no codes: an error is a list of texts under `error`, mostly with status 200,
//! and in the client's language; nothing is concluded from a text.

use serde_json::{Map, Value};

use crate::PanelError;
use crate::http::Reply;
use crate::http::lenient::{flag, items, text};

/// An answer that is not an error.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) fields: Map<String, Value>,
    pub(super) reply: Reply,
}

/// An object without `error`, and with neither `success` nor `status` false, is an answer. Whether it is the
/// one that was asked for, its fields show.
pub(super) fn judge(mut reply: Reply) -> Result<Said, PanelError> {
    // A refusal comes with 200 or with a 4xx; of the latter only those which a web server would not say.
    if !matches!(reply.status, 200..=299 | 400 | 404 | 405..=428) {
        reply.judge_status()?;
    }
    let Value::Object(fields) = reply.json().map_err(|error| status_first(&reply, error))? else {
        return Err(reply.unknown("the panel's answer is not one of HostBill's"));
    };
    if let Some(reason) = reason(&fields) {
        return Err(without_records(reply.rejected("panel_refused", &reason)));
    }
    reply.judge_status()?;
    let failed = |name: &str| fields.get(name).and_then(Value::as_bool) == Some(false);
    if failed("success") || failed("status") {
        return Err(without_records(reply.rejected("panel_refused", "")));
    }
    reply.body = Vec::new();
    Ok(Said { fields, reply })
}

/// What is no JSON is judged by its status where that says more.
fn status_first(reply: &Reply, error: PanelError) -> PanelError {
    reply.judge_status().err().unwrap_or(error)
}

/// The texts of an error, joined; `None` = there is no error.
fn reason(fields: &Map<String, Value>) -> Option<String> {
    let error = fields.get("error")?;
    let texts: Vec<String> = match error {
        Value::Object(named) => named.values().filter_map(text).collect(),
        other => items(other).into_iter().filter_map(text).collect(),
    };
    let texts: Vec<String> = texts.into_iter().filter(|one| !one.is_empty()).collect();
    (!texts.is_empty() && error.as_bool() != Some(false)).then(|| texts.join("; "))
}

impl Said {
    /// The field of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// What `read` makes of the field.
    ///
    /// # Errors
    /// We do not know, where there is no such field or it is not what the call answers with.
    pub(super) fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, PanelError> {
        self.get(name).and_then(read).ok_or_else(|| {
            let what = format!("the panel's answer has no `{name}` as it should be");
            self.reply.unknown(what)
        })
    }

    /// All rows of a list.
    pub(super) fn rows<T>(
        &self,
        name: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, PanelError> {
        self.read(name, |value| match value {
            Value::Null => None,
            list => items(list).into_iter().map(&read).collect(),
        })
    }

    /// Whether it says that what was asked for was done.
    pub(super) fn is_confirmed(&self) -> bool {
        let yes = |name: &str| self.get(name).and_then(flag) == Some(true);
        let told = self.get("info").is_some_and(|info| {
            let texts = items(info).into_iter().filter_map(text);
            texts.filter(|one| !one.is_empty()).count() > 0
        });
        yes("success") || yes("status") || told
    }

    /// Passes what [`Self::is_confirmed`].
    pub(super) fn confirmed(&self) -> Result<(), PanelError> {
        if self.is_confirmed() {
            Ok(())
        } else {
            Err(self
                .reply
                .unknown("the panel's answer does not confirm the change"))
        }
    }
}

/// The error without its excerpt of an answer that may hold a record with a password, or tokens.
pub(super) fn without_records(mut error: PanelError) -> PanelError {
    let detail = match &mut error {
        PanelError::Transient(detail)
        | PanelError::Auth(detail)
        | PanelError::InDoubt(detail)
        | PanelError::Throttled { detail, .. }
        | PanelError::Rejected { detail, .. } => detail,
    };
    let secret = |text: &str| {
        ["username", "password", "token", "refresh"]
            .iter()
            .any(|word| text.contains(word))
    };
    if detail.reply.as_deref().is_some_and(secret) {
        detail.reply = Some("(a record, left out)".to_owned());
    }
    if detail.request.as_deref().is_some_and(secret) {
        detail.request = Some("(credentials, left out)".to_owned());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Effect;

    fn class(status: u16, body: &str) -> (&'static str, String) {
        let reply = Reply::canned(Effect::Change, status, body.as_bytes());
        match judge(reply) {
            Ok(_) => ("ok", String::new()),
            Err(error) => (error.class(), error.to_string()),
        }
    }

    #[test]
    fn an_error_is_one_whatever_its_status_and_form() {
        for (status, body, reason) in [
            (200, r#"{"error":["invalid method"]}"#, "invalid method"),
            (200, r#"{"error":"no"}"#, "no"),
            (200, r#"{"error":{"domain":"taken"}}"#, "taken"),
            (200, r#"{"success":true,"error":["a","b"]}"#, "a; b"),
            (400, r#"{"error":["wrong cycle"]}"#, "wrong cycle"),
            (404, r#"{"error":["none"]}"#, "none"),
            (200, r#"{"success":false}"#, "the panel gave no reason"),
            (200, r#"{"status":false}"#, "the panel gave no reason"),
        ] {
            assert_eq!(
                class(status, body),
                ("rejected", reason.to_owned()),
                "{body}"
            );
        }
        for (status, body, said) in [
            (200, r#"{"service":{}}"#, "ok"),
            (200, r#"{"error":[],"info":["x"]}"#, "ok"),
            (200, r#"{"error":null,"info":["x"]}"#, "ok"),
            (404, r#"{"service":{}}"#, "in_doubt"),
            (404, "<html>", "in_doubt"),
            (401, r#"{"error":["token"]}"#, "auth"),
            (403, "", "auth"),
            (429, "", "throttled"),
            (500, r#"{"error":["sql"]}"#, "in_doubt"),
            (200, "[]", "in_doubt"),
        ] {
            assert_eq!(class(status, body).0, said, "{status} {body}");
        }
    }
}
