//! 5. The order of an account is the order of intake: what was done is a sub-sequence of what was asked.

use std::collections::BTreeMap;

use super::deeds::{What, deeds};
use super::evidence::{Evidence, Exchange};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = rows_in_order(evidence);
    for ((server, user), deeds) in deeds(evidence) {
        let late = deeds
            .iter()
            .filter(|deed| deed.job.is_none() && deed.what != What::Create);
        for deed in late {
            let what = format!(
                "{} (entry {}) was done after what was asked for later, or nobody asked for it",
                deed.entry.call, deed.entry.seq
            );
            broken.push((format!("{user} on {server}"), what));
        }
    }
    broken
}

/// Who was answered before another asked comes first in the database too.
fn rows_in_order(evidence: &Evidence) -> Vec<(String, String)> {
    let rows: BTreeMap<&str, (i64, Option<i64>)> = evidence
        .jobs
        .iter()
        .filter(|job| job.changes())
        .map(|job| (job.public_id.as_str(), (job.id, job.account_id)))
        .collect();
    let mut answered: BTreeMap<i64, Vec<(&Exchange, i64)>> = BTreeMap::new();
    for exchange in evidence.exchanges.iter().filter(|e| e.status == Some(202)) {
        let row = exchange.promised().and_then(|id| rows.get(id));
        if let Some((row, Some(account))) = row {
            answered.entry(*account).or_default().push((exchange, *row));
        }
    }
    let mut broken = Vec::new();
    for (account, mut list) in answered {
        list.sort_by_key(|(exchange, _)| exchange.begin);
        for pair in list.windows(2) {
            let [(first, row), (second, next)] = pair else {
                continue;
            };
            if first.end < second.begin && row > next {
                let what = format!(
                    "key {} was accepted before key {}, its row is later",
                    first.key, second.key
                );
                broken.push((format!("account row {account}"), what));
            }
        }
    }
    broken
}
