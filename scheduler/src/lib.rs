//! Everything that puts jobs in: the HTTP API, the clock, the top-up of the doorbell; and pages to look at.

pub mod api;
mod caller;
pub mod cron;
mod dashboard;
mod discreet;
pub mod intake;
pub mod nights;
pub mod operate;
mod problem;
pub mod registry;
pub mod secrets;
mod serve;
mod shapes;
pub mod times;
mod token;
pub mod top_up;
pub mod wait;

pub use caller::{Caller, Scope, UnknownScope};
pub use problem::Problem;
pub use serve::{Duties, Options, ReadyProbe, Scheduler, Serving, StartError, Tls};
