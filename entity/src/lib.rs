//! SeaORM entities, one file a table; no query, no rule.
//!
//! Times are milliseconds UTC by the database's clock; amounts of data are bytes;
//! JSON is kept as text, so that the three databases treat it alike.

pub mod account;
pub mod api_token;
pub mod attempt;
pub mod billing_platform;
pub mod installation;
pub mod ip_address;
pub mod job;
pub mod job_event;
pub mod schedule;
pub mod secret;
pub mod server;
pub mod usage_day;
pub mod usage_ledger;
pub mod usage_month;
pub mod usage_reading;
pub mod webhook_endpoint;
