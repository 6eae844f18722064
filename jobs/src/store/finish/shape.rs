//! What an outcome makes of its job. Pure.

use serde_json::Value;

use super::{Finish, Held, Outcome};
use crate::faults::Bug;
use crate::{JobKind, JobState};

/// After so many worker deaths a job is parked.
pub(crate) const POISON_AFTER: i32 = 3;

/// Rows that one UPDATE can write. Ordered so that those that leave the line come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) stays: bool,
    pub(super) state: JobState,
    pub(super) leaves_line: bool,
}

pub(super) fn shape(row: &Held, finish: &Finish) -> Shape {
    let state = match &finish.outcome {
        Outcome::Succeeded { .. } => JobState::Succeeded,
        Outcome::Failed => JobState::Failed,
        Outcome::Held { .. } => JobState::Held,
        Outcome::Died if is_poison(row, finish) => JobState::Held,
        Outcome::Retry { .. }
        | Outcome::Later { .. }
        | Outcome::LookAgain { .. }
        | Outcome::Returned
        | Outcome::Died => JobState::Retrying,
    };
    // A create that is held, and anything in doubt, keeps what is behind it waiting.
    let blocks = row.kind == JobKind::Create.name() || finish.in_doubt;
    let leaves_line = match state {
        JobState::Succeeded | JobState::Failed => true,
        JobState::Held => !blocks,
        _ => false,
    };
    Shape {
        stays: !leaves_line,
        state,
        leaves_line,
    }
}

pub(super) fn tries(row: &Held, finish: &Finish) -> i32 {
    match finish.outcome {
        // A change that left used its try, whatever became of it; a look alone uses none.
        Outcome::LookAgain { .. } if row.sent_at.is_some() => row.tries + 1,
        Outcome::Later { .. } | Outcome::LookAgain { .. } | Outcome::Returned | Outcome::Died => {
            row.tries
        }
        _ => row.tries + 1,
    }
}

pub(super) fn looks(row: &Held, finish: &Finish) -> i32 {
    match finish.outcome {
        // A change sent in this attempt starts its own series of looks.
        Outcome::LookAgain { .. } if row.sent_at.is_some() => 1,
        Outcome::LookAgain { .. } => row.looks + 1,
        _ if finish.in_doubt => row.looks,
        _ => 0,
    }
}

pub(super) fn deaths(row: &Held, finish: &Finish) -> i32 {
    row.worker_deaths + i32::from(finish.outcome == Outcome::Died)
}

pub(super) fn is_poison(row: &Held, finish: &Finish) -> bool {
    deaths(row, finish) >= POISON_AFTER && !Bug::NeverParked.is_on()
}

pub(super) fn doubt(row: &Held, finish: &Finish, now: i64) -> Option<i64> {
    // A change sent in this attempt restarts the settle time: it is the one that may still be running.
    finish
        .in_doubt
        .then(|| row.sent_at.or(row.doubt_since).unwrap_or(now))
}

pub(super) fn hold_code(row: &Held, finish: &Finish) -> Option<String> {
    match &finish.outcome {
        Outcome::Held { code } => Some(cut(code, 64)),
        Outcome::Died if is_poison(row, finish) => Some("poison".to_owned()),
        _ => None,
    }
}

pub(super) fn result(finish: &Finish) -> Option<String> {
    match &finish.outcome {
        Outcome::Succeeded { result, .. } => result.as_ref().map(Value::to_string),
        _ => None,
    }
}

pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
