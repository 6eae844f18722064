//! The records that Froxlor answers with, reduced to the fields that we use. A customer's record also
//! holds the password hash, the two-factor secret and a private key: nothing else of it is kept.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::allowance::Allowance;
use crate::http::lenient::{flag, items, signed, text, whole};
use crate::http::{Object, Scalar};

/// A customer: what `Customers.get`, `add`, `update`, `delete`, `unlock` and `move` answer with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Customer {
    pub(super) id: i64,
    pub(super) login: String,
    pub(super) admin_id: i64,
    pub(super) email: String,
    /// Where our marker is kept.
    pub(super) number: String,
    pub(super) company: String,
    pub(super) name: String,
    pub(super) firstname: String,
    /// The id of the standard subdomain's domain; 0 = it has none.
    pub(super) standard_subdomain: i64,
    /// The Unix user id.
    pub(super) guid: i64,
    pub(super) deactivated: bool,
    pub(super) disk_used_kib: Option<u64>,
    pub(super) allowance: Allowance,
}

impl Customer {
    /// `None` when a field is missing without which nothing may be concluded.
    pub(super) fn read(record: &Value) -> Option<Self> {
        let number = |name: &str| signed(record.get(name)?);
        let words = |name: &str| record.get(name).and_then(text).unwrap_or_default();
        Some(Self {
            id: number("customerid").filter(|id| *id > 0)?,
            login: text(record.get("loginname")?).filter(|login| !login.is_empty())?,
            admin_id: number("adminid")?,
            email: words("email"),
            number: words("customernumber"),
            company: words("company"),
            name: words("name"),
            firstname: words("firstname"),
            standard_subdomain: number("standardsubdomain")?,
            guid: number("guid")?,
            deactivated: flag(record.get("deactivated")?)?,
            disk_used_kib: record.get("diskspace_used").and_then(whole),
            allowance: Allowance::of_customer(record),
        })
    }
}

/// A domain of a customer (not a subdomain of one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) customer: i64,
}

impl Domain {
    pub(super) fn read(record: &Value) -> Option<Self> {
        Some(Self {
            id: signed(record.get("id")?)?,
            name: text(record.get("domain")?)?,
            customer: signed(record.get("customerid")?)?,
        })
    }
}

/// A hosting plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) allowance: Allowance,
}

impl Plan {
    /// `value` is JSON as text inside the JSON.
    pub(super) fn read(record: &Value) -> Option<Self> {
        let value = match record.get("value")? {
            Value::String(json) => serde_json::from_str(json).ok()?,
            value => value.clone(),
        };
        value.is_object().then_some(())?;
        Some(Self {
            id: signed(record.get("id")?)?,
            name: text(record.get("name")?)?,
            allowance: Allowance::of_plan(&value),
        })
    }
}

/// A PHP configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PhpConfig {
    pub(super) id: i64,
    pub(super) description: String,
    /// The one that the server uses where nothing is said.
    pub(super) default: bool,
}

impl PhpConfig {
    pub(super) fn read(record: &Value) -> Option<Self> {
        Some(Self {
            id: signed(record.get("id")?)?,
            description: record.get("description").and_then(text).unwrap_or_default(),
            default: record.get("is_default").and_then(flag) == Some(true),
        })
    }
}

/// The rows of a listing, `{"count": n, "list": [...]}`; `count` is only the size of this page.
pub(super) fn rows<T>(data: &Value, read: fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    items(data.get("list")?).into_iter().map(read).collect()
}

/// A set of ids: a list, a list as JSON text, or empty text for none.
pub(super) fn ids(value: &Value) -> Option<BTreeSet<i64>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::String(json) if json.trim().is_empty() => Some(BTreeSet::new()),
        Value::String(json) => match serde_json::from_str(json).ok()? {
            Value::String(_) => None,
            inner => ids(&inner),
        },
        list => items(list).into_iter().map(signed).collect(),
    }
}

/// `Traffic.listing`'s data. Typed, because a large server answers with a row for each customer and day.
#[derive(Debug, Deserialize)]
pub(super) struct TrafficRows {
    #[serde(deserialize_with = "traffic_list")]
    pub(super) list: Vec<TrafficRow>,
}

/// One run of the panel's traffic cron for one customer. The four counters are bytes.
#[derive(Debug, Deserialize)]
pub(super) struct TrafficRow {
    #[serde(default)]
    pub(super) id: Loose,
    #[serde(default)]
    pub(super) customerid: Loose,
    #[serde(default)]
    pub(super) year: Loose,
    #[serde(default)]
    pub(super) month: Loose,
    #[serde(default)]
    pub(super) day: Loose,
    #[serde(default)]
    pub(super) http: Loose,
    #[serde(default)]
    pub(super) ftp_up: Loose,
    #[serde(default)]
    pub(super) ftp_down: Loose,
    #[serde(default)]
    pub(super) mail: Loose,
}

/// A whole number however it is written; `None` for what is none.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Loose(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer).map(|value| Self(value.signed()))
    }
}

/// A list, or an object with numbers as keys, as PHP writes a list with gaps.
fn traffic_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TrafficRow>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<TrafficRow>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(Object(row)) = rows.next_element()? {
                list.push(row);
            }
            Ok(list)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some((_, row)) = rows.next_entry::<IgnoredAny, Object<_>>()? {
                list.push(row.0);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_may_come_as_json_in_text() {
        for value in [json!([1, "2"]), json!("[1,2]"), json!({"0": 1, "2": 2})] {
            assert_eq!(ids(&value), Some(BTreeSet::from([1, 2])), "{value}");
        }
        for none in [json!(""), json!(null), json!([]), json!("[]")] {
            assert_eq!(ids(&none), Some(BTreeSet::new()), "{none}");
        }
        assert_eq!(ids(&json!("[x")), None);
        assert_eq!(ids(&json!("\"\\\"[1]\\\"\"")), None);
    }

    #[test]
    fn a_record_without_what_identifies_it_is_no_customer() {
        let whole = json!({"customerid": 3, "loginname": "acme", "adminid": 1,
            "standardsubdomain": 3, "guid": 10002, "deactivated": 0});
        assert!(Customer::read(&whole).is_some());
        for field in [
            "customerid",
            "loginname",
            "adminid",
            "standardsubdomain",
            "guid",
            "deactivated",
        ] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            assert_eq!(Customer::read(&part), None, "{field}");
            let mut odd = whole.clone();
            odd[field] = json!({"odd": true});
            assert_eq!(Customer::read(&odd), None, "{field}");
        }
    }

    #[test]
    fn a_plan_keeps_its_numbers_in_text() {
        let plan = json!({"id": "1", "name": "Starter", "value": "{\"diskspace\":5120}"});
        assert_eq!(Plan::read(&plan).unwrap().id, 1);
        for value in [json!("{"), json!(""), json!("5"), json!(null), json!([1])] {
            let mut odd = plan.clone();
            odd["value"] = value;
            assert_eq!(Plan::read(&odd), None, "{odd}");
        }
    }
}
