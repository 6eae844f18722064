//! Everything that can happen next.

use super::state::{DEADLINE, Kind, OVER, PANEL, Progress, State, Step, older};
use super::{Protocol, intake, line, panel, worker};

/// What can happen. Workers and requests by their index, rows by their order of intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The platform asks (again) and the row is committed: `Store::submit`.
    Submit(u8),
    /// The platform gets its 202. An answer that is lost is this action never happening.
    Told(u8),
    /// The ring is used up or lost: `FLUSHALL`, a cap, a doorbell that is away.
    RingLost(u8),
    /// A worker wins the job: `Store::claim`, by a ring (however old, or doubled) or by `Store::pick`.
    Claim(u8, u8),
    /// It looks at the panel: `Handler::observe`.
    Look(u8),
    /// It commits that a request is about to leave: `Writer::intend`.
    Intend(u8),
    /// The request leaves: the rest of `Attempt::change`.
    Send(u8),
    /// The attempt's own time is over: the call's deadline and the executor's limit.
    TimeOut(u8),
    /// The outcome is written: `Writer::finish`.
    Finish(u8),
    /// `kill -9`, and the process is started again.
    Crash(u8),
    /// `SIGSTOP`.
    Stop(u8),
    /// `SIGCONT`.
    Continue(u8),
    /// A lease ended: `Store::rescue`.
    Rescue(u8),
    /// An operator re-opens a job: `Store::replay`, without force.
    Replay(u8),
    /// The request takes effect, its answer may be on the way.
    Apply(u8),
    /// The answer arrives.
    Answer(u8),
    /// The panel refuses.
    Refuse(u8),
    /// The request is never carried out, and nobody says so.
    Vanish(u8),
    /// The request was never sent, and that is known: connection refused.
    NotReached(u8),
    /// The connection breaks; the panel may still be working.
    Cut(u8),
    /// Time passes.
    Tick,
}

impl Action {
    /// Whether something has to go wrong for it. A run is fair when everything else happens sooner or later.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(
            self,
            Action::RingLost(_)
                | Action::Crash(_)
                | Action::Stop(_)
                | Action::Replay(_)
                | Action::Refuse(_)
                | Action::Vanish(_)
                | Action::NotReached(_)
                | Action::Cut(_)
        )
    }
}

/// What can happen in this state.
pub fn possible(protocol: &Protocol, state: &State, actions: &mut Vec<Action>) {
    intake::possible(protocol, state, actions);
    line::possible(protocol, state, actions);
    worker::possible(protocol, state, actions);
    panel::possible(state, actions);
    if time_may_pass(state) {
        actions.push(Action::Tick);
    }
}

/// Makes it happen.
pub fn take(protocol: &Protocol, state: &mut State, action: Action) {
    match action {
        Action::Submit(job) => intake::submit(protocol, state, job),
        Action::Told(job) => state.told[usize::from(job)] = true,
        Action::RingLost(row) => state.row_mut(row).rung = false,
        Action::Claim(worker, row) => worker::claim(state, worker, row),
        Action::Look(worker) => worker::look(protocol, state, worker),
        Action::Intend(worker) => worker::intend(protocol, state, worker),
        Action::Send(worker) => worker::send(protocol, state, worker),
        Action::TimeOut(worker) => worker::time_out(state, worker),
        Action::Finish(worker) => worker::finish(protocol, state, worker),
        Action::Crash(worker) => worker::crash(state, worker),
        Action::Stop(worker) => {
            state.left[1] -= 1;
            state.workers[usize::from(worker)].stopped = true;
        }
        Action::Continue(worker) => state.workers[usize::from(worker)].stopped = false,
        Action::Rescue(row) => line::rescue(protocol, state, row),
        Action::Replay(row) => line::replay(protocol, state, row),
        Action::Apply(request) => panel::apply(protocol, state, request),
        Action::Answer(request) => panel::answer(state, request),
        Action::Refuse(request) => panel::refuse(state, request),
        Action::Vanish(request) => panel::vanish(state, request),
        Action::NotReached(request) => panel::not_reached(state, request),
        Action::Cut(request) => panel::cut(state, request),
        Action::Tick => tick(state),
    }
}

/// A panel is done with a request in its time, and a worker that goes on ends its attempt in time.
fn time_may_pass(state: &State) -> bool {
    let panel_must_act = state
        .wire
        .iter()
        .any(|request| request.progress == Progress::Working && request.age >= PANEL);
    let worker_must_act = state.workers.iter().any(|worker| {
        !worker.stopped
            && worker.attempt.is_some_and(|attempt| {
                !matches!(attempt.step, Step::Ended(_)) && attempt.age >= DEADLINE
            })
    });
    !panel_must_act && !worker_must_act && something_ages(state)
}

fn something_ages(state: &State) -> bool {
    let mut later = state.clone();
    tick(&mut later);
    later != *state
}

fn tick(state: &mut State) {
    for row in &mut state.rows {
        row.lease = older(row.lease).min(OVER);
        row.sent = row.sent.map(older);
        row.doubt = row.doubt.map(older);
    }
    let attempts = state.workers.iter_mut();
    for attempt in attempts.filter_map(|worker| worker.attempt.as_mut()) {
        if let Step::Intended(late) = &mut attempt.step {
            *late = true;
        }
        if !matches!(attempt.step, Step::Ended(_)) {
            attempt.age = older(attempt.age).min(OVER);
        }
    }
    for request in &mut state.wire {
        if request.progress == Progress::Working {
            request.age = older(request.age);
        }
    }
}

/// Whether the panel is as a job of that kind wants it.
#[must_use]
pub fn as_wanted(state: &State, kind: Kind) -> bool {
    let there = state.panel.there > 0;
    match kind {
        Kind::Create => there,
        Kind::Suspend => there && state.panel.suspended,
        Kind::Unsuspend => there && !state.panel.suspended,
        Kind::Terminate => !there,
    }
}
