//! A worker's attempt: `worker/src/{executor,attempt,conclude}.rs` and `jobs/src/store/{claim,finish}.rs`.

use super::Protocol;
use super::actions::{Action, as_wanted};
use super::line::{leave, outdate_claims, promote};
use super::state::{
    Account, Attempt, DEADLINE, End, JobState, Kind, OVER, Progress, Request, SETTLE, State, Step,
    TRIES, Worker,
};

/// Looks that must have found the change absent (`doubt::AGREEING_LOOKS`).
const AGREEING_LOOKS: u8 = 2;

/// What each worker can do next.
pub fn possible(protocol: &Protocol, state: &State, actions: &mut Vec<Action>) {
    for (index, worker) in state.workers.iter().enumerate() {
        let index = index as u8;
        if worker.stopped {
            actions.push(Action::Continue(index));
            continue;
        }
        let Some(attempt) = worker.attempt else {
            claims(protocol, state, index, actions);
            continue;
        };
        actions.extend(match attempt.step {
            Step::Claimed => Some(Action::Look(index)),
            Step::ToDo => Some(Action::Intend(index)),
            Step::Intended(_) => Some(Action::Send(index)),
            Step::Waiting => None,
            Step::Ended(_) => Some(Action::Finish(index)),
        });
        if !matches!(attempt.step, Step::Ended(_)) && attempt.age >= DEADLINE {
            actions.push(Action::TimeOut(index));
        }
        if state.left[0] > 0 {
            actions.push(Action::Crash(index));
        }
        if state.left[1] > 0 {
            actions.push(Action::Stop(index));
        }
    }
}

fn claims(protocol: &Protocol, state: &State, worker: u8, actions: &mut Vec<Action>) {
    // Of two idle workers it does not matter which.
    let other = &state.workers[1 - usize::from(worker)];
    if worker == 1 && other.attempt.is_none() && !other.stopped {
        return;
    }
    for (index, row) in state.rows.iter().enumerate() {
        let claimable = matches!(row.state, JobState::Queued | JobState::Retrying);
        if claimable && row.ready && (row.rung || protocol.rules.poll) {
            actions.push(Action::Claim(worker, index as u8));
        }
    }
}

/// One compare-and-set under the gate's lock.
pub fn claim(state: &mut State, worker: u8, row: u8) {
    outdate_claims(state, row);
    let won = state.row_mut(row);
    won.state = JobState::Running;
    won.ready = false;
    won.begun = true;
    won.lease = 0;
    won.sent = None;
    let attempt = Attempt {
        row,
        current: true,
        age: 0,
        doubt: won.doubt.map(|since| (since, won.looks)),
        step: Step::Claimed,
    };
    state.workers[usize::from(worker)].attempt = Some(attempt);
}

/// Changes an attempt.
fn at(state: &mut State, worker: u8, write: impl FnOnce(&mut Attempt)) {
    if let Some(attempt) = &mut state.workers[usize::from(worker)].attempt {
        write(attempt);
    }
}

/// The attempt of a worker that has one.
fn of(state: &State, worker: u8) -> Option<Attempt> {
    state.workers[usize::from(worker)].attempt
}

/// As wanted = done. Else it may be done, unless an earlier request may still be at it.
pub fn look(protocol: &Protocol, state: &mut State, worker: u8) {
    let Some(attempt) = of(state, worker) else {
        return;
    };
    let kind = protocol.plan[usize::from(state.row(attempt.row).job)];
    let gone = state.panel.there == 0 && matches!(kind, Kind::Suspend | Kind::Unsuspend);
    let step = if as_wanted(state, kind) && protocol.rules.look_first {
        Step::Ended(End::Done)
    } else if !is_settled(protocol, attempt) {
        Step::Ended(End::Unknown)
    } else if gone {
        Step::Ended(End::Refused)
    } else {
        Step::ToDo
    };
    at(state, worker, |attempt| {
        attempt.step = step;
        // From here on it only matters whether something is in doubt.
        attempt.doubt = match step {
            Step::Ended(End::Unknown) => Some((0, 0)),
            _ => None,
        };
    });
    over(state, worker);
}

/// An attempt that only has to be written is as old as any other.
fn over(state: &mut State, worker: u8) {
    at(state, worker, |attempt| {
        if matches!(attempt.step, Step::Ended(_)) {
            attempt.age = 0;
        }
    });
}

/// `doubt::after_absent`.
fn is_settled(protocol: &Protocol, attempt: Attempt) -> bool {
    let rules = protocol.rules;
    attempt.doubt.is_none_or(|(since, looks)| {
        !rules.look_first || (looks >= AGREEING_LOOKS && (since >= SETTLE || !rules.settle))
    })
}

