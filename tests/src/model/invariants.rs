//! What must hold in every state, by the numbers of the promises in `docs/reliability.md`.

use super::Protocol;
use super::state::{Account, DEADLINE, JobState, Kind, Row, State};

/// A promise that a single state can break.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// Its number and words.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: fn(&Protocol, &State) -> bool,
}

/// What was accepted is in the ledger. (That it also ends is [`is_at_rest`], for `liveness`.)
pub const NOTHING_LOST: &str = "1: no accepted job is lost";
/// However often it was asked for.
pub const ONE_ROW: &str = "2: one intake, one job";
/// Neither in the ledger nor on the wire.
pub const ONE_RUNNING: &str = "3: at most one running job per account";
/// And it is there when the job says so.
pub const ONE_ACCOUNT: &str = "4: a create makes at most one account";
/// An older job never takes effect after a newer one.
pub const ORDER: &str = "5: order per account is intake order";

/// All of them.
pub const ALL: [Invariant; 5] = [
    Invariant {
        name: NOTHING_LOST,
        holds: nothing_lost,
    },
    Invariant {
        name: ONE_ROW,
        holds: one_row,
    },
    Invariant {
        name: ONE_RUNNING,
        holds: one_running,
    },
    Invariant {
        name: ONE_ACCOUNT,
        holds: one_account,
    },
    Invariant {
        name: ORDER,
        holds: |_, state| !state.panel.disorder,
    },
];

fn nothing_lost(protocol: &Protocol, state: &State) -> bool {
    (0..protocol.plan.len())
        .all(|job| !state.told[job] || state.rows.iter().any(|row| usize::from(row.job) == job))
}

fn one_row(protocol: &Protocol, state: &State) -> bool {
    (0..protocol.plan.len()).all(|job| {
        let rows = state.rows.iter().filter(|row| usize::from(row.job) == job);
        rows.count() <= 1
    })
}

/// In the ledger: one row with a lease. On the wire: one changing call that the panel works on or whose
/// caller waits. A caller that was stopped past its deadline does not count: its job is in doubt by then.
fn one_running(_: &Protocol, state: &State) -> bool {
    let running = state
        .rows
        .iter()
        .filter(|row| row.state == JobState::Running);
    let overdue = |worker: u8| {
        let worker = &state.workers[usize::from(worker)];
        worker.attempt.is_none_or(|attempt| attempt.age > DEADLINE)
    };
    let calls = state.wire.iter().filter(|request| {
        request.progress == super::state::Progress::Working
            || request.waiter.is_some_and(|worker| !overdue(worker))
    });
    running.count() <= 1 && calls.count() <= 1
}

fn one_account(protocol: &Protocol, state: &State) -> bool {
    let made = state.rows.iter().any(|row| {
        row.state == JobState::Succeeded && protocol.plan[usize::from(row.job)] == Kind::Create
    });
    state.panel.made <= 1 && (!made || state.panel.made == 1)
}

/// Whether everything was accepted, and each job has ended, waits for a person, or waits behind one that
/// does (`Waiting::earlier_job`).
#[must_use]
pub fn is_at_rest(protocol: &Protocol, state: &State) -> bool {
    let accepted = state.told[..protocol.plan.len()].iter().all(|told| *told);
    let blocked = state.account == Account::Failed
        || state
            .rows
            .iter()
            .any(|row| row.open && row.state == JobState::Held);
    let rests = |row: &Row| match row.state {
        JobState::Queued => blocked && !row.ready,
        JobState::Running | JobState::Retrying => false,
        JobState::Held | JobState::Succeeded | JobState::Failed | JobState::Cancelled => true,
    };
    accepted && state.rows.iter().all(rests)
}
