//! What clients sent, without their secrets.

use serde::Serialize;
use serde_json::{Map, Value};

/// One request as it was received.
#[derive(Clone, Debug, Serialize)]
pub struct RequestSeen {
    /// Counts from 1, over all connections.
    pub ordinal: u64,
    /// When, in ms since 1970 by the panel's clock.
    pub at_ms: i64,
    /// The function (`createacct`) or command (`Customers.add`); empty when none could be read.
    pub call: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The parameters; values of passwords and the like are replaced by `***`.
    pub params: Value,
    /// The account that the call names, in lower case.
    pub username: Option<String>,
    /// Whether the request carried an `Authorization` header (or, on the old Froxlor, credentials in its body).
    pub had_authorization: bool,
    /// The fault that was applied, by its short name.
    pub fault: Option<String>,
}

/// Names of parameters whose values are secret, in lower case.
const SECRET_PARTS: [&str; 8] = [
    "api_key",
    "pass",
    "secret",
    "token",
    "apikey",
    "credential",
    "auth",
    "session",
];

/// The same parameters with secret values replaced, at every depth.
pub(crate) fn without_secrets(params: &Value) -> Value {
    match params {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| (name.clone(), hide(name, value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}

fn hide(name: &str, value: &Value) -> Value {
    let lower = name.to_ascii_lowercase();
    let switch = matches!(
        lower.as_str(),
        "showpass" | "sendpassword" | "db_pass_update"
    );
    if !switch && SECRET_PARTS.iter().any(|part| lower.contains(part)) {
        Value::from("***")
    } else {
        without_secrets(value)
    }
}
