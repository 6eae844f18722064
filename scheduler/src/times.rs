//! Times and amounts as outsiders read and write them.

use chrono::{DateTime, SecondsFormat, Utc};
use hosting::Bytes;

/// Milliseconds as RFC 3339 in UTC with milliseconds: `2026-11-22T01:02:03.004Z`.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// RFC 3339 text as milliseconds UTC.
///
/// # Errors
/// What would be right.
pub fn parse_rfc3339(text: &str) -> Result<i64, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.timestamp_millis())
        .map_err(|_| "must be a time like 2026-11-22T01:02:03Z".to_owned())
}

/// Whole MB (2^20 bytes) of a column's bytes; the rest is cut.
pub(crate) fn whole_mb(bytes: i64) -> u64 {
    Bytes::from_i64(bytes).map_or(0, Bytes::whole_mb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_counts_when_it_is_whole() {
        for (bytes, mb) in [(0, 0), ((1 << 20) - 1, 0), (1 << 20, 1), ((2 << 20) - 1, 1)] {
            assert_eq!(whole_mb(bytes), mb, "{bytes} bytes");
        }
    }

    #[test]
    fn times_have_milliseconds_and_are_utc() {
        assert_eq!(rfc3339(1_795_309_323_004), "2026-11-22T01:02:03.004Z");
        assert_eq!(
            parse_rfc3339("2026-11-22T02:02:03.004+01:00"),
            Ok(1_795_309_323_004)
        );
        assert!(parse_rfc3339("tomorrow").is_err());
    }
}
