//! How things stand with Redis, and when to say so.
//!
//! It may be silent, or answer and refuse single commands (full, read-only, no right, a foreign key of the
//! same name). Who only looked at the last answer would say "away" and "back" with every other command.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Nothing is said more often than this.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What an exchange came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// An answer to this command.
    Answered(&'static str),
    /// The server's refusal of this command.
    Refused(&'static str),
    /// Nothing.
    Nothing,
}

/// The command that a refused log-in is noted under.
pub(super) const CONNECT: &str = "a connection";

/// What is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// It is in trouble.
    Trouble,
    /// It is well again.
    Well,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    silent: bool,
    refused: BTreeSet<&'static str>,
    /// Whether the present trouble has been told.
    told: bool,
    said_at: Option<Instant>,
}

impl Standing {
    pub(super) fn is_well(&self) -> bool {
        self.state().is_well()
    }

    /// Notes what an exchange came to; returns what is to be said about it.
    pub(super) fn note(&self, came: Came, now: Instant) -> Option<Say> {
        let mut state = self.state();
        match came {
            Came::Answered(command) => {
                state.silent = false;
                state.refused.remove(CONNECT);
                state.refused.remove(command);
            }
            Came::Refused(command) => {
                state.silent = false;
                state.refused.insert(command);
            }
            Came::Nothing => state.silent = true,
        }
        state.news(now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values, written in one go.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_well(&self) -> bool {
        !self.silent && self.refused.is_empty()
    }

    fn news(&mut self, now: Instant) -> Option<Say> {
        let said = |at: Instant| now.saturating_duration_since(at) < SAY_EVERY;
        if self.is_well() {
            return std::mem::take(&mut self.told).then_some(Say::Well);
        }
        if self.told || self.said_at.is_some_and(said) {
            return None;
        }
        self.told = true;
        self.said_at = Some(now);
        Some(Say::Trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_command_is_told_once_whatever_else_is_answered() {
        let standing = Standing::default();
        let now = Instant::now();
        assert_eq!(
            standing.note(Came::Refused("RPUSH"), now),
            Some(Say::Trouble)
        );
        for _ in 0..10 {
            assert_eq!(standing.note(Came::Answered("PUBLISH"), now), None);
            assert_eq!(standing.note(Came::Refused("RPUSH"), now), None);
        }
        assert!(!standing.is_well());
        assert_eq!(standing.note(Came::Answered("RPUSH"), now), Some(Say::Well));
        assert!(standing.is_well());
    }

    #[test]
    fn a_connection_that_comes_and_goes_is_told_once_in_ten_seconds() {
        let standing = Standing::default();
        let begun = Instant::now();
        let mut told = 0;
        for second in 0..60 {
            let now = begun + Duration::from_secs(second);
            told += usize::from(standing.note(Came::Nothing, now) == Some(Say::Trouble));
            standing.note(Came::Answered("LLEN"), now);
        }
        assert_eq!(told, 6);
    }

    #[test]
    fn trouble_that_was_kept_back_is_told_when_it_lasts() {
        let standing = Standing::default();
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        standing.note(Came::Nothing, begun);
        standing.note(Came::Answered("LLEN"), after(1));
        assert_eq!(standing.note(Came::Nothing, after(2)), None);
        assert_eq!(standing.note(Came::Nothing, after(11)), Some(Say::Trouble));
    }

    #[test]
    fn a_log_in_that_works_again_ends_its_refusal() {
        let standing = Standing::default();
        let now = Instant::now();
        standing.note(Came::Refused(CONNECT), now);
        assert_eq!(
            standing.note(Came::Answered("BLMPOP"), now),
            Some(Say::Well)
        );
    }
}
