//! What goes over the wire.

use serde_json::{Map, Value, json};

use crate::http::{Request, Response};

/// What a call answers: a body, or the text of an error.
pub(super) type Said = Result<Value, String>;

pub(super) fn json(status: u16, body: &Value) -> Response {
    Response::new(status, "application/json", body.to_string())
}

pub(super) fn refused(status: u16, text: &str) -> Response {
    json(status, &json!({"error": [text]}))
}

/// The body's fields, JSON or form.
pub(super) fn params(request: &Request) -> Value {
    if let Ok(Value::Object(fields)) = serde_json::from_slice(&request.body) {
        return Value::Object(fields);
    }
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(&request.body).unwrap_or_default();
    let fields = pairs
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A parameter as text, whether it was sent as one or as a number.
pub(super) fn text(params: &Value, name: &str) -> Option<String> {
    match params.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Hundredths as the supplier writes money.
pub(super) fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents.rem_euclid(100))
}

/// `2026-11-26`.
pub(super) fn date(context: &crate::panel::Context<'_>) -> String {
    context.today().to_string()
}
