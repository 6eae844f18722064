//! A client for what a customer of a supplier has beside services: money, invoices, tickets, contacts, DNS zones.

mod rows;

use secrecy::SecretString;
use serde_json::{Value, json};

pub use self::rows::{
    Balance, Contact, InvoiceLine, Question, ServiceLine, Ticket, Zone, ZoneRecord,
};
use self::rows::{of_record, record};
use super::settings::{Options, is_id};
use super::shapes::{id, word};
use super::wire::Wire;
use crate::http::Method;
use crate::{PanelError, ServerSettings};

/// One client's account with one supplier by HostBill.
#[derive(Debug)]
pub struct Supplier {
    wire: Wire,
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
