//! `hostler supplier`: what there is at a supplier beside services.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::App;
use crate::command::wait::Door;
use crate::error::Failure;

/// Look at our account with a supplier (HostBill).
#[derive(Debug, Args)]
pub struct Supplier {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Show the credit and what is owed
    Balance(Where),
    /// List the invoices
    Invoices(Where),
    /// List the services, whoever ordered them
    Services(Where),
    /// List the DNS zones
    DnsZones(Where),
    /// List the tickets
    Tickets(Where),
    /// List the contacts
    Contacts(Where),
}

#[derive(Debug, Args)]
struct Where {
    /// The supplier's name as a server
    server: String,
    /// Wait so long for a worker
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
}

/// A question as jobs have it, and the columns of its answer.
type Asked = (&'static str, &'static [&'static str]);

impl Question {
    fn asked(self) -> (Where, Asked) {
        match self {
            Self::Balance(place) => (place, ("balance", &["currency", "credit", "owed"])),
            Self::Invoices(place) => {
                let columns = &["id", "date", "due", "total", "status"];
                (place, ("invoices", columns))
            }
            Self::Services(place) => {
                let columns = &["id", "name", "domain", "status", "total", "next_due"];
                (place, ("services", columns))
            }
            Self::DnsZones(place) => (place, ("dns_zones", &["id", "name", "service"])),
            Self::Tickets(place) => {
                let columns = &["number", "subject", "status", "department", "date"];
                (place, ("tickets", columns))
            }
            Self::Contacts(place) => (place, ("contacts", &["id", "name", "email"])),
        }
    }
}

impl Supplier {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let (place, (question, columns)) = self.question.asked();
        let door = Door::open(app).await?;
        let body = json!({"kind": "ask_supplier", "server": place.server, "question": question});
        let what = format!("asking {} for {question}", place.server);
        let patience = Duration::from_secs(place.wait);
        let job = door.run(app.out, &what, body, patience).await?;
        let result: Value = job
            .result
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let answer = &result["answer"];
        app.out.json(answer);
        let rows: Vec<Vec<String>> = match answer {
            Value::Array(rows) => rows.iter().map(|row| cells(row, columns)).collect(),
            one => vec![cells(one, columns)],
        };
        app.out.table(columns, rows, "The supplier has none.");
        Ok(())
    }
}

fn cells(row: &Value, columns: &[&str]) -> Vec<String> {
    let cell = |name: &&str| match &row[*name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    columns.iter().map(cell).collect()
}
