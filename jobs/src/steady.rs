//! Tells time that passed from a clock that was moved.

use std::time::Duration;

/// A clock may go wrong by so much between two looks (slewing, slow answers) without being doubted.
const TOLERANCE_MS: i64 = 120_000;

/// Watches the database's clock beside a clock of this process that nobody can move.
///
/// Duties that take something away when its time is over (leases, months, rows) do nothing while the
/// database's clock says something else than the time that has passed. When it is put right they go on at
/// once; when it stays so for long enough, it is believed: the machine has slept, or was wrong before.
#[derive(Debug)]
pub struct Steady {
    patience: Duration,
    /// The clock's reading when this process began, as far as it is believed.
    believed: Option<i64>,
    /// Another reading for the same moment, and since when the clock has held to it.
    doubted: Option<(i64, Duration)>,
}

impl Steady {
    /// One that believes a moved clock after so long.
    #[must_use]
    pub const fn new(patience: Duration) -> Self {
        Self {
            patience,
            believed: None,
            doubted: None,
        }
    }

    /// Whether `now` (milliseconds UTC) is to be relied on. `passed` = since this process began, by its own
    /// clock.
    pub fn relies_on(&mut self, now: i64, passed: Duration) -> bool {
        let began = now.saturating_sub(crate::pace::millis(passed));
        let near = |other: i64| began.abs_diff(other) <= TOLERANCE_MS.unsigned_abs();
        if self.believed.is_none_or(near) {
            self.believed = Some(began);
            self.doubted = None;
            return true;
        }
        match self.doubted {
            Some((other, since)) if near(other) => {
                if passed.saturating_sub(since) < self.patience {
                    return false;
                }
                self.believed = Some(began);
                self.doubted = None;
                true
            }
            _ => {
                self.doubted = Some((began, passed));
                false
            }
        }
    }

    /// Whether the clock is doubted at the moment.
    #[must_use]
    pub const fn doubts(&self) -> bool {
        self.doubted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_clock_that_was_moved_is_believed_when_it_stays_so() {
        let mut steady = Steady::new(at(3600));
        assert!(steady.relies_on(NOW, at(0)));
        assert!(steady.relies_on(NOW + 20_000, at(20)));
        for skew in [HOUR, -HOUR, 10 * 365 * 24 * HOUR] {
            assert!(!steady.relies_on(NOW + 40_000 + skew, at(40)), "{skew}");
            assert!(steady.relies_on(NOW + 60_000, at(60)), "put right");
        }
        assert!(!steady.relies_on(NOW + 80_000 + HOUR, at(80)));
        assert!(!steady.relies_on(NOW + 3_600_000 + HOUR, at(3600)));
        assert!(steady.relies_on(NOW + 3_680_000 + HOUR, at(3680)));
        assert!(!steady.doubts());
    }

    #[test]
    fn a_clock_that_goes_slowly_wrong_is_never_doubted() {
        let mut steady = Steady::new(at(3600));
        let readings = (0..10_000_u64).map(|step| (step, i64::try_from(step).unwrap_or(0)));
        for (step, drift) in readings {
            assert!(steady.relies_on(NOW + drift * 21_000, at(step * 20)));
        }
    }
}
