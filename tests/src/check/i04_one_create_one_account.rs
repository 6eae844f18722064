//! 4. A create makes at most one account, and one account whenever it says success; it is never sent again
//!    without a look at the account.

use std::collections::{BTreeMap, BTreeSet};

use super::deeds::{What, deeds};
use super::evidence::Evidence;

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = sent_blindly(evidence);
    let mut made: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    let mut names: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for ((server, user), deeds) in deeds(evidence) {
        for deed in deeds.iter().filter(|deed| deed.what == What::Create) {
            let domain = deed.entry.change["domain"].as_str().unwrap_or_default();
            if !domain.is_empty() {
                let place = (server.clone(), domain.to_owned());
                names.entry(place).or_default().insert(user.clone());
            }
            match deed.job {
                Some(job) => {
                    made.entry(job.id)
                        .or_default()
                        .insert(&deed.entry.incarnation);
                }
                None => {
                    let what = format!(
                        "account {} was made and no job asked for it",
                        deed.entry.incarnation
                    );
                    broken.push((format!("{user} on {server}"), what));
                }
            }
        }
    }
    for ((server, domain), users) in names.iter().filter(|(_, users)| users.len() > 1) {
        broken.push((
            format!("{domain} on {server}"),
            format!("has several accounts: {users:?}"),
        ));
    }
    for job in evidence.jobs.iter().filter(|job| job.kind == "create") {
        let count = made.get(&job.id).map_or(0, BTreeSet::len);
        if count > 1 {
            broken.push((job.name(), format!("made {count} accounts")));
        }
        if job.state == "succeeded" && count == 0 && !was_there_before(evidence, job.id) {
            broken.push((job.name(), "succeeded and made no account".to_owned()));
        }
    }
    broken
}

/// The row already said that the account is there, so nothing had to be made.
fn was_there_before(evidence: &Evidence, job: i64) -> bool {
    let attempts = evidence
        .attempts
        .iter()
        .filter(|attempt| attempt.job_id == job);
    let sent = attempts.clone().any(|attempt| attempt.sent_at.is_some());
    let mut last = attempts.filter(|attempt| attempt.outcome == "already_so");
    !sent && last.next().is_some()
}

/// Between two requests to make an account of one name there must be one that reads it.
fn sent_blindly(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    for (server, panel) in &evidence.panels {
        let mut unread: BTreeMap<&str, u64> = BTreeMap::new();
        for request in &panel.requests {
            let Some(user) = request.username.as_deref().filter(|user| !user.is_empty()) else {
                continue;
            };
            let call = request.call.to_ascii_lowercase();
            if !matches!(call.as_str(), "createacct" | "customers.add") {
                unread.remove(user);
            } else if let Some(before) = unread.insert(user, request.ordinal) {
                let what = format!(
                    "its create was sent (request {before}) and sent again (request {}) without a look",
                    request.ordinal
                );
                broken.push((format!("{user} on {server}"), what));
            }
        }
    }
    broken
}
