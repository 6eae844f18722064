//! The account's line, and what time and operators do to it: `jobs/src/store/{line,rescue,operate}.rs`.

use super::Protocol;
use super::actions::Action;
use super::state::{Account, DEATHS, JobState, Kind, LEASE, OVER, State};

/// Rings that get lost, leases that ended, jobs that can be re-opened.
pub fn possible(protocol: &Protocol, state: &State, actions: &mut Vec<Action>) {
    for (index, row) in state.rows.iter().enumerate() {
        let index = index as u8;
        if row.rung {
            actions.push(Action::RingLost(index));
        }
        if row.state == JobState::Running && lease_is_over(protocol, row.lease) {
            actions.push(Action::Rescue(index));
        }
        if state.left[2] > 0 && may_be_replayed(state, index) {
            actions.push(Action::Replay(index));
        }
    }
}

/// `lease_until < now`: the attempt has had its deadline, and more.
fn lease_is_over(protocol: &Protocol, age: u8) -> bool {
    age > LEASE || !protocol.rules.rescue_after_deadline
}

/// `operate::refusal` without force: not when a newer job has begun and has not come to nothing.
fn may_be_replayed(state: &State, row: u8) -> bool {
    let re_opens =
        |job: JobState| matches!(job, JobState::Held | JobState::Failed | JobState::Cancelled);
    let newer = &state.rows[usize::from(row) + 1..];
    let overtaken = newer
        .iter()
        .any(|newer| newer.begun && !matches!(newer.state, JobState::Failed | JobState::Cancelled));
    re_opens(state.row(row).state) && !overtaken
}

/// `Store::rescue_in`: the fence grows at once; what may have been sent is in doubt from the moment of its
/// intent. The third death parks the job, which leaves its line in the same transaction unless it is a create
/// or in doubt.
pub fn rescue(protocol: &Protocol, state: &mut State, row: u8) {
    outdate_claims(state, row);
    let kind = protocol.plan[usize::from(state.row(row).job)];
    let taken = state.row_mut(row);
    taken.lease = OVER;
    taken.deaths += 1;
    if taken.sent.is_some() {
        taken.doubt = taken.sent.take();
        taken.looks = 0;
    }
    if taken.deaths < DEATHS {
        taken.state = JobState::Retrying;
        taken.ready = true;
        taken.rung = true;
        return;
    }
    taken.state = JobState::Held;
    if taken.doubt.is_none() && kind != Kind::Create {
        leave(state, row, JobState::Held);
        promote(protocol, state);
    }
}

/// Whoever had this row has an old fence now.
pub fn outdate_claims(state: &mut State, row: u8) {
    for worker in &mut state.workers {
        if let Some(attempt) = &mut worker.attempt
            && attempt.row == row
        {
            attempt.current = false;
        }
    }
}

/// `operate::reopen`: the same row, its old place in the line.
pub fn replay(protocol: &Protocol, state: &mut State, row: u8) {
    state.left[2] -= 1;
    step_back(state);
    if let Some(head) = state.head
        && head > row
        && state.row(head).state == JobState::Queued
        && !state.row(head).begun
    {
        state.row_mut(head).ready = false;
        state.head = None;
    }
    if state.head == Some(row) {
        state.head = None;
    }
    let again = state.row_mut(row);
    again.state = JobState::Queued;
    again.open = true;
    again.ready = false;
    (again.looks, again.tries, again.deaths) = (0, 0, 0);
    promote(protocol, state);
}

/// The job ends (or is parked) outside of the line.
pub fn leave(state: &mut State, row: u8, into: JobState) {
    let left = state.row_mut(row);
    left.state = into;
    left.open = false;
    left.ready = false;
    left.rung = false;
    (left.looks, left.tries, left.deaths) = (0, 0, 0);
    if state.head == Some(row) {
        state.head = None;
    }
}

/// `line::step_back`: a head that may not run gives its place up.
pub fn step_back(state: &mut State) {
    if let Some(head) = state.head {
        let row = state.row(head);
        if row.state == JobState::Queued && !row.ready {
            state.head = None;
        }
    }
}

/// `line::promote`: a line with jobs and no head gets one. It is the oldest; in the line of an account that
/// was not made, a create or a terminate goes before.
pub fn promote(protocol: &Protocol, state: &mut State) {
    if !protocol.rules.line {
        return everyone_is_a_head(state);
    }
    if state.head.is_some() {
        return;
    }
    let open = |way_out: bool| {
        state.rows.iter().position(|row| {
            let kind = protocol.plan[usize::from(row.job)];
            row.open && (!way_out || is_way_out(kind))
        })
    };
    let unmade = matches!(state.account, Account::Asked | Account::Failed);
    let head = if unmade {
        open(true).or_else(|| open(false))
    } else {
        open(false)
    };
    let Some(head) = head.map(|index| index as u8) else {
        return;
    };
    state.head = Some(head);
    let kind = protocol.plan[usize::from(state.row(head).job)];
    let may_run = state.account != Account::Failed || is_way_out(kind);
    let row = state.row_mut(head);
    if row.state != JobState::Held && may_run {
        row.ready = true;
        row.rung = true;
    }
}

fn is_way_out(kind: Kind) -> bool {
    matches!(kind, Kind::Create | Kind::Terminate)
}

/// Without the rule of the line.
fn everyone_is_a_head(state: &mut State) {
    for row in &mut state.rows {
        if row.open && matches!(row.state, JobState::Queued | JobState::Retrying) {
            row.ready = true;
            row.rung = true;
        }
    }
}
