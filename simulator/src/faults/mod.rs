//! The fault switchboard: which call goes wrong, whether it takes effect, and what the client sees.

mod mangle;
mod plan;
mod reply;
mod switchboard;

pub use mangle::WrongJson;
pub use plan::{Applied, Fault, FaultPlan, Scope};
pub use reply::Reply;
pub use switchboard::{FaultId, Fired, Switchboard};

pub(crate) use mangle::mangle;
pub(crate) use switchboard::{Candidate, candidate};
