//! From how an attempt's work ended to what is written about it.

use std::time::Duration;

use jobs::faults::Bug;
use jobs::retry;
use jobs::store::{JobError, Outcome, ServerEffect};
use panels::{Detail, PanelError};

use crate::attempt::{Attempt, Done, Halt};
use crate::executor::Ended;
use crate::verdict::{Doubt, Verdict, Work, judge};

/// After trouble with our own database an attempt is due again after this; no try is used.
const OWN_TROUBLE: Duration = Duration::from_secs(10);

/// A part of the job stands on the panel, and the rest was refused or did not come about.
const INCOMPLETE: &str = "incomplete";

/// What will be written.
pub(crate) struct Conclusion {
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<JobError>,
    pub(crate) effect: ServerEffect,
    pub(crate) secrets_spent: bool,
}

/// `None` = the claim was lost: nothing may be written.
pub(crate) fn conclude(attempt: &Attempt<'_>, ended: Ended) -> Option<Conclusion> {
    let conclusion = match ended {
        Ended::Done(done) => succeeded(attempt, done),
        Ended::Halted(Halt::Lost) => return None,
        Ended::Halted(Halt::Panel(PanelError::Rejected { .. })) if Bug::RefusedIsDone.is_on() => {
            succeeded(attempt, Done::changed())
        }
        Ended::Halted(Halt::Panel(error)) => judged(attempt, &error),
        Ended::Halted(Halt::LookAgain) => judged(attempt, &unsettled()),
        Ended::Halted(Halt::Later { after, code, why }) => {
            unfinished(Outcome::Later { after }, plain("waiting", code, why))
        }
        Ended::Halted(Halt::Hold { code, why }) => unfinished(
            Outcome::Held {
                code: code.to_owned(),
            },
            plain("held", code, why),
        ),
        Ended::Halted(Halt::Store(error)) => {
            let after = attempt.worker.store().pace().of(OWN_TROUBLE);
            let mut text = plain("internal", "database", "our database did not answer");
            text.detail = Some(serde_json::json!({"what": error.to_string()}));
            unfinished(Outcome::Later { after }, text)
        }
        Ended::Died(what) => {
            let mut text = plain(
                "internal",
                "panic",
                "the attempt broke off by an error of ours",
            );
            text.detail = Some(serde_json::json!({"what": what}));
            unfinished(Outcome::Died, text)
        }
    };
    Some(not_too_old(attempt, conclusion))
}

fn succeeded(attempt: &Attempt<'_>, done: Done) -> Conclusion {
    let effect = match done.effect {
        ServerEffect::None => reached(attempt),
        told => told,
    };
    Conclusion {
        outcome: Outcome::Succeeded {
            already_so: done.already_so,
            result: done.result,
        },
        error: None,
        effect,
        secrets_spent: done.secrets_spent,
    }
}

/// Closes a breaker that counts failures; else there is nothing to say, and no server row to lock.
fn reached(attempt: &Attempt<'_>) -> ServerEffect {
    match &attempt.claimed.server {
        Some(server) if server.breaker_failures > 0 => ServerEffect::Reached,
        _ => ServerEffect::None,
    }
}

fn judged(attempt: &Attempt<'_>, error: &PanelError) -> Conclusion {
    let verdict = judge(error, attempt.tries(), attempt.doubt(), attempt.work());
    Conclusion {
        outcome: outcome(attempt, error, verdict),
        error: Some(told(attempt, error, verdict)),
        effect: effect(attempt, error),
        secrets_spent: false,
    }
}

