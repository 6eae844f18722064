//! 6. Nothing is destroyed that the job did not mean: a removed account is the one that its row made, or
//!    took over under the same domain.

use std::collections::BTreeMap;

use super::deeds::{What, deeds};
use super::evidence::{Account, Evidence, Job};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let rows: BTreeMap<i64, &Account> = evidence.accounts.iter().map(|row| (row.id, row)).collect();
    let mut broken = Vec::new();
    for ((server, user), deeds) in deeds(evidence) {
        let makers: BTreeMap<&str, &Job> = deeds
            .iter()
            .filter(|deed| deed.what == What::Create)
            .filter_map(|deed| Some((deed.entry.incarnation.as_str(), deed.job?)))
            .collect();
        for deed in deeds.iter().filter(|deed| deed.what == What::Terminate) {
            let entry = deed.entry;
            let Some(job) = deed.job else {
                let what = format!(
                    "account {} was removed and no job asked for it",
                    entry.incarnation
                );
                broken.push((format!("{user} on {server}"), what));
                continue;
            };
            let meant = match makers.get(entry.incarnation.as_str()) {
                Some(maker) => maker.account_id == job.account_id,
                None => taken_over(evidence, &rows, job, entry.change["domain"].as_str()),
            };
            if !meant {
                let what = format!(
                    "removed account {}, which it did not mean",
                    entry.incarnation
                );
                broken.push((job.name(), what));
            }
        }
    }
    broken
}

/// An account that no create of ours made: its row must not come from a create, and its domain must be the
/// one that the client named, or else the one in the row. Froxlor's customers have none in the ledger.
fn taken_over(
    evidence: &Evidence,
    rows: &BTreeMap<i64, &Account>,
    job: &Job,
    domain: Option<&str>,
) -> bool {
    let jobs = evidence.jobs.iter();
    let of_it = |other: &Job| other.kind == "create" && other.account_id == job.account_id;
    let created = jobs.clone().any(of_it);
    let mut asked = evidence.exchanges.iter();
    let asked = asked.find(|exchange| exchange.promised() == Some(&job.public_id));
    let named = asked.and_then(|exchange| exchange.body["account"]["domain"].as_str());
    let row = job.account_id.and_then(|id| rows.get(&id));
    let meant = named.or_else(|| row.and_then(|row| row.domain.as_deref()));
    !created && row.is_some() && (domain.is_none() || domain == meant)
}
