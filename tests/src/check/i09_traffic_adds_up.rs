//! 9. Traffic adds up: the sum of the booked deltas is the month's total, none is negative, and never more
//!    is booked than the panel counted.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Month};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    let mut sums: BTreeMap<(i64, &str), i128> = BTreeMap::new();
    for booking in &evidence.bookings {
        let sum = sums
            .entry((booking.account_id, &booking.month))
            .or_default();
        *sum += i128::from(booking.delta_bytes);
        let subject = format!("account row {} in {}", booking.account_id, booking.month);
        if booking.delta_bytes < 0 && booking.entry != "correction" {
            broken.push((
                subject,
                format!("{} bytes were booked", booking.delta_bytes),
            ));
        } else if *sum != i128::from(booking.total_bytes) {
            let what = format!(
                "the ledger says {} after {sum} were booked",
                booking.total_bytes
            );
            broken.push((subject, what));
        }
    }
    for month in &evidence.months {
        let subject = format!("account row {} in {}", month.account_id, month.month);
        let sum = sums.get(&(month.account_id, month.month.as_str()));
        let sum = sum.copied().unwrap_or(0);
        if sum != i128::from(month.total_bytes) {
            let what = format!("the total is {}, the bookings are {sum}", month.total_bytes);
            broken.push((subject.clone(), what));
        }
        if let Some(counted) = counted(evidence, month)
            && i128::from(month.total_bytes) > i128::from(counted)
            && month.flag.is_none()
        {
            let what = format!(
                "{} were booked, the panel counted {counted}",
                month.total_bytes
            );
            broken.push((subject, what));
        }
    }
    broken
}

/// What the panel counted, for an account whose name was never another's.
fn counted(evidence: &Evidence, month: &Month) -> Option<u64> {
    let account = evidence
        .accounts
        .iter()
        .find(|row| row.id == month.account_id)?;
    let namesakes = evidence.accounts.iter().filter(|row| {
        row.server == account.server && row.username.eq_ignore_ascii_case(&account.username)
    });
    if namesakes.count() > 1 || account.state == "terminated" {
        return None;
    }
    let panel = evidence.panels.get(&account.server)?;
    let rows = panel.traffic.iter().filter(|row| {
        row.month == month.month && row.username.eq_ignore_ascii_case(&account.username)
    });
    let rows: Vec<u64> = rows.map(|row| row.bytes).collect();
    (!rows.is_empty()).then(|| rows.iter().sum())
}
