//! What must be right although the other side is wrong: requests that cannot be meant, credentials that
//! are refused, and panels that talk nonsense. By the built binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod credentials;
mod refused;
