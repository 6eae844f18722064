//! The panels: one trait, one folder a driver, one HTTP client.
//!
//! A driver translates our verbs into its panel's calls and its answers into our words.
//! It never retries, sleeps, logs a failure or knows a job: what to do about an error is decided
//! once, in the worker. What differs between panels beyond that is data ([`hosting::PanelRules`]).

mod account;
pub mod drivers;
mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
mod machine;
mod order;
mod panel;
mod usage;

pub use account::{
    AccountKey, Address, Created, Evidence, LoginLink, NewAccount, PanelAccount, Standing,
};
pub use drivers::hostbill::{
    AdminApi, Balance, BilledLogin, BilledService, Contact, InvoiceLine, Question, ServiceLine,
    Supplier, Ticket, Zone, ZoneRecord,
};
pub use drivers::{DRIVERS, Driver, open};
pub use error::{Detail, PanelError};
pub use machine::{Machine, MachineAction, NewMachine, Power};
pub use order::{Goal, Login, Order, OrderState, OrderStep};
pub use panel::{Panel, ServerCheck, ServerConfig, ServerPackage, ServerSettings};
pub use usage::{AccountUsage, Counter, DayUsage, UsageReport};
