//! What a worker says of an attempt.

use std::time::Duration;

use serde_json::Value;

use super::super::Ring;
use super::super::accounts::AccountChange;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, or found as wanted.
    Succeeded {
        /// Whether nothing had to be changed.
        already_so: bool,
        /// The result that outsiders see: a JSON object without secrets.
        result: Option<Value>,
    },
    /// Again after this; a try is used.
    Retry {
        /// From now.
        after: Duration,
    },
    /// Again after this; no try is used: it waits for the outside, or was throttled.
    Later {
        /// From now.
        after: Duration,
    },
    /// It is not known whether a change took effect: look again after this.
    LookAgain {
        /// From now.
        after: Duration,
    },
    /// A person must look.
    Held {
        /// The stable reason.
        code: String,
    },
    /// Final.
    Failed,
    /// It was never begun: as before the claim.
    Returned,
    /// The attempt took its worker's task down (a panic); counted like a worker's death.
    Died,
}

impl Outcome {
    /// As an attempt's row and the logs have it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Succeeded {
                already_so: true, ..
            } => "already_so",
            Outcome::Succeeded { .. } => "succeeded",
            Outcome::Retry { .. } => "retry",
            Outcome::Later { .. } => "later",
            Outcome::LookAgain { .. } => "look_again",
            Outcome::Held { .. } => "held",
            Outcome::Failed => "failed",
            Outcome::Returned => "returned",
            Outcome::Died => "died",
        }
    }
}

/// An error as a job keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobError {
    /// transient, throttled, auth, rejected, in_doubt, internal, deadline, ...
    pub class: String,
    /// Stable code.
    pub code: String,
    /// The customer's text.
    pub message: String,
    /// The operator's detail, redacted.
    pub detail: Option<Value>,
}

/// What a finished attempt says of its server.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEffect {
    /// Nothing.
    None,
    /// It answered (closes an open breaker).
    Reached,
    /// It could not be reached.
    Unreachable,
    /// It asked for patience.
    CoolDown {
        /// From now; capped at an hour.
        after: Duration,
    },
    /// It refuses our credentials.
    AuthRefused {
        /// What it said, redacted.
        detail: String,
    },
    /// A check found it in order: opens an auth hold, and takes up what was held for it.
    Checked {
        /// The panel's version.
        version: Option<String>,
        /// The rules as this server has them, JSON.
        rules: Value,
        /// What the check noted, JSON list.
        notes: Value,
        /// Most creates at one time, by the rules.
        max_creates: i32,
    },
    /// Its configuration was read, JSON.
    Configured {
        /// `panels::ServerConfig`.
        config: Value,
        /// The server's own host name.
        host_name: Option<String>,
    },
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The job's row.
    pub job_id: i64,
    /// The claim's fence.
    pub fence: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, if something did.
    pub error: Option<JobError>,
    /// What it changes about its account.
    pub account: Option<AccountChange>,
    /// What it says of its server.
    pub server: ServerEffect,
    /// Whether a change is still in doubt after this attempt.
    pub in_doubt: bool,
    /// Whether the job's secrets have served: the worker's copies are wiped with the outcome, the API's
    /// end a day later.
    pub secrets_spent: bool,
}

/// A changing request that is about to leave, or a step that is done.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The job's row.
    pub job_id: i64,
    /// The claim's fence.
    pub fence: i64,
    /// The committed steps so far, JSON object; `None` = as they are.
    pub progress: Option<Value>,
    /// Whether a changing request leaves after this is committed.
    pub sends: bool,
}

/// What a group's transaction did.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// To ring.
    pub rings: Vec<Ring>,
    /// Jobs that came to rest, for those who wait for them.
    pub settled: Vec<i64>,
    /// Jobs whose claim was no longer valid; nothing was written for them.
    pub stale: Vec<i64>,
    /// Servers that have a free slot now.
    pub freed: Vec<i64>,
}
