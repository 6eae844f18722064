//! Taking jobs in: the billing platform, and `Store::submit`.

use super::actions::Action;
use super::line::promote;
use super::state::{JobState, Kind, OVER, ROWS, Row, State};
use super::{Protocol, line};

/// The platform asks for its jobs one after the other, and repeats what it got no answer for. (Repeating
/// what was answered is the same to the ledger.)
pub fn possible(protocol: &Protocol, state: &State, actions: &mut Vec<Action>) {
    for (index, _) in protocol.plan.iter().enumerate() {
        let earlier_told = index == 0 || state.told[index - 1];
        if !earlier_told || state.told[index] {
            continue;
        }
        let job = index as u8;
        let known = state.rows.iter().any(|row| row.job == job);
        let makes_a_row = !known || !protocol.rules.one_row_a_key;
        if makes_a_row && state.rows.len() < ROWS {
            actions.push(Action::Submit(job));
        }
        if known || !protocol.rules.commit_before_202 {
            actions.push(Action::Told(job));
        }
    }
}

/// One transaction: the key, what is superseded, the row, the head (`Store::submit_in`).
pub fn submit(protocol: &Protocol, state: &mut State, job: u8) {
    let kind = protocol.plan[usize::from(job)];
    supersede(protocol, state, kind);
    state.rows.push(Row {
        job,
        state: JobState::Queued,
        open: true,
        ready: false,
        begun: false,
        lease: OVER,
        sent: None,
        doubt: None,
        looks: 0,
        tries: 0,
        deaths: 0,
        rung: false,
    });
    promote(protocol, state);
}

/// `line::supersede`: only what was never claimed is cancelled.
fn supersede(protocol: &Protocol, state: &mut State, by: Kind) {
    for index in 0..state.rows.len() {
        let kind = protocol.plan[usize::from(state.rows[index].job)];
        let overtaken = match by {
            Kind::Terminate => matches!(kind, Kind::Suspend | Kind::Unsuspend),
            Kind::Suspend => kind == Kind::Unsuspend,
            Kind::Unsuspend => kind == Kind::Suspend,
            Kind::Create => false,
        };
        let row = &state.rows[index];
        if overtaken && row.open && row.state == JobState::Queued && !row.begun {
            line::leave(state, index as u8, JobState::Cancelled);
        }
    }
    if matches!(by, Kind::Terminate | Kind::Create) {
        line::step_back(state);
    }
}
