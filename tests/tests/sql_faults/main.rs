//! SQL is not expendable: what is not committed is not promised, no call leaves without its committed
//! intent, and all goes on by itself when the database is back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod every_message;
mod full;
mod ledger;
mod outages;
mod repeated;
