//! The protocol of one account's jobs as a model, small enough to visit every state of it.
//!
//! Intake, ring, claim, look, intent, request, answer, finish, rescue and replay are the actions; clients,
//! workers and the panel may fail between any two of them. Each action says which function of Hostler it
//! stands for. The rules that Hostler's safety rests on are switches ([`Rules`]): with all of them on,
//! the invariants hold in every state; with one of them off, the checker finds the shortest way to break one.
//!
//! What is left out, on purpose: several accounts and servers (they share no rule of order; the gates only
//! delay), creates of several steps (each step repeats intent, request and answer), the due times of retries
//! (every moment from "at once" is tried instead), and failures of the database itself, which are a crash or
//! a lost answer to those who use it.

pub mod actions;
pub mod intake;
pub mod invariants;
pub mod line;
pub mod liveness;
pub mod panel;
pub mod state;
pub mod worker;

pub use state::{Kind, Rules, State};

use actions::Action;
use stateright::{Model, Property};

/// The rules, the jobs, and how often each fault may strike.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// What the billing platform asks for, in this order.
    pub plan: Vec<Kind>,
    /// Which of Hostler's rules hold.
    pub rules: Rules,
    /// Whether there is a doorbell at all. Without one (Redis gone for ever) only the timers wake workers.
    pub rings: bool,
    /// Most workers killed.
    pub crashes: u8,
    /// Most workers stopped (SIGSTOP, a paused machine) and continued at any later moment.
    pub stops: u8,
    /// Most replays by an operator.
    pub replays: u8,
    /// Most requests that the panel refuses, and most that it never gets.
    pub refusals: u8,
}

impl Protocol {
    /// The protocol as it is, for these jobs, without faults.
    #[must_use]
    pub fn of(plan: &[Kind]) -> Self {
        Self {
            plan: plan.to_vec(),
            rules: Rules::ALL,
            rings: true,
            crashes: 0,
            stops: 0,
            replays: 0,
            refusals: 0,
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions::possible(self, state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        actions::take(self, &mut next, action);
        if !self.rings {
            next.rows.iter_mut().for_each(|row| row.rung = false);
        }
        next.make_representative();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        invariants::ALL
            .iter()
            .map(|invariant| Property::<Self>::always(invariant.name, invariant.holds))
            .collect()
    }
}
