//! The pipeline of one attempt: open the panel, look, act, judge, commit.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use jobs::faults::Point;
use jobs::store::{Claimed, Finish, Outcome};
use panels::{Detail, PanelError};
use tracing::Instrument;

use crate::attempt::{Attempt, Done, Halt};
use crate::conclude::{self, Conclusion};
use crate::handlers;
use crate::parts::Worker;
use crate::verdict::Doubt;

/// How the work ended.
pub(crate) enum Ended {
    /// It is done.
    Done(Done),
    /// It is not, and this is why.
    Halted(Halt),
    /// A panic, by its text.
    Died(String),
}

pub(crate) async fn execute(worker: &Worker, claimed: Claimed) {
    let job = &claimed.job;
    Point::HandedOver.reach(job);
    let span = tracing::info_span!(
        "job",
        job.id = %job.public_id,
        job.kind = %job.kind,
        job.attempt = job.attempt,
        server = claimed.server.as_ref().map(|server| server.name.as_str()),
        trace = job.trace.as_deref(),
    );
    run(worker, &claimed).instrument(span).await;
}

async fn run(worker: &Worker, claimed: &Claimed) {
    let mut attempt = Attempt::new(worker, claimed);
    let ended = perform(&mut attempt).await;
    let Some(conclusion) = conclude::conclude(&attempt, ended) else {
        lost(claimed, "before its outcome was known");
        return;
    };
    report(&attempt, &conclusion);
    let finish = finish(&attempt, conclusion);
    Point::Judged.reach(&claimed.job);
    if worker.parts.writer.finish(finish).await.is_err() {
        lost(claimed, "before its outcome was written");
    }
}

/// Opens the panel and lets the handler work, within the kind's limit, with panics caught.
async fn perform(attempt: &mut Attempt<'_>) -> Ended {
    let limit = attempt.claimed.kind().attempt_limit();
    let limit = attempt.worker.store().pace().of(limit);
    let work = async {
        attempt.open_panel().await?;
        Point::PanelOpened.reach(&attempt.claimed.job);
        handlers::run(attempt).await
    };
    let caught = AssertUnwindSafe(tokio::time::timeout(limit, work)).catch_unwind();
    match caught.await {
        Ok(Ok(Ok(done))) => Ended::Done(done),
        Ok(Ok(Err(halt))) => Ended::Halted(halt),
        Ok(Err(_)) => Ended::Halted(Halt::Panel(too_slow(attempt))),
        Err(panic) => Ended::Died(text_of(panic.as_ref())),
    }
}

/// The attempt's limit is over: whether something may have been changed depends on what had left.
fn too_slow(attempt: &Attempt<'_>) -> PanelError {
    let what = format!(
        "the attempt was ended after {} ms",
        attempt.elapsed().as_millis()
    );
    let detail = Box::new(Detail::of(what));
    match attempt.doubt() {
        Doubt::Open => PanelError::InDoubt(detail),
        Doubt::None => PanelError::Transient(detail),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}

fn finish(attempt: &Attempt<'_>, conclusion: Conclusion) -> Finish {
    let job = &attempt.claimed.job;
    Finish {
        job_id: job.id,
        fence: job.fence,
        outcome: conclusion.outcome,
        error: conclusion.error,
        account: attempt.noted(),
        server: conclusion.effect,
        in_doubt: attempt.doubt() == Doubt::Open,
        secrets_spent: conclusion.secrets_spent,
    }
}

/// Says once, here, how the attempt ended.
fn report(attempt: &Attempt<'_>, conclusion: &Conclusion) {
    let kind = attempt.claimed.kind().name();
    let outcome = conclusion.outcome.name();
    metrics::counter!("hostler_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("hostler_attempt_seconds", "kind" => kind)
        .record(attempt.elapsed().as_secs_f64());
    let elapsed_ms = u64::try_from(attempt.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Some(error) = &conclusion.error else {
        tracing::debug!(outcome, elapsed_ms, "The attempt succeeded");
        return;
    };
    let detail = error.detail.as_ref().map(ToString::to_string);
    match &conclusion.outcome {
        Outcome::Retry { after } | Outcome::Later { after } | Outcome::LookAgain { after } => {
            let delay_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                outcome,
                elapsed_ms,
                retry.delay_ms = delay_ms,
                error.class = error.class,
                error.code = error.code,
                failure = detail,
                "The attempt failed ({}); the next one is due in {after:?}",
                error.message
            );
        }
        Outcome::Held { .. }
        | Outcome::Failed
        | Outcome::Died
        | Outcome::Returned
        | Outcome::Succeeded { .. } => {
            tracing::error!(
                outcome,
                elapsed_ms,
                error.class = error.class,
                error.code = error.code,
                failure = detail,
                "The attempt ended as {outcome}: {}",
                error.message
            );
        }
    }
}

fn lost(claimed: &Claimed, when: &str) {
    tracing::warn!(
        job.fence = claimed.job.fence,
        "The claim was lost {when}; whoever has the job now looks at the panel first"
    );
}
