//! 11. Bounded resources: every attempt ends by its deadline.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Job};

/// To write down that an attempt has ended, on a machine that is busy with other things.
const TO_WRITE_MS: i64 = 15_000;

/// How long an attempt may take and a claim is valid, in milliseconds.
pub(super) struct Limits {
    pub(super) attempt: i64,
    pub(super) lease: i64,
}

/// The promised numbers: twice the deadline of a call and a minute for the attempt, half a minute more for
/// the claim, of which a fast pace spares six seconds.
pub(super) fn limits(kind: &str, pace: f64) -> Option<Limits> {
    let call = match kind {
        "create" => 180.0,
        "suspend" | "unsuspend" | "change_package" | "change_limits" | "change_password"
        | "unlock" | "move" => 120.0,
        "terminate" => 600.0,
        "login_url" | "check_connection" | "get_server_config" => 30.0,
        "get_stats" | "list_accounts" => 300.0,
        "deliver_webhook" => 15.0,
        _ => return None,
    };
    let attempt = (call * 2.0 + 60.0) * pace;
    let lease = attempt + f64::max(6.0, 30.0 * pace);
    #[expect(clippy::cast_possible_truncation, reason = "minutes, in milliseconds")]
    let ms = |seconds: f64| (seconds * 1000.0) as i64;
    Some(Limits {
        attempt: ms(attempt),
        lease: ms(lease),
    })
}

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let jobs: BTreeMap<i64, &Job> = evidence.jobs.iter().map(|job| (job.id, job)).collect();
    // What was lost ends when somebody is there to take it back.
    let ended = evidence
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome != "lost");
    let late = ended.filter_map(|attempt| {
        let job = jobs.get(&attempt.job_id)?;
        let took = attempt.finished_at - attempt.started_at;
        let most = limits(&job.kind, evidence.pace)?.attempt;
        (took > most + TO_WRITE_MS).then(|| {
            let what = format!(
                "attempt {} took {took} ms, it may take {most} ms",
                attempt.attempt
            );
            (job.name(), what)
        })
    });
    late.collect()
}
