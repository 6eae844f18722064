//! Nights and months, whatever clocks and calendars do.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use jobs::Steady;
use proptest::prelude::*;
use scheduler::nights::{date_of, last_night, month_of, months, next_night};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn ms(year: i32) -> i64 {
    let begin = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single();
    begin.expect("a time").timestamp_millis()
}

/// From `now` on, so many nights: one for each date, in order, and each is the last one from its beginning
/// until right before the next.
fn nights_in_a_row(zone: Tz, minutes: i32, now: i64, count: usize) -> Result<(), String> {
    let what = |why: &str, at: i64| format!("{zone}, minute {minutes}, near {at}: {why}");
    let mut night =
        last_night(zone, minutes, now).map_err(|error| what(&error.to_string(), now))?;
    for _ in 0..count {
        let next = next_night(zone, minutes, night.at)
            .map_err(|error| what(&error.to_string(), night.at))?;
        if Some(next.date) != night.date.succ_opt() {
            return Err(what(
                &format!("{} follows {}", next.date, night.date),
                next.at,
            ));
        }
        if date_of(zone, next.at) != Some(next.date) || next.at <= night.at {
            return Err(what("not on its date", next.at));
        }
        if next.at - night.at > 27 * HOUR || next.at - night.at < 21 * HOUR {
            return Err(what("not a day after the night before", next.at));
        }
        for (at, is) in [(next.at, next), (next.at - 1, night)] {
            if last_night(zone, minutes, at) != Ok(is) {
                return Err(what("not the last one while it is", at));
            }
        }
        night = next;
    }
    Ok(())
}

/// When the zone's distance from UTC changes in these years, to the day.
fn changes(zone: Tz, from: i64, to: i64) -> Vec<(i64, i32)> {
    let offset = |at: i64| {
        let at = chrono::DateTime::from_timestamp_millis(at).expect("a time");
        zone.offset_from_utc_datetime(&at.naive_utc())
            .fix()
            .local_minus_utc()
    };
    let mut found = Vec::new();
    let mut at = from;
    let mut last = offset(from);
    while at < to {
        // Two changes are at least four weeks apart (Morocco's month of fasting).
        let next = at + 10 * DAY;
        if offset(next) != last {
            let (mut low, mut high) = (at, next);
            while high - low > HOUR {
                let middle = low + (high - low) / 2;
                if offset(middle) == last {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            last = offset(next);
            found.push((high, last));
        }
        at = next;
    }
    found
}

/// Property: every zone of the database, every change of its clocks from 2020 to 2040, nights at midnight
/// and in the hours that clocks skip and repeat.
#[test]
fn every_change_of_every_zones_clocks_leaves_each_date_its_night() {
    let (from, to) = (ms(2020), ms(2041));
    let mut known = BTreeSet::new();
    let (mut zones, mut tried) = (0, 0);
    for zone in TZ_VARIANTS {
        zones += 1;
        for change in changes(zone, from, to) {
            // Many zones are others under another name, and change at the same moments.
            if known.insert(change) {
                for minutes in [0, 30, 150] {
                    nights_in_a_row(zone, minutes, change.0 - 2 * DAY, 4).expect("a night a date");
                    tried += 1;
                }
            }
        }
    }
    println!(
        "{zones} zones, {} changes of their clocks, {tried} rows of nights",
        known.len()
    );
    assert!(zones > 590 && known.len() > 500);
}

proptest! {
    #[test]
    fn every_date_has_one_night(zone in prop::sample::select(TZ_VARIANTS.to_vec()), minutes in 0..1440_i32, at in ms(2020)..ms(2041)) {
        prop_assert_eq!(nights_in_a_row(zone, minutes, at, 5), Ok(()));
    }

    /// Also when nights are missed, as long as not a whole month of them.
    #[test]
    fn every_month_is_read_again_after_its_end(start in ms(2020)..ms(2040), gaps in prop::collection::vec(prop_oneof![4 => Just(1_u64), 1 => 2..28_u64], 40..90)) {
        let mut night = date_of(Tz::UTC, start).expect("a date");
        let (mut last, mut read_late) = (None, BTreeSet::new());
        let first = month_of(night);
        for gap in gaps {
            let now: Vec<_> = months(night, last);
            prop_assert_eq!(now.first().copied(), Some(month_of(night)));
            prop_assert!(now.len() <= 2 && now.iter().all(|month| *month <= month_of(night)));
            read_late.extend(now.into_iter().filter(|month| *month < month_of(night)));
            last = Some(night);
            night = night + chrono::Days::new(gap);
        }
        let mut month = first;
        while month < last.map_or(first, month_of) {
            prop_assert!(read_late.contains(&month), "{month} was not read after its end");
            month = month.next();
        }
    }

    /// Rows 29 February, 31 December and the years around 2038.
    #[test]
    fn the_month_of_a_date_is_the_calendars(days in 0..8_000_u64) {
        let date = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date") + chrono::Days::new(days);
        let month = month_of(date);
        prop_assert_eq!(date.format("%Y-%m").to_string(), month.to_string());
        prop_assert!(month.first_day() <= date && date < month.next().first_day());
    }

    /// What is relied on is what has passed; a clock that is put right is relied on at once.
    #[test]
    fn a_moved_clock_is_not_relied_on_until_it_stays(steps in prop::collection::vec((1..600_u64, prop::sample::select(vec![0, 0, 0, HOUR, -HOUR, 3_650 * DAY])), 1..40)) {
        let mut steady = Steady::new(Duration::from_secs(100_000));
        let (mut passed, start) = (0, ms(2026));
        prop_assert!(steady.relies_on(start, Duration::ZERO));
        for (seconds, skew) in steps {
            passed += seconds;
            let now = start + i64::try_from(passed).expect("small") * 1000 + skew;
            prop_assert_eq!(steady.relies_on(now, Duration::from_secs(passed)), skew == 0);
        }
    }
}
