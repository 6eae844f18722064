//! The whole thing against real SQL, real Redis and the simulator.
//!
//! What the tests in `tests/` stand on. Nothing here looks inside Hostler.

pub mod canary;
pub mod check;
pub mod client;
pub mod crew;
pub mod failpoints;
pub mod field;
pub mod fuzzing;
pub mod installation;
pub mod kill;
pub mod licence;
pub mod loops;
pub mod model;
pub mod nights;
pub mod observer;
pub mod openapi;
pub mod proxy;
pub mod rules;
pub mod servers;
#[path = "../../worker/tests/support/mod.rs"]
mod stage;
pub mod stand;
pub mod tutorial;
pub mod world;
