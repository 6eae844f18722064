//! Pretend panels that behave as the real ones do, faults included.
//!
//! [`start`] brings up one panel, WHM, Froxlor or a supplier's HostBill, on a real HTTPS listener. It keeps state, answers in the panel's own
//! envelopes, units and wording, and writes every side effect that it applied into an append-only [ledger](LedgerEntry).
//! Faults are switched on and off at run time on the [`Switchboard`], or read from a [`FaultPlan`] file.
//!
//! The crate is written from the panels' documented and recorded behaviour. It shares no code with the drivers that
//! are tested against it, so that a misunderstanding cannot hide on both sides of the wire.
//!
//! ```no_run
//! # async fn example() -> Result<(), simulator::SimulatorError> {
//! use simulator::{Applied, Fault, Options, PanelKind, Reply};
//!
//! let panel = simulator::start(Options::new(PanelKind::Cpanel)).await?;
//! panel.faults().add(Fault::on("createacct").applied(Applied::Yes).reply(Reply::Reset));
//! println!("{} {} {}", panel.url(), panel.user(), panel.pin());
//! panel.stop().await;
//! # Ok(())
//! # }
//! ```

// A row of the panel's widest table has more columns than `json!` takes by default.
#![recursion_limit = "512"]

mod account;
mod chance;
mod clock;
mod connection;
mod control;
mod error;
mod faults;
mod froxlor;
mod hostbill;
mod http;
mod ledger;
mod options;
mod panel;
mod scripted;
mod seen;
mod shared;
mod simulator;
mod tls;
mod traffic;
mod whm;

pub use account::{SimAccount, SimLimits, SimTraffic};
pub use error::SimulatorError;
pub use faults::{Applied, Fault, FaultId, FaultPlan, Fired, Reply, Scope, Switchboard, WrongJson};
pub use froxlor::{Envelope, Froxlor, KeyOwner, PasswordPolicy};
pub use hostbill::{Billed, Delay, HostBill};
pub use ledger::{LedgerEntry, overlapping, read_ledger};
pub use options::{Certificate, Growth, Latency, Options, PanelKind};
pub use scripted::{Script, ScriptedRequest, ScriptedServer};
pub use seen::RequestSeen;
pub use simulator::{Simulator, start};
pub use tls::Identity;
pub use traffic::DayTraffic;
pub use whm::{Package, TakenWording, Token, Whm};
