//! What the ledger says of one account's month. Pure.

use std::collections::BTreeSet;

use super::Violation;
use super::pages::{Booking, OneMonth};

/// A booking reads the clock before it waits for its month, and a closing before it gets it: so long one may
/// seem later than the other although it was first. No transaction lives longer.
const OVERLAP_MS: i64 = 60_000;

/// The lines of one account's month so far.
#[derive(Debug, Default)]
pub(super) struct Bookings {
    key: Option<(i64, String)>,
    sum: i128,
    /// By hand: corrections that no reading gave cause to.
    corrected: i128,
    /// A line's total was wrong already; those after it are not told one by one.
    is_off: bool,
    /// When the panel's figures changed the total last.
    counted_at: Option<i64>,
    /// What has been booked from which reading.
    used: BTreeSet<(i64, String)>,
}

impl Bookings {
    /// The next line; `alone` = there is no month that it could belong to.
    pub(super) fn take(
        &mut self,
        booking: &Booking,
        alone: bool,
        found: &mut impl FnMut(Violation),
    ) {
        let row = &booking.row;
        let key = (row.account_id, row.month.clone());
        let mut tell = |rule, what| found(violation(rule, row.account_id, &row.month, what));
        if self.key.as_ref() != Some(&key) {
            *self = Self {
                key: Some(key),
                ..Self::default()
            };
            if alone {
                let what = format!("line {} of the ledger belongs to no month", row.id);
                tell("no_month", what);
            }
        }
        let by_hand = row.entry == "correction";
        if row.delta_bytes < 0 && !by_hand {
            let what = format!(
                "line {} books {} bytes as `{}`; only a correction may take away",
                row.id, row.delta_bytes, row.entry
            );
            tell("negative_delta", what);
        }
        self.sum += i128::from(row.delta_bytes);
        if self.sum != i128::from(row.total_bytes) && !self.is_off {
            self.is_off = true;
            let what = format!(
                "line {} says {} bytes in total, the lines up to it add up to {}",
                row.id, row.total_bytes, self.sum
            );
            tell("running_sum", what);
        }
        if by_hand && row.reading_id.is_none() {
            self.corrected += i128::from(row.delta_bytes);
        }
        if !by_hand && row.delta_bytes != 0 {
            self.counted_at = self.counted_at.max(Some(row.booked_at));
        }
        if let Some((account, month)) = &booking.reading
            && (*account != Some(row.account_id) || *month != row.month)
        {
            let whose = account.map_or("nobody".to_owned(), |id| format!("account {id}"));
            let what = format!(
                "line {} was booked from a reading of {whose} in {month}",
                row.id
            );
            tell("foreign_reading", what);
        }
        // Two corrections may both go back to what the panel said last.
        if let (false, Some(reading)) = (by_hand, row.reading_id)
            && !self.used.insert((reading, row.entry.clone()))
        {
            let what = format!(
                "line {} was booked from reading {reading}, as another was",
                row.id
            );
            tell("reading_twice", what);
        }
    }

    /// The month itself, after its lines.
    pub(super) fn close(&mut self, month: &OneMonth, found: &mut impl FnMut(Violation)) {
        let lines = std::mem::take(self);
        let mine = lines.key.as_ref().map(|(id, text)| (*id, text.as_str())) == Some(month.key());
        let lines = if mine { lines } else { Self::default() };
        let row = &month.row;
        let mut tell = |rule, what| found(violation(rule, row.account_id, &row.month, what));
        if lines.sum != i128::from(row.total_bytes) {
            let what = format!(
                "the total is {} bytes, the ledger adds up to {}",
                row.total_bytes, lines.sum
            );
            tell("sum", what);
        }
        if lines.corrected != i128::from(row.corrected_bytes) {
            let what = format!(
                "{} bytes are said to be corrected by hand, the ledger's corrections are {}",
                row.corrected_bytes, lines.corrected
            );
            tell("corrected_sum", what);
        }
        if row.closed_at.is_none() && row.late_bytes != 0 {
            let what = format!("{} bytes came late to a month that is open", row.late_bytes);
            tell("late_in_open_month", what);
        }
        if let (Some(closed), Some(counted)) = (row.closed_at, lines.counted_at)
            && counted > closed + OVERLAP_MS
        {
            let what = format!(
                "it was closed at {closed} and booked on at {counted} without a correction (ms)"
            );
            tell("changed_after_closing", what);
        }
    }
}

pub(super) fn violation(rule: &'static str, account: i64, month: &str, what: String) -> Violation {
    Violation {
        rule,
        account_id: account,
        month: month.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use entity::usage_ledger;

    use super::*;

    /// The database refuses such a row; books that were written before it did are looked at all the same.
    #[test]
    fn a_delta_below_zero_is_found_and_a_correction_is_none() {
        let booking = |entry: &str| Booking {
            row: usage_ledger::Model {
                id: 1,
                account_id: 1,
                month: "2026-11".to_owned(),
                entry: entry.to_owned(),
                delta_bytes: -5,
                total_bytes: -5,
                reading_id: None,
                job_id: None,
                actor: "x".to_owned(),
                note: None,
                booked_at: 1,
            },
            reading: None,
        };
        for (entry, rules) in [("delta", vec!["negative_delta"]), ("correction", vec![])] {
            let mut found = Vec::new();
            Bookings::default().take(&booking(entry), false, &mut |one| found.push(one.rule));
            assert_eq!(found, rules);
        }
    }
}
