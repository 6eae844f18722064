//! The panel, and the network before it: what can become of a request.

use super::Protocol;
use super::actions::Action;
use super::state::{End, Kind, Progress, State, Step};

/// What can happen to what is on the wire.
pub fn possible(state: &State, actions: &mut Vec<Action>) {
    for (index, request) in state.wire.iter().enumerate() {
        let index = index as u8;
        let heard = request
            .waiter
            .is_some_and(|worker| !state.workers[usize::from(worker)].stopped);
        if request.progress == Progress::Working {
            actions.push(Action::Apply(index));
            actions.push(Action::Vanish(index));
        }
        if request.progress == Progress::Applied && heard {
            actions.push(Action::Answer(index));
        }
        if heard {
            actions.push(Action::Cut(index));
        }
        if request.progress == Progress::Working && heard && state.left[3] > 0 {
            actions.push(Action::Refuse(index));
            actions.push(Action::NotReached(index));
        }
    }
}

/// The request takes effect; also when nobody waits for its answer any more.
pub fn apply(protocol: &Protocol, state: &mut State, request: u8) {
    let index = usize::from(request);
    let row = state.wire[index].row;
    let job = state.row(row).job;
    let panel = &mut state.panel;
    match protocol.plan[usize::from(job)] {
        Kind::Create => {
            panel.made = (panel.made + 1).min(2);
            panel.there = (panel.there + 1).min(2);
        }
        Kind::Suspend => panel.suspended = panel.there > 0,
        Kind::Unsuspend => panel.suspended = false,
        Kind::Terminate => (panel.there, panel.suspended) = (0, false),
    }
    panel.disorder |= job + 1 < panel.newest;
    panel.newest = panel.newest.max(job + 1);
    end(state, request, Progress::Applied);
    forget(state, request);
}

/// The answer says that it was done.
pub fn answer(state: &mut State, request: u8) {
    tell(state, request, End::Done);
    forget(state, request);
}

/// The answer says that it was not, and never will be.
pub fn refuse(state: &mut State, request: u8) {
    state.left[3] -= 1;
    end(state, request, Progress::Gone);
    tell(state, request, End::Refused);
    forget(state, request);
}

/// It got lost on its way. Whoever waits does so until its own time is over.
pub fn vanish(state: &mut State, request: u8) {
    end(state, request, Progress::Gone);
    forget(state, request);
}

/// Nothing could be sent.
pub fn not_reached(state: &mut State, request: u8) {
    state.left[3] -= 1;
    end(state, request, Progress::Gone);
    tell(state, request, End::NotSent);
    forget(state, request);
}

/// The connection breaks: the outcome is unknown.
pub fn cut(state: &mut State, request: u8) {
    tell(state, request, End::Unknown);
    forget(state, request);
}

/// Nothing more will become of it, however long somebody waits.
fn end(state: &mut State, request: u8, progress: Progress) {
    let it = &mut state.wire[usize::from(request)];
    (it.progress, it.age) = (progress, 0);
}

/// The one who waits learns something, and waits no more.
fn tell(state: &mut State, request: u8, end: End) {
    let Some(worker) = state.wire[usize::from(request)].waiter.take() else {
        return;
    };
    if let Some(attempt) = &mut state.workers[usize::from(worker)].attempt {
        (attempt.step, attempt.age) = (Step::Ended(end), 0);
    }
}

/// A request that has an end, and for which nobody waits, is over.
fn forget(state: &mut State, request: u8) {
    let it = state.wire[usize::from(request)];
    if it.waiter.is_none() && it.progress != Progress::Working {
        state.wire.remove(usize::from(request));
    }
}
