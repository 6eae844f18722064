//! Points in time as operators write and read them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};

/// This machine's clock, for what is typed and shown here; jobs go by the database's.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's terminal is an edge"
)]
pub fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Milliseconds of a point in time: RFC 3339, `YYYY-MM-DD`, `YYYY-MM-DD HH:MM` (UTC).
///
/// # Errors
/// A text that says what would be right.
pub fn absolute(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(Utc.from_utc_datetime(&time).timestamp_millis());
        }
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Ok(Utc
            .from_utc_datetime(&date.and_time(chrono::NaiveTime::MIN))
            .timestamp_millis()),
        Err(_) => Err(format!(
            "`{text}` is no point in time; write 2026-11-22T08:00:00Z, 2026-11-22, or a span like 30m, 2h, 3d"
        )),
    }
}

/// A span like `90s`, `30m`, `2h`, `3d`, in milliseconds.
#[must_use]
pub fn span(text: &str) -> Option<i64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    number.checked_mul(seconds * 1000).filter(|span| *span >= 0)
}

/// A point in the future: absolute, or a span from `now`.
///
/// # Errors
/// As [`absolute`].
pub fn future(text: &str, now: i64) -> Result<i64, String> {
    match span(text) {
        Some(span) => Ok(now.saturating_add(span)),
        None => absolute(text),
    }
}

/// A point in the past: absolute, or a span before `now`.
///
/// # Errors
/// As [`absolute`].
pub fn past(text: &str, now: i64) -> Result<i64, String> {
    match span(text) {
        Some(span) => Ok(now.saturating_sub(span)),
        None => absolute(text),
    }
}

/// How long ago or in how long, roughly: `12 s ago`, `in 3 h`.
#[must_use]
pub fn relative(at: i64, now: i64) -> String {
    let away = TimeDelta::milliseconds(at.saturating_sub(now).saturating_abs());
    let text = match (away.num_days(), away.num_hours(), away.num_minutes()) {
        (days, _, _) if days >= 2 => format!("{days} d"),
        (_, hours, _) if hours >= 2 => format!("{hours} h"),
        (_, _, minutes) if minutes >= 2 => format!("{minutes} min"),
        _ => format!("{} s", away.num_seconds()),
    };
    if away.num_seconds() == 0 {
        "now".to_owned()
    } else if at < now {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

/// RFC 3339 in UTC with seconds.
#[must_use]
pub fn stamp(at: i64) -> String {
    DateTime::from_timestamp_millis(at).map_or_else(
        || at.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_write_times_in_several_ways() {
        assert_eq!(absolute("1970-01-02"), Ok(86_400_000));
        assert_eq!(absolute("1970-01-01 00:01"), Ok(60_000));
        assert_eq!(absolute("1970-01-01T01:00:00+01:00"), Ok(0));
        assert!(absolute("tomorrow").unwrap_err().contains("2026-11-22"));
        assert_eq!(future("2h", 1000), Ok(7_201_000));
        assert_eq!(past("1d", 86_400_000), Ok(0));
        assert_eq!((span("5"), span("-5m"), span("5µ")), (None, None, None));
    }

    #[test]
    fn times_are_shown_by_their_distance() {
        assert_eq!(relative(0, 30_000), "30 s ago");
        assert_eq!(relative(7_200_000, 0), "in 2 h");
        assert_eq!(relative(0, 3 * 86_400_000), "3 d ago");
        assert_eq!(relative(5, 5), "now");
    }
}
