//! 3. At most one running job an account: on the panel, requests of two jobs never overlap; in the database,
//!    no two of its jobs hold a valid claim, and no claim is taken back while it is valid.

use std::collections::BTreeMap;

use super::deeds::{Deed, deeds};
use super::evidence::{Attempt, Evidence, Job};
use super::i11_attempts_end::{Limits, limits};

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = on_the_panel(evidence);
    broken.extend(in_the_database(evidence));
    broken.extend(taken_back_early(evidence));
    broken
}

fn on_the_panel(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    for ((server, user), deeds) in deeds(evidence) {
        for (index, deed) in deeds.iter().enumerate() {
            let crossing = deeds[..index].iter().filter(|other| cross(deed, other));
            for other in crossing.filter(|other| !same_job_in_doubt(deed, other)) {
                let what = format!(
                    "{} (request {}) and {} (request {}) were worked on at one time",
                    other.entry.call, other.entry.request, deed.entry.call, deed.entry.request
                );
                broken.push((format!("{user} on {server}"), what));
            }
        }
    }
    broken
}

fn cross(one: &Deed<'_>, other: &Deed<'_>) -> bool {
    let (one, other) = (one.entry, other.entry);
    let told = one.overlaps.contains(&other.request) || other.overlaps.contains(&one.request);
    let ticks = one.begin_tick < other.end_tick && other.begin_tick < one.end_tick;
    one.request != other.request && (told || ticks)
}

/// A request that was given up may still be at work when its own job sends again, after the settle time.
fn same_job_in_doubt(one: &Deed<'_>, other: &Deed<'_>) -> bool {
    match (one.job, other.job) {
        (Some(one), Some(other)) => one.id == other.id && one.attempt > 1,
        _ => false,
    }
}

fn in_the_database(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    let jobs: BTreeMap<i64, &Job> = evidence.jobs.iter().map(|job| (job.id, job)).collect();
    let mut sent: BTreeMap<i64, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &evidence.attempts {
        let job = jobs.get(&attempt.job_id).filter(|job| job.changes());
        if let (Some(account), Some(_)) = (job.and_then(|job| job.account_id), attempt.sent_at) {
            sent.entry(account).or_default().push(attempt);
        }
    }
    for (account, mut attempts) in sent {
        attempts.sort_by_key(|attempt| attempt.sent_at);
        for pair in attempts.windows(2) {
            let [first, second] = pair else { continue };
            if first.job_id != second.job_id && second.sent_at < Some(first.finished_at) {
                let what = format!(
                    "two jobs had sent at one time: rows {} and {}",
                    first.job_id, second.job_id
                );
                broken.push((format!("account row {account}"), what));
            }
        }
    }
    let mut holders: BTreeMap<i64, Vec<&Job>> = BTreeMap::new();
    for job in evidence
        .jobs
        .iter()
        .filter(|job| job.lease_until.is_some() && job.changes())
    {
        if let Some(account) = job.account_id {
            holders.entry(account).or_default().push(job);
        }
    }
    for (account, jobs) in holders.iter().filter(|(_, jobs)| jobs.len() > 1) {
        let names: Vec<String> = jobs.iter().map(|job| job.name()).collect();
        let what = format!("several jobs hold a claim: {}", names.join(", "));
        broken.push((format!("account row {account}"), what));
    }
    broken
}

fn taken_back_early(evidence: &Evidence) -> Vec<(String, String)> {
    let jobs: BTreeMap<i64, &Job> = evidence.jobs.iter().map(|job| (job.id, job)).collect();
    let lost = evidence
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome == "lost");
    let early = lost.filter_map(|attempt| {
        let job = jobs.get(&attempt.job_id)?;
        let Limits { lease, .. } = limits(&job.kind, evidence.pace)?;
        let held = attempt.finished_at - attempt.started_at;
        (held < lease).then(|| {
            let what =
                format!("its claim was taken back after {held} ms, it was valid for {lease} ms");
            (job.name(), what)
        })
    });
    early.collect()
}
