//! Order and gates: what a replay may do, what a newer job does to older ones, and what one bad server does
//! to the others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod breaker;
mod hung;
mod replays;
mod sequence;
