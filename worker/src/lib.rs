//! Everything that takes jobs out: the executor, the handlers, the sweeps, the traffic arithmetic.
//!
//! One attempt is: look at the panel, commit the intent, act, judge, commit the outcome ([`Worker::handle`]).
//! Whether to try again is decided in [`verdict`] alone, whether a change in doubt is sent again in
//! [`doubt`], whose account it is in [`identity`]; the handlers say what their kind of job looks for and does.

mod attempt;
mod conclude;
pub mod doubt;
mod executor;
mod flaw;
mod handlers;
pub mod identity;
mod ledger;
mod matching;
mod panel_source;
mod parts;
mod passwords;
mod progress;
pub mod rescue;
mod start;
pub mod usage;
pub mod verdict;
pub mod webhook;

pub use panel_source::{OpenError, PanelSource, Panels};
pub use parts::{Chance, Parts, Worker};
pub use start::{Options, start};

// The ideal observer and the nights that it is asked about, as the package `tests` has them: mistakes can be
// turned on only in here.
#[cfg(test)]
extern crate self as worker;
#[cfg(test)]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "written to be public in another crate"
)]
#[path = "../../tests/src/nights/mod.rs"]
mod nights;
#[cfg(test)]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "written to be public in another crate"
)]
#[path = "../../tests/src/observer/mod.rs"]
mod observer;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod stage;
