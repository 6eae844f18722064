//! The body of a request for a job, as it is sent.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::discreet::Unsaid;
use crate::{Problem, shapes};

/// Said of a text with a NUL character.
pub(crate) const NO_NUL: &str = "must not hold a NUL character";

const NO_OBJECT: &str = "must be an object";
/// The fields of bodies that are objects.
const OBJECTS: [&str; 2] = ["account", "filter"];

/// A request for a job. Which fields a kind takes is in the table of kinds; one that a kind does not
/// use is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// What is to be done.
    #[schema(value_type = shapes::AskedKind, example = "create")]
    pub kind: String,
    /// The server's name.
    #[serde(default)]
    #[schema(example = "web1")]
    pub server: Option<String>,
    /// The account.
    #[serde(default)]
    pub account: Option<AccountRequest>,
    /// `get_stats`: the month in the panel's time zone, `YYYY-MM`.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Month>)]
    pub month: Option<String>,
    /// `list_accounts`: whether unknown accounts are taken over.
    #[serde(default)]
    pub import: Option<bool>,
    /// `ask_supplier`: `balance`, `invoices`, `services`, `dns_zones`, `tickets` or `contacts`.
    #[serde(default)]
    pub question: Option<String>,
    /// Not before (RFC 3339), within 400 days.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Time>)]
    pub due_at: Option<String>,
    /// Why; shown to operators, and to the panel on suspend. Without control characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Name of the webhook endpoint to tell.
    #[serde(default)]
    #[schema(example = "main")]
    pub webhook: Option<String>,
    /// The idempotency key, for clients that cannot send the header.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Key>)]
    pub idempotency_key: Option<String>,
}

/// What a request says of an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// Hostler's id of it.
    #[serde(default)]
    pub id: Option<String>,
    /// The platform's own id of it.
    #[serde(default)]
    #[schema(example = "whmcs:42")]
    pub reference: Option<String>,
    /// The login name.
    #[serde(default)]
    #[schema(example = "acme")]
    pub username: Option<String>,
    /// The main domain.
    #[serde(default)]
    #[schema(example = "acme.example.com")]
    pub domain: Option<String>,
    /// The owner's mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The package, by the name that the panel lists.
    #[serde(default)]
    #[schema(example = "gold")]
    pub package: Option<String>,
    /// The password; without one a create generates one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<Password>,
    /// Limits by name: a whole number or `unlimited`.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Limits>)]
    pub limits: Option<BTreeMap<String, Value>>,
    /// Whether it shall have an address of its own.
    #[serde(default)]
    pub dedicated_ip: Option<bool>,
    /// What only this server's panel wants.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub panel: Option<BTreeMap<String, Value>>,
}

impl AccountRequest {
    /// The names of the fields that say something.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let said = [
            ("id", self.id.is_some()),
            ("reference", self.reference.is_some()),
            ("username", self.username.is_some()),
            ("domain", self.domain.is_some()),
            ("email", self.email.is_some()),
            ("package", self.package.is_some()),
            ("password", self.password.is_some()),
            (
                "limits",
                self.limits.as_ref().is_some_and(|l| !l.is_empty()),
            ),
            ("dedicated_ip", self.dedicated_ip == Some(true)),
            ("panel", self.panel.as_ref().is_some_and(|p| !p.is_empty())),
        ];
        said.into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect()
    }
}

/// A password on its way in. An error about it never repeats it.
#[derive(Debug, Clone)]
pub struct Password(pub SecretString);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(SecretString::from(text))),
            _ => Err(serde::de::Error::custom("must be a string")),
        }
    }
}

impl JobRequest {
    /// From JSON.
    ///
    /// # Errors
    /// 422 with the path of the field that is unknown, missing or of the wrong type.
    pub fn parse(value: &Value) -> Result<Self, Problem> {
        whole(value)
    }
}

/// A typed body from JSON that holds no NUL character.
///
/// # Errors
/// 422 with the path of the field that is unknown, missing or of the wrong type.
pub(crate) fn whole<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    if let Some(path) = nul_in(value) {
        let field = if path.is_empty() { "body" } else { &path };
        return Err(Unsaid::of(value).left_out_of(Problem::field(field, NO_NUL)));
    }
    typed(value)
}

