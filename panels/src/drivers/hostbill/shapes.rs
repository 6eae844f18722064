//! What HostBill's records look like, read strictly: an id is digits, a status is one that we know.

use chrono::NaiveDate;
use serde_json::Value;

use super::settings::is_id;
use crate::http::lenient::{flag, items, text};

/// An id: digits, as a number or as a text.
pub(super) fn id(value: &Value) -> Option<String> {
    text(value).filter(|text| is_id(text))
}

/// An id that may be missing, empty or zero, which all say that there is none; `None` = it is something else.
pub(super) fn optional_id(value: Option<&Value>) -> Option<Option<String>> {
    match value.map(|value| text(value).unwrap_or_default()) {
        None => Some(None),
        Some(none) if none.is_empty() || none.bytes().all(|b| b == b'0') => {
            let plain = !matches!(value, Some(Value::Array(_) | Value::Object(_)));
            plain.then_some(None)
        }
        Some(id) => is_id(&id).then_some(Some(id)),
    }
}

/// A text without control characters, trimmed.
pub(super) fn word(value: &Value) -> Option<String> {
    let word = text(value)?.trim().to_owned();
    (!word.chars().any(char::is_control)).then_some(word)
}

fn word_of(row: &Value, name: &str) -> Option<String> {
    row.get(name).and_then(word).filter(|word| !word.is_empty())
}

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Active,
    Suspended,
    Terminated,
    Cancelled,
    Fraud,
}

impl Status {
    fn read(value: &Value) -> Option<Self> {
        match word(value)?.as_str() {
            "Pending" => Some(Self::Pending),
            "Active" => Some(Self::Active),
            "Suspended" => Some(Self::Suspended),
            "Terminated" => Some(Self::Terminated),
            "Cancelled" | "Canceled" => Some(Self::Cancelled),
            "Fraud" => Some(Self::Fraud),
            _ => None,
        }
    }

    /// Whether there is, or will be, something.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Suspended)
    }
}

/// A row of `GET /service`.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) domain: Option<String>,
    pub(super) status: Status,
}

impl Row {
    pub(super) fn read(row: &Value) -> Option<Self> {
        Some(Self {
            id: id(row.get("id")?)?,
            domain: domain(row)?,
            status: Status::read(row.get("status")?)?,
        })
    }
}

/// The domain in lower case; `Some(None)` = the service has none.
fn domain(row: &Value) -> Option<Option<String>> {
    match row.get("domain") {
        None | Some(Value::Null) => Some(None),
        Some(value) => {
            let domain = word(value)?.to_ascii_lowercase();
            Some((!domain.is_empty()).then_some(domain))
        }
    }
}

/// `GET /service/@id`.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) domain: Option<String>,
    pub(super) status: Status,
    /// The product's name.
    pub(super) name: Option<String>,
    pub(super) label: String,
    pub(super) username: Option<String>,
    /// In clear: never in a text of ours.
    pub(super) password: Option<String>,
    pub(super) created: Option<NaiveDate>,
}

impl Service {
    pub(super) fn read(row: &Value) -> Option<Self> {
        Some(Self {
            id: id(row.get("id")?)?,
            domain: domain(row)?,
            status: Status::read(row.get("status")?)?,
            name: word_of(row, "name"),
            label: match row.get("label") {
                None | Some(Value::Null) => String::new(),
                Some(label) => word(label)?,
            },
            username: word_of(row, "username"),
            password: row.get("password").and_then(text).filter(|p| !p.is_empty()),
            created: row.get("date_created").and_then(date),
        })
    }
}

/// `0000-00-00` is no date.
pub(super) fn date(value: &Value) -> Option<NaiveDate> {
    let text = text(value)?;
    text.get(..10)?.parse().ok()
}

/// An amount of money in hundredths; more digits than two are not understood.
pub(super) fn cents(value: &Value) -> Option<i64> {
    let text = text(value)?;
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let tail = part.get(2..).unwrap_or_default();
    if !numeric(whole) || !numeric(part) || tail.bytes().any(|b| b != b'0') {
        return None;
    }
    let part = format!("{part:0<2}");
    let part: i64 = part.get(..2)?.parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    Some(sign * whole.checked_mul(100)?.checked_add(part)?)
}

/// Hundredths as money.
pub(super) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// An invoice, of the list or by itself.
#[derive(Debug, Clone)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) total: i64,
    pub(super) date: Option<NaiveDate>,
    /// The services that its lines are for; empty in the list.
    pub(super) services: Vec<String>,
}

