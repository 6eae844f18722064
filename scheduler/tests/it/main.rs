//! The scheduler as its clients meet it: over HTTP, on SQLite in a temporary folder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod clock;
mod dashboard;
mod export;
mod form;
mod forms;
mod intake;
mod looking;
mod secrets;
mod setup;
mod support;
mod told;
mod waiting;
