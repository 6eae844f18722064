//! How long to wait before the next attempt. The only file that names the `backoff` crate.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

use crate::JobKind;

/// The longest that a panel may ask us to wait.
pub const LONGEST_THROTTLE: Duration = Duration::from_secs(3600);
/// What we wait when a panel asks for patience without saying how long.
pub const USUAL_THROTTLE: Duration = Duration::from_secs(60);

/// The longest between two looks at what a supplier has to do.
const LONGEST_POLL: Duration = Duration::from_secs(900);

const FIRST_LOOK: Duration = Duration::from_secs(15);
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// The delay after the attempt that used up try number `tries` (from 1) of a job of this kind.
///
/// Doubles from 10 s to 15 min (webhooks: from 5 s to 12 h), times `jitter` (0.9 to 1.1, clamped), then capped.
#[must_use]
pub fn after_try(kind: JobKind, tries: i32, jitter: f64) -> Duration {
    let (first, cap) = match kind {
        JobKind::DeliverWebhook => (Duration::from_secs(5), Duration::from_secs(12 * 3600)),
        JobKind::LoginUrl | JobKind::CheckConnection | JobKind::GetServerConfig => {
            (Duration::from_secs(2), Duration::from_secs(10))
        }
        _ => (Duration::from_secs(10), Duration::from_secs(900)),
    };
    nth(first, cap, tries, jitter)
}

/// The delay before look number `look` (from 1) at a change of unknown outcome: 15 s, 30 s, 60 s, 60 s, ...
#[must_use]
pub fn before_look(look: i32, jitter: f64) -> Duration {
    nth(FIRST_LOOK, LONGEST_LOOK, look, jitter)
}

/// The delay before look number `look` (from 1) at something that others must do first, maybe a person:
/// 15 s, 30 s, 60 s, ... up to 15 min.
#[must_use]
pub fn before_poll(look: i32, jitter: f64) -> Duration {
    nth(FIRST_LOOK, LONGEST_POLL, look, jitter)
}

/// What to wait when the panel asked for patience.
#[must_use]
pub fn throttled(asked: Option<Duration>) -> Duration {
    asked
        .unwrap_or(USUAL_THROTTLE)
        .clamp(Duration::from_secs(1), LONGEST_THROTTLE)
}

/// The `n`-th (from 1) delay of a doubling series. The crate's own randomization is 0: chance is an
/// argument here, and applied before the cap, which therefore holds.
fn nth(first: Duration, cap: Duration, n: i32, jitter: f64) -> Duration {
    let mut series = ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_max_interval(cap)
        .with_multiplier(2.0)
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build();
    let steps = n.clamp(1, 64);
    let mut delay = first;
    for _ in 0..steps {
        delay = series.next_backoff().unwrap_or(cap);
    }
    // Even without randomization the crate adds up to a nanosecond; whole milliseconds are ours again.
    let delay = Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
    delay.mul_f64(jitter.clamp(0.9, 1.1)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let seconds: Vec<u64> = (1..=9)
            .map(|n| after_try(JobKind::Create, n, 1.0).as_secs())
            .collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
        let looks: Vec<u64> = (1..=4).map(|n| before_look(n, 1.0).as_secs()).collect();
        assert_eq!(looks, [15, 30, 60, 60]);
        let polls: Vec<u64> = (1..=8).map(|n| before_poll(n, 1.0).as_secs()).collect();
        assert_eq!(polls, [15, 30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn a_webhook_is_tried_for_days_and_not_longer_than_it_may_become_old() {
        let policy = JobKind::DeliverWebhook.policy();
        for jitter in [0.9, 1.0, 1.1] {
            let delays = (1..policy.max_tries)
                .map(|tries| after_try(JobKind::DeliverWebhook, tries, jitter));
            let all: Duration = delays.sum();
            assert!(all > Duration::from_secs(60 * 3600), "{all:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_delay_leaves_its_bounds(tries in -5..200_i32, jitter in -3.0..3.0_f64) {
            for kind in JobKind::ALL {
                let delay = after_try(kind, tries, jitter);
                assert!(delay >= Duration::from_millis(1800) && delay <= Duration::from_secs(12 * 3600));
            }
            assert!(before_look(tries, jitter) <= LONGEST_LOOK);
        }

        #[test]
        fn a_later_try_never_waits_less(tries in 1..60_i32, jitter in 0.9..1.1_f64) {
            for kind in JobKind::ALL {
                assert!(after_try(kind, tries + 1, jitter) >= after_try(kind, tries, jitter));
            }
        }

        #[test]
        fn no_panel_makes_us_wait_longer_than_an_hour(seconds in proptest::prelude::any::<u64>()) {
            let wait = throttled(Some(Duration::from_secs(seconds)));
            assert!(wait >= Duration::from_secs(1) && wait <= LONGEST_THROTTLE);
        }
    }
}
