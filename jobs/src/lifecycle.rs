//! The states of a job and of an account, and the only ways between them.
//!
//! Pure: the store asks here before it writes. `docs/architecture.md` has the picture.

/// A job's state, as the `state` column and outsiders know it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Not begun: due, scheduled for later, or behind an earlier job of its account.
    Queued,
    /// A worker has it.
    Running,
    /// Begun, and waiting for `due_at`.
    Retrying,
    /// A person must look; the reason is on the row.
    Held,
    /// Done.
    Succeeded,
    /// Final, unless replayed.
    Failed,
    /// Will not be done.
    Cancelled,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 7] = [
        JobState::Queued,
        JobState::Running,
        JobState::Retrying,
        JobState::Held,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
    ];

    /// The name in the column and outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Retrying => "retrying",
            JobState::Held => "held",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens to it by itself.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            JobState::Held | JobState::Succeeded | JobState::Failed | JobState::Cancelled
        )
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state; known are {known}", known = JobState::ALL.map(JobState::name).join(", "))]
pub struct UnknownState(String);

impl std::str::FromStr for JobState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        JobState::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownState(text.chars().take(40).collect()))
    }
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker won it.
    Claim,
    /// An attempt did what was wanted, or found it so.
    Succeed,
    /// An attempt ended without, and another will follow.
    Retry,
    /// A person must look.
    Hold,
    /// An attempt ended for good.
    Fail,
    /// Its worker is gone.
    Rescue,
    /// Somebody, or a newer job, took it back.
    Cancel,
    /// An operator re-opens it.
    Replay,
}

impl Event {
    /// All events.
    pub const ALL: [Event; 8] = [
        Event::Claim,
        Event::Succeed,
        Event::Retry,
        Event::Hold,
        Event::Fail,
        Event::Rescue,
        Event::Cancel,
        Event::Replay,
    ];
}

/// The state after `event`, or `None` when it cannot happen in this state.
#[must_use]
pub const fn next(state: JobState, event: Event) -> Option<JobState> {
    use JobState::{Cancelled, Failed, Held, Queued, Retrying, Running, Succeeded};
    match (state, event) {
        (Queued | Retrying, Event::Claim) => Some(Running),
        (Running, Event::Succeed) => Some(Succeeded),
        (Running, Event::Retry | Event::Rescue) => Some(Retrying),
        // A claim may find that the guard holds it before anything was begun.
        (Queued | Retrying | Running, Event::Hold) => Some(Held),
        (Running, Event::Fail) => Some(Failed),
        (Queued | Retrying | Held, Event::Cancel) => Some(Cancelled),
        (Held | Failed | Cancelled, Event::Replay) => Some(Queued),
        (
            Queued | Retrying | Held | Succeeded | Failed | Cancelled,
            Event::Succeed | Event::Fail | Event::Rescue | Event::Retry,
        )
        | (Running | Held | Succeeded | Failed | Cancelled, Event::Claim)
        | (Held | Succeeded | Failed | Cancelled, Event::Hold)
        | (Running | Succeeded | Failed | Cancelled, Event::Cancel)
        | (Queued | Running | Retrying | Succeeded, Event::Replay) => None,
    }
}

/// An account's state.
#[derive(
    Debug,
    Default,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Its create is accepted.
    #[default]
    Requested,
    /// A job named it that we did not know; the first attempt takes it over from the panel.
    Importing,
    /// Its create has begun.
    Provisioning,
    /// There and usable.
    Active,
    /// There and not usable.
    Suspended,
    /// Gone.
    Terminated,
    /// Its create failed.
    Failed,
    /// There on the panel, but not ours.
    Conflict,
}

impl AccountState {
    /// All states.
    pub const ALL: [AccountState; 8] = [
        AccountState::Requested,
        AccountState::Importing,
        AccountState::Provisioning,
        AccountState::Active,
        AccountState::Suspended,
        AccountState::Terminated,
        AccountState::Failed,
        AccountState::Conflict,
    ];

    /// The name in the column and outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AccountState::Requested => "requested",
            AccountState::Importing => "importing",
            AccountState::Provisioning => "provisioning",
            AccountState::Active => "active",
            AccountState::Suspended => "suspended",
            AccountState::Terminated => "terminated",
            AccountState::Failed => "failed",
            AccountState::Conflict => "conflict",
        }
    }
}

impl std::fmt::Display for AccountState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for AccountState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        AccountState::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownState(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_job_ends_by_an_attempt() {
        for state in JobState::ALL {
            for event in [Event::Succeed, Event::Fail, Event::Retry, Event::Rescue] {
                assert_eq!(
                    next(state, event).is_some(),
                    state == JobState::Running,
                    "{state} {event:?}"
                );
            }
        }
    }

    #[test]
    fn a_running_or_done_job_is_neither_cancelled_nor_replayed() {
        for state in [JobState::Running, JobState::Succeeded] {
            assert_eq!(next(state, Event::Cancel), None);
            assert_eq!(next(state, Event::Replay), None);
        }
    }

    #[test]
    fn every_state_but_succeeded_has_a_way_on() {
        for state in JobState::ALL {
            let ways = Event::ALL
                .into_iter()
                .filter(|&event| next(state, event).is_some())
                .count();
            assert_eq!(ways == 0, state == JobState::Succeeded, "{state}");
        }
    }
}
