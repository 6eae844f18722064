//! Which fault strikes which call.

use std::sync::Mutex;

use serde::Serialize;

use super::{Applied, Fault, Scope};
use crate::chance::Chance;
use crate::ledger::lock;

/// Names a fault that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct FaultId(u64);

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fired {
    /// Which fault.
    pub id: FaultId,
    /// The call that it struck.
    pub call: String,
    /// The account that the call named.
    pub username: Option<String>,
    /// The reply's short name, see [`crate::Reply::name`].
    pub fault: String,
    /// Whether the call took effect.
    pub applied: Applied,
    /// The request's ordinal, as in [`crate::RequestSeen`]; 0 for a fault of the connection.
    pub request: u64,
    /// When, in ms by the panel's clock.
    pub at_ms: i64,
}

/// Faults, to be added and removed while the panel runs. The first one that matches a call strikes.
#[derive(Debug)]
pub struct Switchboard {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    armed: Vec<Armed>,
    fired: Vec<Fired>,
    next_id: u64,
    chance: Chance,
}

#[derive(Debug)]
struct Armed {
    id: FaultId,
    fault: Fault,
    matched: u64,
    struck: u64,
}

/// The call for which a fault is looked for.
pub(crate) struct Candidate<'a> {
    pub(crate) call: &'a str,
    pub(crate) username: Option<&'a str>,
    pub(crate) changes: bool,
    pub(crate) request: u64,
    pub(crate) at_ms: i64,
}

/// The candidate of a request.
pub(crate) fn candidate(call: &crate::panel::Call, request: u64, at_ms: i64) -> Candidate<'_> {
    Candidate {
        call: &call.name,
        username: call.username.as_deref(),
        changes: call.changes,
        request,
        at_ms,
    }
}

impl Switchboard {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            armed: Vec::new(),
            fired: Vec::new(),
            next_id: 1,
            chance: Chance::for_name(seed, "faults"),
        };
        Switchboard {
            inner: Mutex::new(inner),
        }
    }

    /// Adds a fault behind those that are there.
    pub fn add(&self, fault: Fault) -> FaultId {
        let mut inner = lock(&self.inner);
        let id = FaultId(inner.next_id);
        inner.next_id += 1;
        inner.armed.push(Armed {
            id,
            fault,
            matched: 0,
            struck: 0,
        });
        id
    }

    /// Removes a fault; false when it was not there any more.
    pub fn remove(&self, id: FaultId) -> bool {
        let mut inner = lock(&self.inner);
        let before = inner.armed.len();
        inner.armed.retain(|armed| armed.id != id);
        inner.armed.len() < before
    }

    /// Removes all faults. What has fired stays listed.
    pub fn clear(&self) {
        lock(&self.inner).armed.clear();
    }

    /// How many faults can still strike.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let inner = lock(&self.inner);
        inner.armed.iter().filter(|armed| !armed.used_up()).count()
    }

    /// What struck so far, in order.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        lock(&self.inner).fired.clone()
    }

    /// The fault that strikes this call, if any. Every fault that matches counts the call, also behind the one that
    /// strikes.
    pub(crate) fn strike(&self, candidate: &Candidate<'_>) -> Option<Fault> {
        let mut inner = lock(&self.inner);
        let Inner {
            armed,
            fired,
            chance,
            ..
        } = &mut *inner;
        let mut chosen: Option<Fault> = None;
        for armed in armed.iter_mut().filter(|armed| armed.matches(candidate)) {
            armed.matched += 1;
            let due = chosen.is_none() && !armed.used_up() && armed.matched >= armed.fault.nth;
            if due && armed.fault.chance.is_none_or(|share| chance.unit() < share) {
                armed.struck += 1;
                fired.push(Fired {
                    id: armed.id,
                    call: candidate.call.to_owned(),
                    username: candidate.username.map(str::to_owned),
                    fault: armed.fault.reply.name().to_owned(),
                    applied: armed.fault.applied,
                    request: candidate.request,
                    at_ms: candidate.at_ms,
                });
                chosen = Some(armed.fault.clone());
            }
        }
        chosen
    }
}

impl Armed {
    fn used_up(&self) -> bool {
        self.fault.count > 0 && self.struck >= self.fault.count
    }

    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let fault = &self.fault;
        // "*" is every call, but not the connection itself.
        let call = if candidate.call == "connect" {
            fault.call == "connect"
        } else {
            fault.call == "*" || fault.call.eq_ignore_ascii_case(candidate.call)
        };
        let user = fault.username.as_deref().is_none_or(|wanted| {
            candidate
                .username
                .is_some_and(|named| named.eq_ignore_ascii_case(wanted))
        });
        let scope = match fault.only {
            Scope::Any => true,
            Scope::Read => !candidate.changes,
            Scope::Change => candidate.changes,
        };
        call && user && scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reply;

    fn call<'a>(name: &'a str, username: Option<&'a str>) -> Candidate<'a> {
        Candidate {
            call: name,
            username,
            changes: name == "createacct",
            request: 1,
            at_ms: 0,
        }
    }

    #[test]
    fn a_fault_strikes_the_nth_matching_call_as_often_as_it_says() {
        let board = Switchboard::new(1);
        board.add(Fault::on("createacct").nth(2).times(2).reply(Reply::Reset));
        let struck: Vec<bool> = (0..5)
            .map(|_| board.strike(&call("createacct", None)).is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!((board.fired().len(), board.waiting()), (2, 0));
    }

    #[test]
    fn filters_by_account_and_kind() {
        let board = Switchboard::new(1);
        board.add(Fault::on("*").for_user("acme").only(Scope::Change).times(0));
        assert!(board.strike(&call("createacct", Some("other"))).is_none());
        assert!(
            board
                .strike(&call("accountsummary", Some("acme")))
                .is_none()
        );
        assert!(board.strike(&call("createacct", Some("ACME"))).is_some());
        assert!(board.strike(&call("connect", None)).is_none());
    }

    #[test]
    fn chance_follows_the_seed() {
        let run = |seed| {
            let board = Switchboard::new(seed);
            board.add(Fault::on("*").chance(0.5).times(0));
            (0..64)
                .map(|_| board.strike(&call("version", None)).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let struck = run(7).iter().filter(|struck| **struck).count();
        assert!((16..48).contains(&struck), "{struck}");
    }
}