/// Whether the ledger takes a write of this attempt.
fn is_valid(protocol: &Protocol, state: &State, attempt: Attempt) -> bool {
    let running = state.row(attempt.row).state == JobState::Running;
    running && (attempt.current || !protocol.rules.fence)
}

/// The intent. When the claim is lost the attempt is over and nothing was sent.
pub fn intend(protocol: &Protocol, state: &mut State, worker: u8) {
    let Some(attempt) = of(state, worker) else {
        return;
    };
    if is_valid(protocol, state, attempt) {
        state.row_mut(attempt.row).sent = Some(0);
        at(state, worker, |attempt| {
            attempt.step = Step::Intended(false);
        });
    } else {
        state.workers[usize::from(worker)].attempt = None;
    }
}

/// The request leaves in the moment of its intent, or never: a process that was stopped in between does not
/// know what has happened since. (That it is stopped within the last microseconds remains.)
pub fn send(protocol: &Protocol, state: &mut State, worker: u8) {
    let Some(attempt) = of(state, worker) else {
        return;
    };
    let late = attempt.step != Step::Intended(false);
    if late && protocol.rules.send_at_once {
        at(state, worker, |attempt| {
            attempt.step = Step::Ended(End::NotSent);
        });
        return over(state, worker);
    }
    state.wire.push(Request {
        row: attempt.row,
        waiter: Some(worker),
        age: 0,
        progress: Progress::Working,
    });
    at(state, worker, |attempt| attempt.step = Step::Waiting);
}

/// The attempt ends itself; a connection on which it waits is closed.
pub fn time_out(state: &mut State, worker: u8) {
    let Some(attempt) = of(state, worker) else {
        return;
    };
    let end = if attempt.step == Step::Waiting {
        End::Unknown
    } else {
        End::NotSent
    };
    hang_up(state, worker);
    at(state, worker, |attempt| attempt.step = Step::Ended(end));
    over(state, worker);
}

/// A dead process waits for nothing; what it had sent goes on.
pub fn crash(state: &mut State, worker: u8) {
    state.left[0] -= 1;
    hang_up(state, worker);
    state.workers[usize::from(worker)] = Worker {
        stopped: false,
        attempt: None,
    };
}

fn hang_up(state: &mut State, worker: u8) {
    for request in &mut state.wire {
        if request.waiter == Some(worker) {
            request.waiter = None;
        }
    }
    state
        .wire
        .retain(|request| request.waiter.is_some() || request.progress == Progress::Working);
}

/// The outcome, and with it the account's state and the next head, in one transaction.
pub fn finish(protocol: &Protocol, state: &mut State, worker: u8) {
    let Some(attempt) = of(state, worker) else {
        return;
    };
    state.workers[usize::from(worker)].attempt = None;
    let Step::Ended(end) = attempt.step else {
        return;
    };
    if !is_valid(protocol, state, attempt) {
        return;
    }
    let kind = protocol.plan[usize::from(state.row(attempt.row).job)];
    state.row_mut(attempt.row).lease = OVER;
    match end {
        End::Done => settle(state, attempt.row, JobState::Succeeded, kind),
        End::Refused => settle(state, attempt.row, JobState::Failed, kind),
        End::NotSent => again(state, attempt),
        End::Unknown => look_again(state, attempt),
    }
    promote(protocol, state);
}

fn settle(state: &mut State, row: u8, into: JobState, kind: Kind) {
    let ended = state.row_mut(row);
    (ended.sent, ended.doubt, ended.looks) = (None, None, 0);
    leave(state, row, into);
    state.account = match (kind, into) {
        (Kind::Create, JobState::Succeeded) => Account::There,
        (Kind::Create, _) => Account::Failed,
        (Kind::Terminate, JobState::Succeeded) => Account::Gone,
        _ => state.account,
    };
}

/// Nothing was sent in this attempt; what was in doubt before still is.
fn again(state: &mut State, attempt: Attempt) {
    let row = state.row_mut(attempt.row);
    row.sent = None;
    if attempt.doubt.is_none() {
        (row.doubt, row.looks) = (None, 0);
    }
    row.state = JobState::Retrying;
    row.ready = true;
    row.rung = true;
}

/// `Outcome::LookAgain`, or held when no tries are left; either way the line waits.
fn look_again(state: &mut State, attempt: Attempt) {
    let row = state.row_mut(attempt.row);
    let no_tries_left = row.tries + 1 >= TRIES;
    if let Some(sent) = row.sent.take() {
        row.tries = (row.tries + 1).min(TRIES);
        (row.doubt, row.looks) = (Some(sent), 1);
    } else {
        row.looks = (row.looks + 1).min(AGREEING_LOOKS);
    }
    if no_tries_left {
        row.state = JobState::Held;
        row.ready = false;
    } else {
        row.state = JobState::Retrying;
        row.ready = true;
        row.rung = true;
    }
}
