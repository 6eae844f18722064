//! What must be right although the other side is wrong: requests that cannot be meant, credentials that
//! are refused, panels that talk nonsense, and secrets among all of it. By the built binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod credentials;
mod refused;
mod secrets;
