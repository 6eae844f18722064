//! 12. No lost explanation: every change of a job's state is in its history with a reason, and what took
//!     three workers down is parked.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Attempt, Event, Evidence, Job};

const MOST_DEATHS: usize = 3;

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut attempts: BTreeMap<i64, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &evidence.attempts {
        attempts.entry(attempt.job_id).or_default().push(attempt);
    }
    let mut events: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
    for event in &evidence.events {
        events.entry(event.job_id).or_default().push(event);
    }
    let mut broken = Vec::new();
    for job in &evidence.jobs {
        let attempts = attempts.get(&job.id).map_or(&[][..], Vec::as_slice);
        let events = events.get(&job.id).map_or(&[][..], Vec::as_slice);
        let found = [
            missing_attempts(job, attempts),
            unexplained(job, attempts, events),
            never_parked(job, attempts, events),
        ];
        let found = found.into_iter().flatten();
        broken.extend(found.map(|what| (job.name(), what)));
    }
    broken
}

fn missing_attempts(job: &Job, attempts: &[&Attempt]) -> Option<String> {
    let running = i64::from(job.state == "running");
    let known: BTreeSet<i64> = attempts.iter().map(|attempt| attempt.attempt).collect();
    let missing: Vec<i64> = (1..=job.attempt - running)
        .filter(|ordinal| !known.contains(ordinal))
        .collect();
    (!missing.is_empty()).then(|| format!("attempts {missing:?} are not in its history"))
}

/// How it came to where it is must be told by its last attempt or by what somebody did to it.
fn unexplained(job: &Job, attempts: &[&Attempt], events: &[&Event]) -> Option<String> {
    let last = attempts
        .last()
        .map_or("", |attempt| attempt.outcome.as_str());
    let reason =
        |attempt: &&Attempt| attempt.error_code.is_some() && attempt.error_message.is_some();
    let told = |names: &[&str]| {
        let mut known = events.iter();
        known.any(|event| names.contains(&event.event.as_str()) && !event.actor.is_empty())
    };
    let explained = match job.state.as_str() {
        "succeeded" => matches!(last, "succeeded" | "already_so"),
        "failed" => last == "failed" && attempts.last().is_some_and(reason),
        "cancelled" => told(&["cancelled", "superseded"]),
        "held" => {
            told(&["held", "parked"])
                || (matches!(last, "held" | "died" | "lost") && attempts.last().is_some_and(reason))
        }
        "retrying" => !attempts.is_empty(),
        _ => true,
    };
    (!explained).then(|| {
        format!(
            "is {}, and neither its last attempt ({last:?}) nor its history says why",
            job.state
        )
    })
}

fn never_parked(job: &Job, attempts: &[&Attempt], events: &[&Event]) -> Option<String> {
    // A replay gives it a new chance.
    if events.iter().any(|event| event.event == "replayed") {
        return None;
    }
    let deaths = attempts
        .iter()
        .filter(|a| matches!(a.outcome.as_str(), "lost" | "died"));
    let deaths = deaths.count();
    let parked = matches!(job.state.as_str(), "held" | "cancelled");
    let lives_on = deaths > MOST_DEATHS || (deaths == MOST_DEATHS && !parked);
    lives_on.then(|| format!("took {deaths} workers down and was not parked"))
}
