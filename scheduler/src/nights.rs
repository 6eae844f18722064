//! When a server's nights are: once for every local date of the panel, whatever its clocks do.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use hosting::Month;

/// During the first days of a month the month before is read again: panels count late.
pub const LATE_DAYS: u32 = 3;

/// One night of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Night {
    /// The panel's date that it belongs to.
    pub date: NaiveDate,
    /// When it begins (milliseconds UTC).
    pub at: i64,
}

/// The minutes after midnight at which a server's nights begin: its own, and a part of the window, always
/// the same for one server, so that not all servers and the database are asked at one time. It stays on
/// the date: a night is its date's.
#[must_use]
pub fn spread(stats_at: i32, window: u32, server: &str) -> i32 {
    const LAST: i32 = 24 * 60 - 1;
    // Minutes that are none stay as they are, and are refused where the night is worked out.
    if !(0..LAST).contains(&stats_at) {
        return stats_at;
    }
    let room = u32::try_from(LAST - stats_at).unwrap_or(0).min(window);
    // FNV-1a: the same in every version and on every machine.
    let hash = server
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    // Names differ by their last letter, which such a hash alone hardly spreads (MurmurHash3's ending).
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let part = (hash ^ (hash >> 33)) % u64::from(room.max(1));
    stats_at.saturating_add(i32::try_from(part).unwrap_or(0))
}

/// The schedule's settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a night cannot be told: {0}")]
pub struct NoNight(String);

/// The last night that has begun at `now` (milliseconds UTC), `minutes` after midnight by the panel's
/// wall clock. A time that the clocks skip is taken right after the gap; one that they show twice is
/// taken once.
///
/// # Errors
/// [`NoNight`] when the minutes are beyond a day or the time is beyond the calendar.
pub fn last_night(zone: Tz, minutes: i32, now: i64) -> Result<Night, NoNight> {
    let near = nights_near(zone, minutes, now)?;
    let begun = near.into_iter().rfind(|night| night.at <= now);
    begun.ok_or_else(|| NoNight(format!("{now} ms")))
}

/// The first night that begins after `now`.
///
/// # Errors
/// As [`last_night`].
pub fn next_night(zone: Tz, minutes: i32, now: i64) -> Result<Night, NoNight> {
    let near = nights_near(zone, minutes, now)?;
    let next = near.into_iter().find(|night| night.at > now);
    next.ok_or_else(|| NoNight(format!("{now} ms")))
}

/// The months to read in that night, the newest first: its own, and the one before while that can still
/// change or when the nights that should have read it again were missed. `last` = the night that ran last.
#[must_use]
pub fn months(night: NaiveDate, last: Option<NaiveDate>) -> Vec<Month> {
    let month = month_of(night);
    let late_end = month.first_day() + chrono::Days::new(u64::from(LATE_DAYS) - 1);
    let missed = last.is_some_and(|last| last < late_end);
    if night.day() <= LATE_DAYS || missed {
        vec![month, month.previous()]
    } else {
        vec![month]
    }
}

