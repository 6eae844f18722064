//! Replaying and cancelling jobs: one, or all that a filter finds.

use entity::job;
use jobs::faults::Point;
use jobs::queue::Doorbell;
use jobs::store::{Cancelled, JobFilter, Replayed, STRIPPED, Store};

use crate::Problem;
use crate::caller::{Caller, Scope};

/// Most jobs that one call replays or cancels.
pub const MOST: u64 = 1000;

/// What is done to jobs.
#[derive(Debug, Clone)]
pub enum Action {
    /// Re-open them.
    Replay {
        /// Also those that a newer job has overtaken.
        force: bool,
        /// Why, for the history.
        reason: String,
    },
    /// Take them back.
    Cancel {
        /// Why, for the history.
        reason: Option<String>,
    },
}

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its public id.
    pub id: String,
    /// Why not; `None` = done (or would be).
    pub refused: Option<String>,
}

/// Whether the caller may act on that job: an operator on all, others on their own jobs of kinds that
/// they could ask for.
#[must_use]
pub fn may_act_on(caller: &Caller, row: &job::Model) -> bool {
    let scope = row.kind.parse().ok().and_then(Scope::of_kind);
    caller.sees_all()
        || (row.platform_id == caller.platform_id && scope.is_some_and(|scope| caller.may(scope)))
}

/// Does it, in the given order, and rings what became claimable.
///
/// # Errors
/// 403 when force is wanted without the scope `operate`; the ledger's.
pub async fn act(
    store: &Store,
    doorbell: &Doorbell,
    caller: &Caller,
    rows: &[job::Model],
    action: &Action,
) -> Result<Vec<Done>, Problem> {
    may_force(caller, action)?;
    let mut done = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(why) = out_of_reach(caller, row, action) {
            done.push(refused(row, why));
            continue;
        }
        let (why, rings) = match action {
            Action::Replay { force, reason } => {
                let (what, rings) = store.replay(row.id, &caller.actor, reason, *force).await?;
                Point::Replayed.reach(row);
                (why_not_replayed(what), rings)
            }
            Action::Cancel { reason } => {
                let (what, rings) = store
                    .cancel(row.id, &caller.actor, reason.as_deref())
                    .await?;
                Point::Cancelled.reach(row);
                let why = match what {
                    Cancelled::Done => None,
                    Cancelled::Refused(why) => Some(why),
                };
                if why.is_none() {
                    doorbell.announce(&[row.id]).await;
                }
                (why, rings)
            }
        };
        doorbell.ring(&rings).await;
        done.push(Done {
            id: row.public_id.clone(),
            refused: why,
        });
    }
    Ok(done)
}

/// What [`act`] would do now, without doing it.
///
/// # Errors
/// As [`act`].
pub async fn would(
    store: &Store,
    caller: &Caller,
    rows: &[job::Model],
    action: &Action,
) -> Result<Vec<Done>, Problem> {
    may_force(caller, action)?;
    let mut done = Vec::with_capacity(rows.len());
    for row in rows {
        let why = match (out_of_reach(caller, row, action), action) {
            (Some(why), _) => Some(why),
            (None, Action::Replay { force, .. }) => {
                why_not_replayed(store.replay_would(row, *force).await?)
            }
            (None, Action::Cancel { .. }) => why_not_cancelled(row),
        };
        done.push(Done {
            id: row.public_id.clone(),
            refused: why,
        });
    }
    Ok(done)
}

/// The jobs that a filter finds, oldest first (the order in which their accounts' lines want them), and
/// whether there are more than [`MOST`].
///
/// # Errors
/// The ledger's.
pub async fn found(
    store: &Store,
    mut filter: JobFilter,
) -> Result<(Vec<job::Model>, bool), Problem> {
    filter.limit = MOST + 1;
    let mut rows = store.jobs(&filter).await?;
    rows.reverse();
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    Ok((rows, more))
}

fn may_force(caller: &Caller, action: &Action) -> Result<(), Problem> {
    match action {
        Action::Replay { force: true, .. } => caller.need(Scope::Operate),
        Action::Replay { .. } | Action::Cancel { .. } => Ok(()),
    }
}

fn out_of_reach(caller: &Caller, row: &job::Model, action: &Action) -> Option<String> {
    if !may_act_on(caller, row) {
        return Some("the token does not allow jobs of this kind".to_owned());
    }
    if matches!(action, Action::Replay { .. }) && row.payload == STRIPPED {
        return Some("its contents are past their retention".to_owned());
    }
    None
}

fn why_not_replayed(what: Replayed) -> Option<String> {
    match what {
        Replayed::Reopened => None,
        Replayed::Refused(why) => Some(why),
    }
}

fn why_not_cancelled(row: &job::Model) -> Option<String> {
    let state: Option<jobs::JobState> = row.state.parse().ok();
    match state.and_then(|state| jobs::next(state, jobs::Event::Cancel)) {
        Some(_) => None,
        None => Some(format!("it is {}", row.state)),
    }
}

fn refused(row: &job::Model, why: String) -> Done {
    Done {
        id: row.public_id.clone(),
        refused: Some(why),
    }
}
