//! The contract between who puts jobs in (the scheduler) and who takes them out (the worker).
//!
//! SQL is the ledger, Redis is the doorbell: a job exists when its row is committed, and a ring only
//! says "look at job 42". [`store`] is the only writer of jobs, attempts and gates; [`queue`] is the
//! only place that names apalis or redis; [`retry`] the only one that names backoff.

pub mod faults;
mod kind;
mod lifecycle;
mod pace;
pub mod queue;
pub mod retry;
pub mod seal;
mod steady;
pub mod store;

pub use kind::{
    CreateAccount, JobKind, JobSpec, Lane, NewVm, PAYLOAD_VERSION, Policy, UnknownKind,
};
pub use lifecycle::{AccountState, Event, JobState, UnknownState, next};
pub use pace::Pace;
pub use steady::Steady;

/// The platform of the operator's own jobs and of ours (nightly statistics, webhooks).
pub const OPERATOR: i64 = 0;

/// A new opaque public id (ULID).
#[must_use]
pub fn new_public_id() -> String {
    ulid::Ulid::generate().to_string()
}
