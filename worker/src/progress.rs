//! The steps of an attempt that are committed before each changing call.

use std::net::IpAddr;

use panels::Order;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What earlier attempts of a job have done, kept in the job's row.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// When the first create left, in milliseconds by the database's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_sent_at: Option<i64>,
    /// Whether the panel has answered that it made the account; then it has our password.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) created: bool,
    /// Whether the first step of several was confirmed by the panel (a change of the package, after which
    /// come the account's own limits).
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) first_step_done: bool,
    /// The address that is being given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    /// Name servers that the panel's answer told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) name_servers: Vec<String>,
    /// What the panel's answer warned about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// What a suspend had to remember.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remembered: Option<Value>,
    /// Whether the accounts that a report lacks are counted.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) missing_counted: bool,
    /// What was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Order>,
    /// Whether an order has left whose answer is not known.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) ordering: bool,
    /// How often an order was looked at and not found done.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) polls: i32,
    /// When a payment left whose answer is not known, in milliseconds by the database's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paying_since: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl Progress {
    /// From the row; what cannot be read counts as nothing done, which every step allows for.
    pub(crate) fn read(column: Option<&str>) -> Self {
        column
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// For the row; `None` = nothing to keep.
    pub(crate) fn to_value(&self) -> Option<Value> {
        (*self != Self::default())
            .then(|| serde_json::to_value(self).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_column() {
        let progress = Progress {
            order: Some(Order {
                goal: panels::Goal::Made,
                service: "301".to_owned(),
                invoice: Some("308979".to_owned()),
                number: Some("873340995".to_owned()),
                label: Some("H1-7 acme".to_owned()),
            }),
            ordering: true,
            polls: 3,
            paying_since: Some(5),
            ..Progress::default()
        };
        let text = progress.to_value().unwrap().to_string();
        assert_eq!(Progress::read(Some(&text)), progress);
        assert!(text.contains(r#""goal":"made""#), "{text}");
    }

    /// Jobs that an earlier version has begun are gone on with: the steps of payload version 1, every field
    /// of them. The file is never changed.
    #[test]
    fn steps_that_an_earlier_version_has_written_are_read() {
        let golden = include_str!("../tests/golden/progress-1.json");
        let read = Progress::read(Some(golden));
        let every_field = Progress {
            first_sent_at: Some(1_795_290_001_000),
            created: true,
            address: Some("192.0.2.7".parse().unwrap()),
            name_servers: vec!["ns1.example.net".to_owned(), "ns2.example.net".to_owned()],
            warnings: vec!["quota was rounded".to_owned()],
            remembered: Some(serde_json::json!({"by": "abuse", "reason": "spam"})),
            missing_counted: true,
            first_step_done: true,
            ..Progress::default()
        };
        assert_eq!(read, every_field);
        let written: Value = serde_json::from_str(golden).unwrap();
        assert_eq!(every_field.to_value(), Some(written));
        let step_by_step = Progress::read(Some(r#"{"first_sent_at":5}"#));
        assert_eq!(step_by_step.first_sent_at, Some(5));
    }

    #[test]
    fn progress_survives_its_column() {
        let progress = Progress {
            first_sent_at: Some(7),
            created: true,
            address: Some("192.0.2.7".parse().unwrap()),
            ..Progress::default()
        };
        let text = progress.to_value().unwrap().to_string();
        assert_eq!(Progress::read(Some(&text)), progress);
        assert_eq!(Progress::read(Some("[]")), Progress::default());
        assert_eq!(Progress::default().to_value(), None);
    }
}