fn outcome(attempt: &Attempt<'_>, error: &PanelError, verdict: Verdict) -> Outcome {
    let (job, kind) = (&attempt.claimed.job, attempt.claimed.kind());
    let pace = attempt.worker.store().pace();
    let jitter = attempt.worker.parts.chance.jitter();
    match verdict {
        Verdict::Retry => Outcome::Retry {
            after: pace.of(retry::after_try(kind, job.tries + 1, jitter)),
        },
        Verdict::Later { after } => Outcome::Later {
            after: pace.of(retry::throttled(after)),
        },
        Verdict::LookAgain => {
            // A change that left in this attempt starts a new series of looks.
            let looks = if attempt.sent_now() { 0 } else { job.looks };
            Outcome::LookAgain {
                after: pace.of(retry::before_look(looks + 1, jitter)),
            }
        }
        Verdict::Hold => Outcome::Held {
            code: hold_code(error, attempt.doubt(), attempt.work()).to_owned(),
        },
        Verdict::Fail => Outcome::Failed,
    }
}

/// Refused credentials are named as such even when a change is in doubt: a good check takes these up again.
fn hold_code(error: &PanelError, doubt: Doubt, work: Work) -> &'static str {
    match (error, doubt, work) {
        (PanelError::Auth(_), _, _) | (_, Doubt::None, Work::Untouched) => error.code(),
        (_, Doubt::Open, _) => "panel_in_doubt",
        (_, Doubt::None, Work::Begun) => INCOMPLETE,
    }
}

/// The panel's error, and what stands nevertheless where that is what a person must know.
fn told(attempt: &Attempt<'_>, error: &PanelError, verdict: Verdict) -> JobError {
    let told = of_panel(error);
    let code = hold_code(error, attempt.doubt(), attempt.work());
    match (verdict, attempt.begun()) {
        (Verdict::Hold, Some(begun)) if code == INCOMPLETE => JobError {
            code: code.to_owned(),
            message: format!("{begun}: {}", told.message),
            ..told
        },
        _ => told,
    }
}

fn effect(attempt: &Attempt<'_>, error: &PanelError) -> ServerEffect {
    match error {
        PanelError::Transient(_) => ServerEffect::Unreachable,
        PanelError::Throttled { after, .. } => ServerEffect::CoolDown {
            after: attempt.worker.store().pace().of(retry::throttled(*after)),
        },
        PanelError::Auth(detail) => ServerEffect::AuthRefused {
            detail: detail.to_string(),
        },
        // A refusal with a status is an answer of the panel, not a conclusion of ours.
        PanelError::Rejected { detail, .. } if detail.status.is_some() => reached(attempt),
        PanelError::Rejected { .. } | PanelError::InDoubt(_) => ServerEffect::None,
    }
}

/// What is older than its kind may become gets no further attempt.
fn not_too_old(attempt: &Attempt<'_>, conclusion: Conclusion) -> Conclusion {
    let after = match &conclusion.outcome {
        Outcome::Retry { after } | Outcome::Later { after } | Outcome::LookAgain { after } => {
            *after
        }
        _ => return conclusion,
    };
    let due = attempt
        .now()
        .saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    if attempt.claimed.job.expires_at.is_none_or(|end| due <= end) {
        return conclusion;
    }
    let code = conclusion.error.as_ref().map(|error| error.code.clone());
    let outcome = match (&conclusion.outcome, attempt.doubt(), attempt.work()) {
        (Outcome::Retry { .. }, Doubt::None, Work::Untouched) => Outcome::Failed,
        _ => Outcome::Held {
            code: code.unwrap_or_else(|| "too_old".to_owned()),
        },
    };
    Conclusion {
        outcome,
        ..conclusion
    }
}

fn unfinished(outcome: Outcome, error: JobError) -> Conclusion {
    Conclusion {
        outcome,
        error: Some(error),
        effect: ServerEffect::None,
        secrets_spent: false,
    }
}

fn unsettled() -> PanelError {
    let what = "the change is not to be seen; its request may still be running on the panel";
    PanelError::InDoubt(Box::new(Detail::of(what)))
}

fn of_panel(error: &PanelError) -> JobError {
    JobError {
        class: error.class().to_owned(),
        code: error.code().to_owned(),
        message: error.to_string(),
        detail: serde_json::to_value(error.detail()).ok(),
    }
}

fn plain(class: &str, code: &str, why: impl Into<String>) -> JobError {
    JobError {
        class: class.to_owned(),
        code: code.to_owned(),
        message: why.into(),
        detail: None,
    }
}
