//! A second way through the states, besides stateright's: strictly breadth first, so that what it finds is
//! the shortest, and with the graph kept, so that it can be walked backwards.
//!
//! Backwards from rest it tells invariant 1's "each accepted job ends": where rest can be reached from every
//! state that faults can lead to, by what happens anyway, a run in which nothing is put off for ever comes
//! to rest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use stateright::Model;

use super::actions::Action;
use super::invariants::{ALL, is_at_rest};
use super::{Protocol, State};

/// What the search found.
#[derive(Debug)]
pub struct Found {
    /// States visited: all that there are.
    pub states: usize,
    /// States in which everything rests.
    pub at_rest: usize,
    /// The shortest way to a state from which rest cannot be reached any more, if there is one.
    pub stuck: Option<Vec<Action>>,
}

/// Visits every state, breadth first, then walks backwards from rest.
#[must_use]
pub fn search(protocol: &Protocol) -> Found {
    let (mut graph, _) = Graph::until(protocol, |_| false);
    let at_rest: Vec<usize> = (0..graph.rests.len())
        .filter(|&at| graph.rests[at])
        .collect();
    let mut saved = graph.rests.clone();
    let mut pending = at_rest.clone();
    while let Some(at) = pending.pop() {
        for before in std::mem::take(&mut graph.before[at]) {
            if !std::mem::replace(&mut saved[before], true) {
                pending.push(before);
            }
        }
    }
    Found {
        states: saved.len(),
        at_rest: at_rest.len(),
        stuck: saved
            .iter()
            .position(|saved| !saved)
            .map(|at| graph.way_to(at)),
    }
}

/// The shortest way to break that invariant.
#[must_use]
pub fn shortest_break(protocol: &Protocol, invariant: &str) -> Option<Vec<Action>> {
    let holds = ALL.iter().find(|known| known.name == invariant)?.holds;
    let (graph, broken) = Graph::until(protocol, |state| !holds(protocol, state));
    broken.map(|at| graph.way_to(at))
}

#[derive(Default)]
struct Graph {
    /// By what a state was reached first, and from where.
    came: Vec<Option<(usize, Action)>>,
    /// From where it is reached without a fault.
    before: Vec<Vec<usize>>,
    rests: Vec<bool>,
}

impl Graph {
    /// All states, or those up to the first of which `found` is true.
    fn until(protocol: &Protocol, found: impl Fn(&State) -> bool) -> (Self, Option<usize>) {
        let mut graph = Self::default();
        let mut known: HashMap<State, usize> = HashMap::new();
        let mut layer: Vec<(usize, State)> = Vec::new();
        for state in protocol.init_states() {
            known.insert(state.clone(), graph.add(protocol, &state, None));
            layer.push((graph.came.len() - 1, state));
        }
        while !layer.is_empty() {
            let mut next = Vec::new();
            for (at, state) in layer {
                for (action, after) in protocol.next_steps(&state) {
                    let to = match known.entry(after) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(new) => {
                            let to = graph.add(protocol, new.key(), Some((at, action)));
                            if found(new.key()) {
                                return (graph, Some(to));
                            }
                            next.push((to, new.key().clone()));
                            *new.insert(to)
                        }
                    };
                    if !action.is_fault() {
                        graph.before[to].push(at);
                    }
                }
            }
            layer = next;
        }
        (graph, None)
    }

    fn add(&mut self, protocol: &Protocol, state: &State, came: Option<(usize, Action)>) -> usize {
        self.came.push(came);
        self.before.push(Vec::new());
        self.rests.push(is_at_rest(protocol, state));
        self.came.len() - 1
    }

    fn way_to(&self, mut at: usize) -> Vec<Action> {
        let mut way = Vec::new();
        while let Some((from, action)) = self.came[at] {
            way.push(action);
            at = from;
        }
        way.reverse();
        way
    }
}