/// A typed body from JSON.
///
/// # Errors
/// 422 with the path of the field that is unknown, missing or of the wrong type.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    // Serde takes a list for an object whose fields are given in order.
    if !value.is_object() {
        return Err(Problem::field("body", NO_OBJECT));
    }
    let listed = |field: &&str| value.get(field).is_some_and(Value::is_array);
    if let Some(field) = OBJECTS.into_iter().find(listed) {
        return Err(Problem::field(field, NO_OBJECT));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let missing = message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next());
        let (field, message) = match missing {
            Some(name) if path == "." => (name.to_owned(), "is required".to_owned()),
            Some(name) => (format!("{path}.{name}"), "is required".to_owned()),
            None if path == "." || path.is_empty() => ("body".to_owned(), message),
            None => (path, message),
        };
        Unsaid::of(value).left_out_of(Problem::field(field, message))
    })
}

/// Where a text holds a NUL character, which not every database can keep or compare.
fn nul_in(value: &Value) -> Option<String> {
    let below = |name: &str, value| {
        let path = nul_in(value)?;
        let dot = if path.is_empty() { "" } else { "." };
        Some(format!("{name}{dot}{path}"))
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| below(&index.to_string(), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(String::new());
            }
            below(name, value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The text whose keyed hash tells whether two requests are the same: keys in order, without what is
/// null, and without the idempotency key itself (it may come in the header or in the body).
pub(crate) fn canonical(body: &Value) -> String {
    let mut text = String::new();
    match body {
        Value::Object(fields) => write_object(
            fields
                .iter()
                .filter(|(name, _)| *name != "idempotency_key")
                .map(|(name, value)| (name.as_str(), value)),
            &mut text,
        ),
        other => write(other, &mut text),
    }
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => write_object(
            fields.iter().map(|(name, value)| (name.as_str(), value)),
            text,
        ),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_object<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>, text: &mut String) {
    let sorted: BTreeMap<&str, &Value> = fields.filter(|(_, value)| !value.is_null()).collect();
    text.push('{');
    for (name, value) in sorted {
        text.push_str(&Value::from(name).to_string());
        text.push(':');
        write(value, text);
        text.push(',');
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_that_is_wrong_is_named() {
        for (body, field) in [
            (json!({"kind": "create", "servr": "web1"}), "servr"),
            (
                json!({"kind": "create", "account": {"usrname": "a"}}),
                "account.usrname",
            ),
            (
                json!({"kind": "create", "account": {"domain": 5}}),
                "account.domain",
            ),
            (json!({}), "kind"),
            (json!([]), "body"),
            (json!(["create", "web1"]), "body"),
            (json!({"kind": "suspend", "account": ["x"]}), "account"),
        ] {
            let problem = JobRequest::parse(&body).unwrap_err();
            assert_eq!(problem.errors[0].field, field, "{body}");
        }
    }

    #[test]
    fn an_error_about_a_password_does_not_repeat_it() {
        let body =
            json!({"kind": "create", "account": {"password": ["correct", "horse", 90_210_007]}});
        let text = format!("{:?}", JobRequest::parse(&body).unwrap_err());
        assert!(text.contains("account.password") && !text.contains("horse"));
        let number = json!({"kind": "create", "account": {"password": 90_210_007}});
        assert!(!format!("{:?}", JobRequest::parse(&number).unwrap_err()).contains("90210007"));
    }

    #[test]
    fn order_nulls_and_the_key_do_not_make_another_request() {
        let a = json!({"kind": "suspend", "account": {"id": "x", "email": null}, "idempotency_key": "k"});
        let b = json!({"account": {"id": "x"}, "kind": "suspend"});
        let c = json!({"account": {"id": "y"}, "kind": "suspend"});
        assert_eq!(canonical(&a), canonical(&b));
        assert_ne!(canonical(&a), canonical(&c));
    }
}
