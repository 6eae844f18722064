//! A new job as its row.

use entity::job;
use sea_orm::ActiveValue::Set;

use super::super::accounts;
use super::NewJob;
use crate::faults::Bug;
use crate::{JobState, PAYLOAD_VERSION};

pub(in crate::store) fn row(
    job: &NewJob,
    account_id: Option<i64>,
    now: i64,
    pace: crate::Pace,
) -> job::ActiveModel {
    let kind = job.spec.kind();
    let policy = kind.policy();
    let due_at = Ord::max(job.due_at.unwrap_or(now), now);
    let in_line = account_id.filter(|_| kind.changes());
    // A job for later joins the line when it becomes due; until then it holds up nobody.
    let later = in_line.is_some() && due_at > now;
    let lane = policy.lane.number();
    let age = crate::pace::millis(pace.of(policy.max_age));
    job::ActiveModel {
        public_id: Set(job.public_id.clone()),
        platform_id: Set(job.platform_id),
        idem_key: Set(job.idem_key.clone()),
        body_hash: Set(job.body_hash.clone()),
        kind: Set(kind.name().to_owned()),
        lane: Set(lane),
        server_id: Set(job.server_id),
        account_id: Set(account_id),
        payload: Set(accounts::json(&job.spec)),
        payload_version: Set(PAYLOAD_VERSION),
        state: Set(JobState::Queued.name().to_owned()),
        due_at: Set(due_at),
        joins_at: Set(later.then_some(due_at)),
        attempt: Set(0),
        tries: Set(0),
        max_tries: Set(policy.max_tries),
        expires_at: Set(Some(due_at.saturating_add(age))),
        worker_deaths: Set(0),
        fence: Set(0),
        owner: Set(None),
        lease_until: Set(None),
        ready_lane: Set((in_line.is_none() || Bug::NoLine.is_on()).then_some(lane)),
        head_of: Set(None),
        open_of: Set(in_line.filter(|_| !later)),
        phase: Set(None),
        sent_at: Set(None),
        doubt_since: Set(None),
        looks: Set(0),
        progress: Set(None),
        hold_code: Set(None),
        result: Set(None),
        error_class: Set(None),
        error_code: Set(None),
        error_message: Set(None),
        actor: Set(job.actor.chars().take(160).collect()),
        reason: Set(job.reason.clone()),
        webhook: Set(job.webhook.clone()),
        replay_of: Set(job.replay_of),
        trace: Set(job.trace.clone()),
        created_at: Set(now),
        started_at: Set(None),
        finished_at: Set(None),
        ..Default::default()
    }
}
