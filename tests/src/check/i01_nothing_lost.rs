//! 1. No accepted job is lost: for every 202 there is a row, and in the end it is done with, or a person
//!    has to look.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Job};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let rows: BTreeMap<&str, &Job> = evidence
        .jobs
        .iter()
        .map(|job| (job.public_id.as_str(), job))
        .collect();
    let held: BTreeSet<i64> = evidence
        .jobs
        .iter()
        .filter(|job| job.state == "held")
        .filter_map(|job| job.head_of)
        .collect();
    let unmade: BTreeSet<i64> = evidence
        .accounts
        .iter()
        .filter(|account| matches!(account.state.as_str(), "failed" | "conflict"))
        .map(|account| account.id)
        .collect();
    let mut broken = Vec::new();
    for exchange in &evidence.exchanges {
        let Some(id) = exchange.promised() else {
            continue;
        };
        if !rows.contains_key(id) {
            let what = format!(
                "was accepted under key {} and is not in the database",
                exchange.key
            );
            broken.push((format!("job {id}"), what));
        }
    }
    for job in &evidence.jobs {
        let behind = job
            .account_id
            .is_some_and(|account| held.contains(&account) || unmade.contains(&account));
        let rests = match job.state.as_str() {
            "succeeded" | "failed" | "cancelled" | "held" => true,
            // Behind one that waits for a person, or a create that failed, it waits for that person too.
            "queued" | "retrying" => behind,
            _ => false,
        };
        if !rests {
            broken.push((job.name(), format!("is {} in the end", job.state)));
        }
    }
    broken
}
