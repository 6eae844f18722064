//! The one HTTP client of all drivers.
//!
//! [`PanelClient`] sends and classifies what goes wrong *below* the answer (not reached, certificate,
//! redirect, time-out, cut off); a [`Reply`] carries an answer with the helpers that judge it. What an
//! answer means is the driver's business. Nothing here retries, logs, follows or decompresses.

mod client;
mod courier;
pub(crate) mod destination;
pub mod lenient;
mod redact;
mod reply;
mod retry_after;
mod scalar;
mod trust;

use std::time::Duration;

pub use client::PanelClient;
pub use courier::{Courier, Delivered};
pub use redact::Redactor;
pub use reply::Reply;
pub use reqwest::Method;
pub use retry_after::retry_after;
pub use scalar::{Object, Scalar};
use secrecy::SecretString;
pub use trust::{Presented, present};

/// How long each kind of call may take, connect to last byte.
pub mod deadline {
    use std::time::Duration;

    /// Single reads.
    pub const READ: Duration = Duration::from_secs(60);
    /// Login links and connection checks: somebody waits for them.
    pub const QUICK: Duration = Duration::from_secs(30);
    /// Making an account.
    pub const CREATE: Duration = Duration::from_secs(180);
    /// Other changes.
    pub const CHANGE: Duration = Duration::from_secs(120);
    /// Removing an account with its files.
    pub const TERMINATE: Duration = Duration::from_secs(600);
    /// Listings and statistics of a whole server.
    pub const BULK: Duration = Duration::from_secs(300);
    /// Name lookup, TCP and TLS together.
    pub const CONNECT: Duration = Duration::from_secs(10);
}

/// Most bytes of an answer to a call about one account.
pub const LIFECYCLE_CAP: usize = 1 << 20;
/// Most bytes of a listing or of statistics.
pub const LISTING_CAP: usize = 64 << 20;

/// Whether a call changes something on the panel. It decides what not knowing means: a read whose
/// answer is lost is `Transient`, a change is `InDoubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// May be repeated.
    Read,
    /// Must not be repeated blindly.
    Change,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// Nothing.
    None,
    /// `application/x-www-form-urlencoded`.
    Form(&'a [(&'a str, &'a str)]),
    /// `application/json`.
    Json(&'a serde_json::Value),
}

/// One request. `Debug` is left out on purpose: it may hold passwords.
#[derive(Clone)]
pub struct Call<'a> {
    /// The panel's name of the function, for [`crate::Detail::path`].
    pub name: &'a str,
    /// HTTP method.
    pub method: Method,
    /// Path below the server's address, beginning with `/`.
    pub path: &'a str,
    /// Query parameters, unencoded; never secrets (they land in access logs).
    pub query: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Body<'a>,
    /// The whole value of the `Authorization` header.
    pub authorization: &'a SecretString,
    /// Passwords and the like that this request or its answer may hold, so that error texts do not.
    pub secrets: &'a [&'a SecretString],
    /// Whether something is changed.
    pub effect: Effect,
    /// How long it may take, connect to last byte; see [`deadline`].
    pub deadline: Duration,
    /// Most bytes of the answer's body.
    pub cap: usize,
}

impl<'a> Call<'a> {
    /// A `GET` that only reads: 60 s, 1 MiB.
    #[must_use]
    pub fn read(name: &'a str, path: &'a str, authorization: &'a SecretString) -> Self {
        Self {
            name,
            method: Method::GET,
            path,
            query: &[],
            body: Body::None,
            authorization,
            secrets: &[],
            effect: Effect::Read,
            deadline: deadline::READ,
            cap: LIFECYCLE_CAP,
        }
    }

    /// A `POST` that changes something: 120 s, 1 MiB.
    #[must_use]
    pub fn change(name: &'a str, path: &'a str, authorization: &'a SecretString) -> Self {
        Self {
            method: Method::POST,
            effect: Effect::Change,
            deadline: deadline::CHANGE,
            ..Self::read(name, path, authorization)
        }
    }
}
