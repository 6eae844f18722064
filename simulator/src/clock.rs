//! The panel's own clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

/// Runs with this machine's clock, at an offset that tests move. A panel's clock is never quite ours, and "45 seconds
/// later" should not take 45 seconds of a test.
#[derive(Debug)]
pub(crate) struct PanelClock {
    offset_ms: AtomicI64,
    zone: FixedOffset,
}

impl PanelClock {
    pub(crate) fn new(now: Option<DateTime<Utc>>, offset: TimeDelta, zone_minutes: i32) -> Self {
        let start_ms = now.map_or(0, |now| now.timestamp_millis() - machine_ms());
        PanelClock {
            offset_ms: AtomicI64::new(start_ms + offset.num_milliseconds()),
            // Beyond a day is no time zone: UTC then.
            zone: FixedOffset::east_opt(zone_minutes.saturating_mul(60)).unwrap_or_else(utc),
        }
    }

    /// Milliseconds since 1970, by the panel's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        machine_ms() + self.offset_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the clock to a time; it runs on from there.
    pub(crate) fn set(&self, to: DateTime<Utc>) {
        let offset = to.timestamp_millis() - machine_ms();
        self.offset_ms.store(offset, Ordering::SeqCst);
    }

    /// A moment in the panel's time zone.
    pub(crate) fn local(&self, ms: i64) -> DateTime<FixedOffset> {
        DateTime::<Utc>::from_timestamp_millis(ms)
            .unwrap_or_default()
            .with_timezone(&self.zone)
    }

    pub(crate) fn zone(&self) -> FixedOffset {
        self.zone
    }
}

/// This machine's clock, in ms since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a pretend panel has a clock of its own, and this is where it reads it"
)]
fn machine_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Waits in real time: latencies and slow answers are what the simulator is for.
#[expect(clippy::disallowed_methods, reason = "the time that a panel takes")]
pub(crate) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn utc() -> FixedOffset {
    DateTime::<Utc>::UNIX_EPOCH.fixed_offset().timezone()
}
