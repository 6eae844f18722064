//! How much traffic the accounts made, and how it grows.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};

use crate::chance::Chance;

/// One account's traffic as the panel booked it on one day, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTraffic {
    /// The row's number, unique on the panel.
    pub id: u64,
    /// The day of the booking, by the panel's time zone.
    pub date: NaiveDate,
    /// Web.
    pub http: u64,
    /// FTP, to the server.
    pub ftp_up: u64,
    /// FTP, from the server.
    pub ftp_down: u64,
    /// Mail.
    pub mail: u64,
}

impl DayTraffic {
    /// Everything together, in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.http + self.ftp_up + self.ftp_down + self.mail
    }

    /// `YYYY-MM`.
    #[must_use]
    pub fn month(&self) -> String {
        self.date.format("%Y-%m").to_string()
    }
}

/// The rows of all accounts, by incarnation.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrafficBook {
    rows: BTreeMap<String, Vec<DayTraffic>>,
    grown_to: BTreeMap<String, NaiveDate>,
    last_id: u64,
}

impl TrafficBook {
    pub(crate) fn rows(&self, incarnation: &str) -> &[DayTraffic] {
        self.rows.get(incarnation).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn month_total(&self, incarnation: &str, month: &str) -> u64 {
        let rows = self.rows(incarnation).iter();
        rows.filter(|row| row.month() == month)
            .map(DayTraffic::total)
            .sum()
    }

    pub(crate) fn months(&self, incarnation: &str) -> Vec<String> {
        let mut months: Vec<String> = self
            .rows(incarnation)
            .iter()
            .map(DayTraffic::month)
            .collect();
        months.sort();
        months.dedup();
        months
    }

    /// Adds web traffic to a day, into the row that is there.
    pub(crate) fn add(&mut self, incarnation: &str, date: NaiveDate, bytes: u64) {
        let rows = self.rows.entry(incarnation.to_owned()).or_default();
        if let Some(row) = rows.iter_mut().find(|row| row.date == date) {
            row.http = row.http.saturating_add(bytes);
        } else {
            self.last_id += 1;
            rows.push(DayTraffic {
                id: self.last_id,
                date,
                http: bytes,
                ftp_up: 0,
                ftp_down: 0,
                mail: 0,
            });
            rows.sort_by_key(|row| (row.date, row.id));
        }
    }

    /// Adds a row as it is, its number excepted.
    pub(crate) fn add_row(&mut self, incarnation: &str, mut row: DayTraffic) {
        self.last_id += 1;
        row.id = self.last_id;
        self.rows
            .entry(incarnation.to_owned())
            .or_default()
            .push(row);
    }

    /// Removes all that was booked in a month.
    pub(crate) fn clear_month(&mut self, incarnation: &str, month: &str) {
        if let Some(rows) = self.rows.get_mut(incarnation) {
            rows.retain(|row| row.month() != month);
        }
    }

    pub(crate) fn forget(&mut self, incarnation: &str) {
        self.rows.remove(incarnation);
        self.grown_to.remove(incarnation);
    }

    /// From which day on an account grows.
    pub(crate) fn grow_from(&mut self, incarnation: &str, date: NaiveDate) {
        self.grown_to.insert(incarnation.to_owned(), date);
    }

    /// Books every day up to `today` that was not booked yet. `share` scales the amount (a suspended account still has
    /// a little).
    pub(crate) fn grow(&mut self, seed: u64, incarnation: &str, today: NaiveDate, share: f64) {
        let mut date = *self.grown_to.entry(incarnation.to_owned()).or_insert(today);
        while date < today {
            date = date + Days::new(1);
            self.last_id += 1;
            let row = day_of(seed, incarnation, date, share, self.last_id);
            self.rows
                .entry(incarnation.to_owned())
                .or_default()
                .push(row);
        }
        self.grown_to.insert(incarnation.to_owned(), date);
    }
}

/// A day's traffic, drawn from the seed: between some MiB and a few GiB, always whole KiB as Froxlor keeps it.
fn day_of(seed: u64, incarnation: &str, date: NaiveDate, share: f64, id: u64) -> DayTraffic {
    // Each account has its own size, each day its own weather.
    let size = Chance::for_name(seed, &format!("size {incarnation}"))
        .unit()
        .powi(3);
    let mut day = Chance::for_name(seed, &format!("traffic {incarnation} {date}"));
    let weather = 0.5 + day.unit();
    let kib = ((4096.0 + size * 3_000_000.0) * weather * share) as u64;
    DayTraffic {
        id,
        date,
        http: kib * 1024,
        ftp_up: kib / 100 * 1024,
        ftp_down: kib / 60 * 1024,
        mail: kib / 40 * 1024,
    }
}

/// The day on which traffic of a month is booked when somebody adds it: today within the running month, else the
/// month's last day. None for text that is not `YYYY-MM`.
pub(crate) fn booking_day(month: &str, today: NaiveDate) -> Option<NaiveDate> {
    let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    if (first.year(), first.month()) == (today.year(), today.month()) {
        return Some(today);
    }
    first.checked_add_months(chrono::Months::new(1))?.pred_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn growth_is_the_same_for_a_seed_whatever_the_steps() {
        let mut at_once = TrafficBook::default();
        at_once.grow_from("1", day("2026-09-30"));
        at_once.grow(7, "1", day("2026-11-02"), 1.0);
        let mut in_steps = TrafficBook::default();
        in_steps.grow_from("1", day("2026-09-30"));
        for date in ["2026-10-05", "2026-10-05", "2026-10-31", "2026-11-02"] {
            in_steps.grow(7, "1", day(date), 1.0);
        }
        assert_eq!(at_once.rows("1"), in_steps.rows("1"));
        assert_eq!(at_once.rows("1").len(), 33);
        assert_eq!(at_once.months("1"), ["2026-10", "2026-11"]);
        assert!(
            at_once
                .rows("1")
                .iter()
                .all(|row| row.total() > 0 && row.total() % 1024 == 0)
        );
    }

    #[test]
    fn added_traffic_falls_on_today_or_the_last_day_of_its_month() {
        assert_eq!(
            booking_day("2026-11", day("2026-11-05")),
            Some(day("2026-11-05"))
        );
        assert_eq!(
            booking_day("2028-02", day("2026-11-05")),
            Some(day("2028-02-29"))
        );
        assert_eq!(booking_day("2026-13", day("2026-11-05")), None);
    }
}
