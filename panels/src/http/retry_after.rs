//! `Retry-After`, in all the ways in which it is written.

use std::time::Duration;

use chrono::DateTime;

/// A panel that asks for more than this is asked again after this.
const MOST: Duration = Duration::from_secs(3600);
/// Numbers from here on are a time of day (2001-09-09 in seconds), not a delay.
const FIRST_UNIX_TIME: u64 = 1_000_000_000;
/// Numbers from here on are a time of day in milliseconds.
const FIRST_UNIX_MILLIS: u64 = 1_000_000_000_000;

/// How long to wait by the header's text: seconds, an HTTP date (RFC 9110, 10.2.3), or an absolute Unix
/// time as some proxies send it. `now` is in milliseconds UTC, best by the panel's own `Date`.
/// At most one hour; a time that has passed is no wait; nonsense is `None`.
#[must_use]
pub fn retry_after(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    let until = |at: i64| {
        Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0)).min(MOST)
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let Ok(number) = text.parse::<u64>() else {
            return None;
        };
        return match number {
            seconds if seconds < FIRST_UNIX_TIME => Some(Duration::from_secs(seconds).min(MOST)),
            seconds if seconds < FIRST_UNIX_MILLIS => {
                i64::try_from(seconds).ok().map(|s| until(s * 1000))
            }
            millis => i64::try_from(millis).ok().map(until),
        };
    }
    http_date(text).map(until)
}

/// An HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`) in milliseconds UTC.
pub(super) fn http_date(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text.trim())
        .ok()
        .map(|at| at.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT

    #[test]
    fn seconds_dates_and_unix_times_are_understood() {
        let modern = 1_795_000_000_000;
        for (text, now, seconds) in [
            ("0", NOW, 0),
            (" 30 ", NOW, 30),
            ("86400", NOW, 3600),
            ("Sun, 06 Nov 1994 08:50:07 GMT", NOW, 30),
            ("Sun, 06 Nov 1994 08:00:00 GMT", NOW, 0),
            ("1795000045", modern, 45),
            ("1795000045000", modern, 45),
            ("1794999999", modern, 0),
        ] {
            assert_eq!(
                retry_after(text, now),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_no_answer() {
        for text in [
            "",
            "soon",
            "-5",
            "1.5",
            "99999999999999999999999",
            "Sun, 99 Nov 1994",
        ] {
            assert_eq!(retry_after(text, NOW), None, "{text}");
        }
    }
}