/// The month that a date lies in.
#[must_use]
pub fn month_of(date: NaiveDate) -> Month {
    Month::of(&date.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// The panel's date at `at`.
#[must_use]
pub fn date_of(zone: Tz, at: i64) -> Option<NaiveDate> {
    local(zone, at).ok().map(|at| at.date_naive())
}

/// The nights of the dates around `now`, in order. More than the date of `now` itself: clocks that go back
/// over midnight show a date again whose next one has already begun.
fn nights_near(zone: Tz, minutes: i32, now: i64) -> Result<Vec<Night>, NoNight> {
    let after_midnight = u32::try_from(minutes)
        .ok()
        .and_then(|minutes| NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0))
        .ok_or_else(|| NoNight(format!("{minutes} minutes after midnight")))?;
    let today = local(zone, now)?.date_naive();
    let dates = (-3..=3).filter_map(|days| today.checked_add_signed(TimeDelta::days(days)));
    Ok(dates
        .filter_map(|date| night_of(zone, date, after_midnight))
        .collect())
}

/// The night of that date; `None` for a date that the zone skipped whole.
fn night_of(zone: Tz, date: NaiveDate, time: NaiveTime) -> Option<Night> {
    let wanted = date.and_time(time);
    // What the clocks skip is a day at most.
    let at = (0..=1440).find_map(|skipped| {
        let shown = wanted.checked_add_signed(TimeDelta::minutes(skipped))?;
        zone.from_local_datetime(&shown).earliest()
    })?;
    (at.date_naive() == date).then(|| Night {
        date,
        at: at.timestamp_millis(),
    })
}

fn local(zone: Tz, at: i64) -> Result<DateTime<Tz>, NoNight> {
    DateTime::<Utc>::from_timestamp_millis(at)
        .map(|at| at.with_timezone(&zone))
        .ok_or_else(|| NoNight(format!("{at} ms")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Every fortieth zone of the database and the strangest ones, looked at every 20 hours for a year:
    /// each local date is one night.
    #[test]
    fn every_local_date_has_one_night_in_every_time_zone() {
        let strange = [
            chrono_tz::Pacific::Kiritimati,
            chrono_tz::Etc::GMTPlus12,
            chrono_tz::Australia::Lord_Howe,
            chrono_tz::Africa::Cairo,
            chrono_tz::America::Santiago,
            chrono_tz::Asia::Beirut,
            chrono_tz::America::Scoresbysund,
            chrono_tz::Antarctica::Troll,
        ];
        let some = chrono_tz::TZ_VARIANTS.into_iter().step_by(40);
        for zone in some.chain(strange) {
            let day = |month, day| Utc.with_ymd_and_hms(2026, month, day, 14, 0, 0).unwrap();
            let (mut now, end) = (day(1, 1).timestamp_millis(), day(12, 31).timestamp_millis());
            let mut seen = BTreeSet::new();
            while now < end {
                let night = last_night(zone, 30, now).unwrap();
                assert!(
                    night.at <= now && now - night.at <= 25 * 3_600_000,
                    "{zone}"
                );
                seen.insert((night.date, night.at));
                now += 20 * 3_600_000;
            }
            let dates: BTreeSet<NaiveDate> = seen.iter().map(|(date, _)| *date).collect();
            assert_eq!(seen.len(), dates.len(), "{zone}: a date with two nights");
            let (first, last) = (dates.first().unwrap(), dates.last().unwrap());
            let wanted = (*last - *first).num_days() + 1;
            let dates = i64::try_from(dates.len()).unwrap();
            assert_eq!(dates, wanted, "{zone}: a date without a night");
            assert!(dates >= 364, "{zone}");
        }
    }

    #[test]
    fn a_night_in_a_gap_of_the_clocks_comes_right_after_it() {
        // Berlin, 2026-03-29: 02:00 becomes 03:00.
        let zone = chrono_tz::Europe::Berlin;
        let night = last_night(zone, 150, ms("2026-03-29T12:00:00Z")).unwrap();
        assert_eq!(
            (night.date, night.at),
            (date("2026-03-29"), ms("2026-03-29T01:00:00Z"))
        );
        // Cairo, 2026-04-24: midnight becomes 01:00; that date has its night too.
        let cairo = last_night(chrono_tz::Africa::Cairo, 30, ms("2026-04-24T12:00:00Z")).unwrap();
        assert_eq!(cairo.date, date("2026-04-24"));
    }

    #[test]
    fn a_gap_that_begins_after_midnight_takes_no_night_away() {
        // Casey, 2020-10-04: 00:01 becomes 03:01. Goose Bay, 2010-11-07: 00:01 becomes 23:01 of the 6th.
        let casey = chrono_tz::Antarctica::Casey;
        let night = last_night(casey, 30, ms("2020-10-03T16:02:00Z")).unwrap();
        assert_eq!(
            (night.date, night.at),
            (date("2020-10-04"), ms("2020-10-03T16:01:00Z"))
        );
        let goose_bay = chrono_tz::America::Goose_Bay;
        let night = last_night(goose_bay, 0, ms("2010-11-07T03:30:00Z")).unwrap();
        assert_eq!(
            (night.date, night.at),
            (date("2010-11-07"), ms("2010-11-07T03:00:00Z"))
        );
        // Apia had no 30 December 2011.
        let apia = chrono_tz::Pacific::Apia;
        let night = last_night(apia, 0, ms("2011-12-30T12:00:00Z")).unwrap();
        assert_eq!(night.date, date("2011-12-31"));
        let before = last_night(apia, 0, night.at - 1).unwrap();
        assert_eq!(before.date, date("2011-12-29"));
    }

    #[test]
    fn a_night_that_the_clocks_show_twice_is_one() {
        // Berlin, 2026-10-25: 03:00 becomes 02:00 again.
        let zone = chrono_tz::Europe::Berlin;
        let nights: BTreeSet<i64> = (0..48)
            .map(|half| {
                let now = ms("2026-10-25T00:30:00Z") + half * 1_800_000;
                last_night(zone, 150, now).unwrap()
            })
            .filter(|night| night.date == date("2026-10-25"))
            .map(|night| night.at)
            .collect();
        assert_eq!(nights.len(), 1);
    }

    #[test]
    fn the_next_night_follows_the_last_one() {
        let zone = chrono_tz::Pacific::Kiritimati;
        let now = ms("2026-11-22T01:00:00Z");
        let (last, next) = (
            last_night(zone, 30, now).unwrap(),
            next_night(zone, 30, now).unwrap(),
        );
        assert!(last.at <= now && now < next.at);
        assert_eq!(next.date, last.date.succ_opt().unwrap());
        assert_eq!(last.date, date("2026-11-22"));
    }

    #[test]
    fn the_month_before_is_read_while_it_can_change_and_after_missed_nights() {
        let texts = |night: &str, last: Option<&str>| {
            months(date(night), last.map(date))
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("2026-03-01", None), ["2026-03", "2026-02"]);
        assert_eq!(
            texts("2026-01-03", Some("2026-01-02")),
            ["2026-01", "2025-12"]
        );
        assert_eq!(texts("2026-03-04", Some("2026-03-03")), ["2026-03"]);
        assert_eq!(texts("2026-03-04", None), ["2026-03"]);
        assert_eq!(
            texts("2026-03-09", Some("2026-02-27")),
            ["2026-03", "2026-02"]
        );
    }

    #[test]
    fn the_servers_are_spread_over_the_window_and_each_keeps_its_minute() {
        let mut starts = vec![0_u32; 60];
        for server in 0..6_000 {
            let name = format!("web{server}.example.net");
            let minute = spread(30, 60, &name);
            assert_eq!(minute, spread(30, 60, &name));
            starts[usize::try_from(minute - 30).unwrap()] += 1;
        }
        assert!(
            starts.iter().all(|count| (60..=140).contains(count)),
            "{starts:?}"
        );
        assert_eq!(spread(30, 0, "web1"), 30);
        assert_eq!(spread(1439, 60, "web1"), 1439, "the date is not left");
        let late: BTreeSet<i32> = (0..500)
            .map(|n| spread(1430, 600, &n.to_string()))
            .collect();
        assert!(late.first() == Some(&1430) && late.last() == Some(&1438));
        assert_eq!(
            (spread(2000, 60, "web1"), spread(-5, 60, "web1")),
            (2000, -5)
        );
    }

    #[test]
    fn minutes_beyond_a_day_are_refused() {
        assert!(last_night(Tz::UTC, 1440, 0).is_err() && last_night(Tz::UTC, -1, 0).is_err());
    }
}
