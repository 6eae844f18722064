//! Everything that takes jobs out: the executor, the handlers, the sweeps, the traffic arithmetic.
//!
//! One attempt is: look at the panel, commit the intent, act, judge, commit the outcome ([`Worker::handle`]).
//! Whether to try again is decided in [`verdict`] alone, whether a change in doubt is sent again in
//! [`doubt`], whose account it is in [`identity`]; the handlers say what their kind of job looks for and does.

mod attempt;
mod conclude;
pub mod doubt;
mod executor;
mod handlers;
pub mod identity;
mod ledger;
mod matching;
mod panel_source;
mod passwords;
mod progress;
pub mod rescue;
mod start;
pub mod usage;
pub mod verdict;
pub mod webhook;
mod worker;

pub use panel_source::{OpenError, PanelSource, Panels};
pub use start::{Options, start};
pub use worker::{Chance, Parts, Worker};
