//! What a supplier has beside services, row by row.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::shapes::{optional_id, word};
use crate::http::lenient::{items, text};

/// What there is to pay and to pay with; amounts as the supplier writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The currency.
    pub currency: String,
    /// The sum of the unpaid invoices: a debt.
    pub owed: String,
    /// Money that is available.
    pub credit: String,
}

/// One invoice of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// Its id.
    pub id: String,
    /// Its number, where it has one.
    pub number: Option<String>,
    /// When it was made.
    pub date: String,
    /// When it is due.
    pub due: String,
    /// Its total.
    pub total: String,
    /// Unpaid, Paid, ...
    pub status: String,
}

/// One service of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// Its id.
    pub id: String,
    /// The product's name.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// Pending, Active, ...
    pub status: String,
    /// What it costs each cycle.
    pub total: String,
    /// When that is due next.
    pub next_due: String,
}

/// One DNS zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The service that it belongs to.
    pub service: String,
}

/// One record of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// Its id; empty for one that is new.
    #[serde(default)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// A, AAAA, MX, ...
    pub kind: String,
    /// How long it may be kept, in seconds.
    pub ttl: u64,
    /// Its priority, where it has one.
    pub priority: u64,
    /// What it says.
    pub content: Vec<String>,
}

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its number.
    pub number: String,
    /// Its subject.
    pub subject: String,
    /// Open, Answered, ...
    pub status: String,
    /// The department.
    pub department: String,
    /// When it was opened.
    pub date: String,
}

/// One contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its id.
    pub id: String,
    /// Its mail address.
    pub email: String,
    /// First and last name, or the company.
    pub name: String,
}

/// What can be asked by a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What there is to pay and to pay with.
    Balance,
    /// The invoices.
    Invoices,
    /// The services.
    Services,
    /// The DNS zones.
    DnsZones,
    /// The tickets.
    Tickets,
    /// The contacts.
    Contacts,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Balance,
        Self::Invoices,
        Self::Services,
        Self::DnsZones,
        Self::Tickets,
        Self::Contacts,
    ];

    /// Its name, as jobs and commands have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Invoices => "invoices",
            Self::Services => "services",
            Self::DnsZones => "dns_zones",
            Self::Tickets => "tickets",
            Self::Contacts => "contacts",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn record(row: &Value) -> Option<ZoneRecord> {
    let content = row.get("content").map(items).unwrap_or_default();
    let number = |name: &str| match row.get(name) {
        None | Some(Value::Null) => Some(0),
        Some(value) => text(value)?.trim().parse().ok(),
    };
    Some(ZoneRecord {
        id: optional_id(row.get("id"))?.unwrap_or_default(),
        name: row.get("name").and_then(word)?,
        kind: row.get("type").and_then(word)?,
        ttl: number("ttl")?,
        priority: number("priority")?,
        content: content.into_iter().map(text).collect::<Option<_>>()?,
    })
}

pub(super) fn of_record(record: &ZoneRecord) -> Value {
    let content = match record.content.as_slice() {
        [one] => json!(one),
        many => json!(many),
    };
    json!({
        "name": record.name,
        "type": record.kind,
        "ttl": record.ttl,
        "priority": record.priority,
        "content": content,
    })
}
