//! Requests in, envelopes out: the form of Froxlor 2.x, and that of 0.10.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::http::{Request, Response};

/// Which protocol the panel speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// Froxlor 2.0 and later: HTTP Basic, `{"data": ...}` or `{"message": ...}`.
    #[default]
    Current,
    /// Froxlor 0.10: credentials in the body, `{"status", "status_message", "data"}`.
    Legacy,
}

/// The credentials of a request.
pub(super) struct Credentials {
    pub(super) key: String,
    pub(super) secret: String,
}

/// What a request asks for.
#[derive(Clone, Default)]
pub(super) struct Command {
    pub(super) module: String,
    pub(super) function: String,
    pub(super) params: Option<Value>,
}

impl Envelope {
    pub(super) fn credentials(self, request: &Request) -> Option<Credentials> {
        match self {
            Envelope::Current => {
                let (scheme, code) = request.header("authorization")?.split_once(' ')?;
                let text = String::from_utf8(STANDARD.decode(code.trim()).ok()?).ok()?;
                let (key, secret) = text
                    .split_once(':')
                    .filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
                Some(Credentials {
                    key: key.to_owned(),
                    secret: secret.to_owned(),
                })
            }
            Envelope::Legacy => {
                let body: Value = serde_json::from_slice(&request.body).ok()?;
                let header = body.get("header")?;
                Some(Credentials {
                    key: header.get("apikey")?.as_str()?.to_owned(),
                    secret: header.get("secret")?.as_str()?.to_owned(),
                })
            }
        }
    }

    /// The command of a request.
    pub(super) fn command(self, request: &Request) -> Result<Command, Failure> {
        if request.body.is_empty() {
            return Failure::plain(400, "Empty request body.");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return Failure::plain(400, "Invalid JSON Format.");
        };
        if let Some((module, function)) = rest_style(&request.query) {
            return Ok(Command {
                module,
                function,
                params: Some(body),
            });
        }
        let body = match self {
            Envelope::Current => body,
            Envelope::Legacy => body.get("body").cloned().unwrap_or(Value::Null),
        };
        let name = body
            .get("command")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if name.is_empty() {
            return Failure::plain(400, "Please provide a command.");
        }
        match name.split_once('.') {
            Some((module, function)) if !module.is_empty() && !function.is_empty() => Ok(Command {
                module: module.to_owned(),
                function: function.to_owned(),
                params: body.get("params").cloned(),
            }),
            _ => Failure::plain(400, "The given command is invalid."),
        }
    }

    pub(super) fn success(self, data: &Value) -> Response {
        let body = match self {
            Envelope::Current => json!({"data": data}),
            Envelope::Legacy => {
                json!({"status": 200, "status_message": "successful", "data": data})
            }
        };
        let mut response = json_response(200, &body);
        if self == Envelope::Legacy {
            response.reason = Some("successful");
        }
        response
    }

    pub(super) fn failure(self, failure: &Failure, language: &str) -> Response {
        let (status, text) = match failure {
            Failure::Plain(status, text) => (*status, text.clone()),
            Failure::Complaint(complaint) => (400, complaint.text(language)),
            Failure::NoCredentials => (
                401,
                "Unauthenticated. Please provide api user credentials.".to_owned(),
            ),
            Failure::Fatal => return Response::new(500, "text/html; charset=UTF-8", ""),
        };
        let body = match self {
            Envelope::Current => json!({"message": text}),
            Envelope::Legacy => json!({"status": status, "status_message": text, "data": null}),
        };
        let response = json_response(status, &body);
        match failure {
            Failure::NoCredentials => response.with("WWW-Authenticate", "Basic realm=\"API\""),
            _ => response,
        }
    }
}

/// `/api.php?/module/function`: lower-case letters only, the module's first letter is made upper-case.
fn rest_style(query: &str) -> Option<(String, String)> {
    let (module, function) = query
        .strip_prefix('/')?
        .trim_end_matches('/')
        .split_once('/')?;
    let lower = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    if !lower(module) || !lower(function) {
        return None;
    }
    let mut chars = module.chars();
    let first = chars.next()?.to_ascii_uppercase();
    Some((format!("{first}{}", chars.as_str()), function.to_owned()))
}

fn json_response(status: u16, body: &Value) -> Response {
    // PHP prints its JSON with four blanks; the indentation is not part of the contract.
    let text = serde_json::to_string_pretty(body).unwrap_or_default();
    Response::new(status, "application/json", text)
}

/// Numbers as strings, as PHP 7.4 and 8.0 read them from the database. What PHP counts itself stays a number.
pub(super) fn php74(value: Value) -> Value {
    const COUNTED: [&str; 6] = ["count", "http", "ftp_up", "ftp_down", "mail", "domains"];
    match value {
        Value::Number(number) => Value::from(number.to_string()),
        Value::Array(list) => list.into_iter().map(php74).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let counted = COUNTED.contains(&name.as_str()) && value.is_number();
                let value = if counted { value } else { php74(value) };
                (name, value)
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}
