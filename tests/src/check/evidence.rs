//! What a run has left behind, as plain values.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The factor on all waiting.
    pub pace: f64,
    /// What clients asked and were told, in the order of the answers.
    pub exchanges: Vec<Exchange>,
    /// The database's jobs, by row.
    pub jobs: Vec<Job>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Its history beside the attempts.
    pub events: Vec<Event>,
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Its months of traffic.
    pub months: Vec<Month>,
    /// What was booked, in that order.
    pub bookings: Vec<Booking>,
    /// Every text in it: (table.column, text).
    pub texts: Vec<(String, String)>,
    /// The panels by their server's name.
    pub panels: BTreeMap<String, Panel>,
    /// Everything that was said or lies about: (file, bytes).
    pub outputs: Vec<(String, Vec<u8>)>,
    /// Secrets: (name, value).
    pub secrets: Vec<(String, String)>,
}

/// One request of a client.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Exchange {
    /// When it was sent.
    pub begin: i64,
    /// When it was answered, or given up.
    pub end: i64,
    /// Where to.
    pub path: String,
    /// Its idempotency key.
    pub key: String,
    /// What was asked.
    pub body: Value,
    /// What was answered; none = nothing.
    pub status: Option<u16>,
    /// The job's id in the answer.
    #[serde(default)]
    pub id: Value,
    /// The answer.
    #[serde(default)]
    pub answer: Value,
}

impl Exchange {
    /// The job that the client was promised.
    pub(super) fn promised(&self) -> Option<&str> {
        let accepted = matches!(self.status, Some(200 | 202)) && self.path == "/v1/jobs";
        self.id.as_str().filter(|_| accepted)
    }
}

/// A job's row.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Job {
    pub id: i64,
    pub public_id: String,
    pub platform_id: i64,
    pub idem_key: String,
    pub kind: String,
    /// The server's name, lower case login name and account row, where it has them.
    pub server: Option<String>,
    pub username: Option<String>,
    pub account_id: Option<i64>,
    pub payload: String,
    pub state: String,
    pub attempt: i64,
    pub worker_deaths: i64,
    pub lease_until: Option<i64>,
    pub head_of: Option<i64>,
    pub doubt_since: Option<i64>,
    pub hold_code: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
}

impl Job {
    /// Whether it changes an account.
    pub(super) fn changes(&self) -> bool {
        CHANGING.contains(&self.kind.as_str())
    }

    /// Its account as the panel knows it.
    pub(super) fn place(&self) -> Option<(String, String)> {
        Some((self.server.clone()?, self.username.clone()?.to_lowercase()))
    }

    /// What it asks for.
    pub(super) fn wants(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_default()
    }

    /// How it is called in a report.
    pub(super) fn name(&self) -> String {
        let at = self
            .place()
            .map(|(server, user)| format!(" of {user} on {server}"));
        format!(
            "job {} ({}{})",
            self.public_id,
            self.kind,
            at.unwrap_or_default()
        )
    }
}

const CHANGING: [&str; 9] = [
    "create",
    "suspend",
    "unsuspend",
    "terminate",
    "change_package",
    "change_limits",
    "change_password",
    "unlock",
    "move",
];

/// An attempt's row.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Attempt {
    pub job_id: i64,
    pub attempt: i64,
    pub started_at: i64,
    pub sent_at: Option<i64>,
    pub finished_at: i64,
    pub outcome: String,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
}

/// A line of a job's history.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    pub job_id: i64,
    pub actor: String,
    pub event: String,
    pub reason: Option<String>,
}

/// An account's row.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Account {
    pub id: i64,
    pub server: String,
    pub username: String,
    pub domain: Option<String>,
    pub state: String,
}

/// A month of traffic.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Month {
    pub account_id: i64,
    pub month: String,
    pub total_bytes: i64,
    pub flag: Option<String>,
}

/// One booking.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Booking {
    pub account_id: i64,
    pub month: String,
    pub entry: String,
    pub delta_bytes: i64,
    pub total_bytes: i64,
}

/// A panel.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// What was really done, in that order.
    pub ledger: Vec<Entry>,
    /// What is there in the end.
    pub accounts: Vec<PanelAccount>,
    /// What it counted.
    pub traffic: Vec<PanelTraffic>,
    /// What it was asked, in that order.
    pub requests: Vec<Request>,
}

/// One side effect.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub call: String,
    pub username: String,
    pub incarnation: String,
    pub change: Value,
    pub begin_tick: u64,
    pub end_tick: u64,
    #[serde(default)]
    pub overlaps: Vec<u64>,
    pub request: u64,
}

/// An account as the panel shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PanelAccount {
    pub username: String,
    pub incarnation: String,
    pub domain: String,
    pub package: Option<String>,
    pub suspended: bool,
    #[serde(default)]
    pub limits: Value,
}

/// What a panel counted for an account in a month.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PanelTraffic {
    pub username: String,
    pub month: String,
    pub bytes: u64,
}

/// One request to a panel.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Request {
    pub ordinal: u64,
    pub call: String,
    #[serde(default)]
    pub username: Option<String>,
}
