//! When a change of unknown outcome may be sent again.

use std::time::Duration;

use jobs::faults::Bug;

/// Looks that must have found the change absent, each after its delay, before it is sent again.
const AGREEING_LOOKS: i32 = 2;

/// What to do after a look that did not find the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The first request may still be running on the panel.
    LookAgain,
    /// It surely did not take effect.
    ActAgain,
}

/// After a look that found the change absent. `looks` = looks that were asked for since it was sent, this
/// one included; `since` and `now` in milliseconds by one clock; `settle` = how long such a change may
/// still be running.
#[must_use]
pub fn after_absent(looks: i32, since: i64, now: i64, settle: Duration) -> Next {
    let settle = i64::try_from(settle.as_millis()).unwrap_or(i64::MAX);
    let settled = looks >= AGREEING_LOOKS && now.saturating_sub(since) >= settle;
    if settled || Bug::NoSettle.is_on() {
        Next::ActAgain
    } else {
        Next::LookAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_and_two_looks_together_let_it_be_sent_again() {
        let settle = Duration::from_secs(300);
        for (looks, now, next) in [
            (1, 299_999, Next::LookAgain),
            (1, 900_000, Next::LookAgain),
            (2, 299_999, Next::LookAgain),
            (2, 300_000, Next::ActAgain),
            (9, 300_000, Next::ActAgain),
        ] {
            assert_eq!(after_absent(looks, 0, now, settle), next, "{looks} {now}");
        }
    }
}
