//! A client for what a customer of a supplier has beside services: money, invoices, tickets, contacts, DNS zones.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::settings::{Options, is_id};
use super::shapes::{id, optional_id, word};
use super::wire::Wire;
use crate::http::Method;
use crate::http::lenient::{items, text};
use crate::{PanelError, ServerSettings};

/// One client's account with one supplier by HostBill.
#[derive(Debug)]
pub struct Supplier {
    wire: Wire,
}

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

fn field(row: &Value, name: &str) -> String {
    row.get(name).and_then(word).unwrap_or_default()
}

impl Supplier {
    /// For that server; nothing is sent yet.
    ///
    /// # Errors
    /// `Rejected` with code `server_settings`.
    pub fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        let options = Options::read(settings)?;
        Ok(Self {
            wire: Wire::new(settings, &options)?,
        })
    }

    pub(super) fn of(wire: Wire) -> Self {
        Self { wire }
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Revokes the session, if there is one, and logs out.
    ///
    /// # Errors
    /// As every call.
    pub async fn log_out(&self) -> Result<(), PanelError> {
        self.wire.log_out().await
    }

    /// The answer to a question as JSON: one object, or a list of rows.
    ///
    /// # Errors
    /// As every call.
    pub async fn ask(&self, question: Question) -> Result<Value, PanelError> {
        Ok(match question {
            Question::Balance => json!(self.balance().await?),
            Question::Invoices => json!(self.invoices().await?),
            Question::Services => json!(self.services().await?),
            Question::DnsZones => json!(self.zones().await?),
            Question::Tickets => json!(self.tickets().await?),
            Question::Contacts => json!(self.contacts().await?),
        })
    }

    /// What there is to pay and to pay with.
    ///
    /// # Errors
    /// As every call.
    pub async fn balance(&self) -> Result<Balance, PanelError> {
        let said = self.wire.look("/balance").await?;
        said.read("details", |row| {
            Some(Balance {
                currency: field(row, "currency"),
                owed: row.get("acc_balance").and_then(word)?,
                credit: row.get("acc_credit").and_then(word)?,
            })
        })
    }

    /// All invoices.
    ///
    /// # Errors
    /// As every call.
    pub async fn invoices(&self) -> Result<Vec<InvoiceLine>, PanelError> {
        let said = self.wire.listing("/invoice").await?;
        said.rows("invoices", |row| {
            Some(InvoiceLine {
                id: id(row.get("id")?)?,
                number: row.get("number").and_then(word).filter(|n| !n.is_empty()),
                date: field(row, "date"),
                due: field(row, "duedate"),
                total: row.get("total").and_then(word)?,
                status: row.get("status").and_then(word)?,
            })
        })
    }

    /// All services.
    ///
    /// # Errors
    /// As every call.
    pub async fn services(&self) -> Result<Vec<ServiceLine>, PanelError> {
        let said = self.wire.listing("/service").await?;
        said.rows("services", |row| {
            Some(ServiceLine {
                id: id(row.get("id")?)?,
                name: field(row, "name"),
                domain: field(row, "domain"),
                status: row.get("status").and_then(word)?,
                total: field(row, "total"),
                next_due: field(row, "next_due"),
            })
        })
    }

    /// All DNS zones.
    ///
    /// # Errors
    /// As every call.
    pub async fn zones(&self) -> Result<Vec<Zone>, PanelError> {
        let said = self.wire.listing("/dns").await?;
        said.rows("zones", |row| {
            Some(Zone {
                id: id(row.get("domain_id")?)?,
                name: row.get("name").and_then(word)?,
                service: id(row.get("service_id")?)?,
            })
        })
    }

    /// The records of a zone.
    ///
    /// # Errors
    /// As every call.
    pub async fn records(&self, zone: &Zone) -> Result<Vec<ZoneRecord>, PanelError> {
        let said = self.wire.look(&path(zone, "")?).await?;
        said.rows("records", record)
    }

    /// Makes a zone below a service.
    ///
    /// # Errors
    /// As every call.
    pub async fn add_zone(&self, service: &str, name: &str) -> Result<(), PanelError> {
        let path = format!("/service/{}/dns", checked(service)?);
        let body = json!({"name": name});
        let said = self
            .wire
            .change(&Method::POST, &path, Some(&body), None)
            .await?;
        said.confirmed()
    }

    /// Removes a zone with its records.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_zone(&self, zone: &Zone) -> Result<(), PanelError> {
        let said = self
            .wire
            .change(&Method::DELETE, &path(zone, "")?, None, None)
            .await?;
        said.confirmed()
    }

    /// Adds a record to a zone.
    ///
    /// # Errors
    /// As every call.
    pub async fn add_record(&self, zone: &Zone, new: &ZoneRecord) -> Result<(), PanelError> {
        let body = of_record(new);
        let path = path(zone, "/records")?;
        let said = self
            .wire
            .change(&Method::POST, &path, Some(&body), None)
            .await?;
        said.read("record", |row| row.is_object().then_some(()))
    }

    /// Writes a record over the one of its id.
    ///
    /// # Errors
    /// As every call.
    pub async fn set_record(&self, zone: &Zone, record: &ZoneRecord) -> Result<(), PanelError> {
        let body = of_record(record);
        let path = path(zone, &format!("/records/{}", checked(&record.id)?))?;
        let said = self
            .wire
            .change(&Method::PUT, &path, Some(&body), None)
            .await?;
        said.confirmed()
    }

    /// Removes a record.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_record(&self, zone: &Zone, record: &str) -> Result<(), PanelError> {
        let path = path(zone, &format!("/records/{}", checked(record)?))?;
        let said = self.wire.change(&Method::DELETE, &path, None, None).await?;
        said.confirmed()
    }

    /// All tickets.
    ///
    /// # Errors
    /// As every call.
    pub async fn tickets(&self) -> Result<Vec<Ticket>, PanelError> {
        let said = self.wire.listing("/tickets").await?;
        said.rows("tickets", |row| {
            Some(Ticket {
                number: id(row.get("ticket_number")?)?,
                subject: field(row, "subject"),
                status: field(row, "status"),
                department: field(row, "deptname"),
                date: field(row, "date"),
            })
        })
    }

    /// Opens a ticket; its number.
    ///
    /// # Errors
    /// As every call.
    pub async fn open_ticket(
        &self,
        department: &str,
        subject: &str,
        text: &str,
    ) -> Result<String, PanelError> {
        let body = json!({"dept_id": checked(department)?, "subject": subject, "body": text});
        let said = self
            .wire
            .change(&Method::POST, "/tickets", Some(&body), None)
            .await?;
        said.read("ticket", id)
    }

    /// Answers a ticket.
    ///
    /// # Errors
    /// As every call.
    pub async fn answer_ticket(&self, number: &str, text: &str) -> Result<(), PanelError> {
        let path = format!("/tickets/{}", checked(number)?);
        let body = json!({"body": text});
        let said = self
            .wire
            .change(&Method::POST, &path, Some(&body), None)
            .await?;
        said.confirmed()
    }

    /// Closes a ticket.
    ///
    /// # Errors
    /// As every call.
    pub async fn close_ticket(&self, number: &str) -> Result<(), PanelError> {
        let path = format!("/tickets/{}/close", checked(number)?);
        let said = self.wire.change(&Method::PUT, &path, None, None).await?;
        said.confirmed()
    }

    /// All contacts.
    ///
    /// # Errors
    /// As every call.
    pub async fn contacts(&self) -> Result<Vec<Contact>, PanelError> {
        let said = self.wire.look("/contact").await?;
        said.rows("contacts", |row| {
            let whole = format!("{} {}", field(row, "firstname"), field(row, "lastname"));
            let name = match whole.trim() {
                "" => field(row, "companyname"),
                name => name.to_owned(),
            };
            Some(Contact {
                id: id(row.get("id")?)?,
                email: field(row, "email"),
                name,
            })
        })
    }

    /// Adds a contact, with a password of its own.
    ///
    /// # Errors
    /// As every call.
    pub async fn add_contact(
        &self,
        contact: &Contact,
        password: &SecretString,
    ) -> Result<(), PanelError> {
        use secrecy::ExposeSecret as _;
        let (first, last) = contact.name.split_once(' ').unwrap_or((&contact.name, ""));
        let body = json!({
            "email": contact.email,
            "firstname": first,
            "lastname": last,
            "password": password.expose_secret(),
        });
        let said = self
            .wire
            .change(&Method::POST, "/contact", Some(&body), Some(password))
            .await?;
        said.confirmed()
    }
}

/// Ids stand in paths, so that they must be nothing but ids.
fn checked(id: &str) -> Result<&str, PanelError> {
    if is_id(id) {
        return Ok(id);
    }
    Err(PanelError::refused("field_refused", "an id is digits"))
}

fn path(zone: &Zone, rest: &str) -> Result<String, PanelError> {
    let (service, id) = (checked(&zone.service)?, checked(&zone.id)?);
    Ok(format!("/service/{service}/dns/{id}{rest}"))
}

fn record(row: &Value) -> Option<ZoneRecord> {
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

fn of_record(record: &ZoneRecord) -> Value {
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
