//! Ways to break this process on purpose, for the tests of its reliability.
//!
//! They are compiled in by the feature `faults` alone, which no released binary has: without it a
//! [`Point`] is passed without a look and a [`Bug`] is never on, both known to the compiler.

#[cfg(feature = "faults")]
mod armed;
mod bug;
mod point;
mod step;

pub use bug::Bug;
pub use point::{Of, Point};
pub use step::step;
