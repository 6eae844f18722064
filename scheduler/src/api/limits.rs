//! How much a token may ask, and an address may guess.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failed log-ins that an address has free in a minute.
const GUESSES_A_MINUTE: u32 = 10;
/// Buckets kept before full ones are thrown away.
const MOST_BUCKETS: usize = 10_000;

/// The limits of one process.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Buckets<i64>,
    guesses: Buckets<IpAddr>,
}

impl Limits {
    pub(crate) fn new(requests_a_second: u32) -> Self {
        Self {
            requests: Buckets::new(requests_a_second, Duration::from_secs(1)),
            guesses: Buckets::new(GUESSES_A_MINUTE, Duration::from_secs(60)),
        }
    }

    /// Whether that token may ask once more.
    pub(crate) fn may_ask(&self, token: i64, now: Instant) -> bool {
        self.requests.take(token, now)
    }

    /// Whether that address may fail once more.
    pub(crate) fn may_fail(&self, address: IpAddr, now: Instant) -> bool {
        self.guesses.take(address, now)
    }
}

/// Token buckets: `most` at once, refilled evenly over `period`.
#[derive(Debug)]
struct Buckets<K> {
    most: f64,
    a_second: f64,
    left: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(most: u32, period: Duration) -> Self {
        let most = f64::from(most.max(1));
        Self {
            most,
            a_second: most / period.as_secs_f64(),
            left: Mutex::default(),
        }
    }

    fn take(&self, key: K, now: Instant) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled = |(left, at): (f64, Instant)| {
            let since = now.saturating_duration_since(at).as_secs_f64();
            (left + since * self.a_second).min(self.most)
        };
        if left.len() >= MOST_BUCKETS {
            left.retain(|_, bucket| refilled(*bucket) < self.most);
        }
        let bucket = left.entry(key).or_insert((self.most, now));
        let full = refilled(*bucket);
        let may = full >= 1.0;
        *bucket = (if may { full - 1.0 } else { full }, now);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let limits = Limits::new(3);
        let start = Instant::now();
        let asked: Vec<bool> = (0..5).map(|_| limits.may_ask(1, start)).collect();
        assert_eq!(asked, [true, true, true, false, false]);
        assert!(limits.may_ask(2, start), "another token has its own");
        let later = start + Duration::from_millis(400);
        assert!(limits.may_ask(1, later) && !limits.may_ask(1, later));
    }

    #[test]
    fn an_address_has_ten_guesses_a_minute() {
        let limits = Limits::new(100);
        let here: IpAddr = [192, 0, 2, 1].into();
        let start = Instant::now();
        assert_eq!((0..20).filter(|_| limits.may_fail(here, start)).count(), 10);
        let later = start + Duration::from_secs(6);
        assert!(limits.may_fail(here, later) && !limits.may_fail(here, later));
    }
}