impl Invoice {
    pub(super) fn read(row: &Value) -> Option<Self> {
        let lines = row.get("items").map(items).unwrap_or_default();
        Some(Self {
            id: id(row.get("id")?)?,
            status: word_of(row, "status")?,
            total: cents(row.get("total")?)?,
            date: row.get("date").and_then(date),
            services: lines
                .into_iter()
                .filter_map(|line| id(line.get("item_id")?))
                .collect(),
        })
    }

    pub(super) fn is_unpaid(&self) -> bool {
        self.status == "Unpaid"
    }
}

/// A product of a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) id: String,
    pub(super) name: String,
}

impl Product {
    pub(super) fn read(row: &Value) -> Option<Self> {
        Some(Self {
            id: id(row.get("id")?)?,
            name: word_of(row, "name")?,
        })
    }
}

/// A route that a service offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    method: String,
    /// Without the names of its parameters: `/service/@/vms/@/stop`.
    path: String,
}

impl Route {
    pub(super) fn read(row: &Value) -> Option<Self> {
        Some(Self {
            method: word_of(row, "method")?.to_ascii_uppercase(),
            path: nameless(&word_of(row, "route")?),
        })
    }

    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == nameless(path)
    }
}

fn nameless(path: &str) -> String {
    let part = |part: &str| {
        let parameter = part.starts_with('@');
        if parameter {
            "@".to_owned()
        } else {
            part.to_owned()
        }
    };
    let parts: Vec<String> = path.trim_matches('/').split('/').map(part).collect();
    parts.join("/")
}

/// One resource or field that can be chosen, with its choices.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) items: Vec<Item>,
}

/// One choice.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) selected: bool,
}

impl Choice {
    pub(super) fn read(row: &Value) -> Option<Self> {
        let list = row.get("items").map(items).unwrap_or_default();
        Some(Self {
            id: row.get("id").and_then(word)?,
            kind: word_of(row, "type").unwrap_or_default(),
            required: row.get("required").and_then(flag) == Some(true),
            items: list.into_iter().filter_map(Item::read).collect(),
        })
    }
}

impl Item {
    fn read(row: &Value) -> Option<Self> {
        let id = row.get("id").or_else(|| row.get("value"));
        let name = word_of(row, "name").or_else(|| word_of(row, "title"));
        Some(Self {
            id: id.and_then(word)?,
            name: name.unwrap_or_default(),
            selected: row.get("selected").and_then(flag) == Some(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn money_is_never_rounded() {
        for (value, read) in [
            (json!("9.99"), Some(999)),
            (json!(9.9), Some(990)),
            (json!(12), Some(1200)),
            (json!("123456.5500"), Some(12_345_655)),
            (json!("-1.05"), Some(-105)),
            (json!("1.005"), None),
            (json!("1,00"), None),
            (json!("1.5 GB"), None),
            (json!(""), None),
            (json!(null), None),
            (json!("99999999999999999999"), None),
        ] {
            assert_eq!(cents(&value), read, "{value}");
        }
        assert_eq!((money(999), money(-5)), ("9.99".into(), "-0.05".into()));
    }

    #[test]
    fn ids_are_digits_and_may_be_none() {
        assert_eq!(id(&json!(873_340_995)), Some("873340995".into()));
        assert_eq!(id(&json!("1/../2")), None);
        assert_eq!(id(&json!(1.5)), None);
        for none in [json!("0"), json!(0), json!(null), json!("")] {
            assert_eq!(optional_id(Some(&none)), Some(None), "{none}");
        }
        assert_eq!(optional_id(None), Some(None));
        assert_eq!(
            optional_id(Some(&json!("308979"))),
            Some(Some("308979".into()))
        );
        assert_eq!(optional_id(Some(&json!([1]))), None);
        assert_eq!(optional_id(Some(&json!("x"))), None);
    }

    #[test]
    fn routes_are_known_whatever_their_parameters_are_called() {
        let route =
            json!({"name": "Stop", "method": "post", "route": "/service/@id/vms/@vmid/stop"});
        let route = Route::read(&route).unwrap();
        assert!(route.is("POST", "/service/@service/vms/@machine/stop"));
        assert!(!route.is("GET", "/service/@id/vms/@vmid/stop"));
        assert!(!route.is("POST", "/service/@id/vms/stop"));
    }
}
