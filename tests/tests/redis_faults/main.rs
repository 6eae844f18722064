//! Redis is expendable: whatever becomes of it, jobs go on from SQL, running calls are not cut, and nothing
//! is started twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bell;
mod crowd;
mod entries;
mod outages;
mod refusals;
