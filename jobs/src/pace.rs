//! How fast Hostler's own waiting goes.

use std::time::Duration;

/// A factor on every deadline, delay and settle time: 1 in production, less where panels answer in
/// milliseconds and nobody wants to wait (the demo, tests).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace(f64);

impl Default for Pace {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Pace {
    /// A pace between 0.001 and 1; `None` outside.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (0.001..=1.0).contains(&factor).then_some(Self(factor))
    }

    /// `duration` at this pace.
    #[must_use]
    pub fn of(self, duration: Duration) -> Duration {
        duration.mul_f64(self.0)
    }
}

/// Milliseconds as columns hold them; saturates.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
