//! The checker: decides from what a run left behind whether the invariants held.
//!
//! It reads four things: what clients were told, the database, the panels' ledgers of what was really done,
//! and all output (see [`Evidence`]). It shares no code with what it checks, so that a misunderstanding
//! cannot hide on both sides: SQL by hand, JSON lines, text. A test holds it to that.
//!
//! One invariant, one file, by the numbers of `docs/reliability.md`. Number 8 (webhooks) is decided by the
//! receiver's own tests: what a receiver got is not among the four.

mod deeds;
mod evidence;
mod i01_nothing_lost;
mod i02_one_intake_one_job;
mod i03_one_at_a_time;
mod i04_one_create_one_account;
mod i05_order_of_intake;
mod i06_nothing_else_destroyed;
mod i07_result_is_state;
mod i09_traffic_adds_up;
mod i10_no_secret_leaves;
mod i11_attempts_end;
mod i12_history_is_whole;
mod read;
mod sql;

#[cfg(test)]
mod planted;

use std::fmt;
use std::path::Path;

pub use evidence::Evidence;

/// Where a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which promise, by its number.
    pub invariant: u8,
    /// What it is about: a job, an account, a file.
    pub subject: String,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invariant {}: {}: {}",
            self.invariant, self.subject, self.what
        )
    }
}

/// Decides one invariant.
type Invariant = fn(&Evidence) -> Vec<(String, String)>;

/// Those that can be decided from a run folder.
const INVARIANTS: [(u8, Invariant); 11] = [
    (1, i01_nothing_lost::decide),
    (2, i02_one_intake_one_job::decide),
    (3, i03_one_at_a_time::decide),
    (4, i04_one_create_one_account::decide),
    (5, i05_order_of_intake::decide),
    (6, i06_nothing_else_destroyed::decide),
    (7, i07_result_is_state::decide),
    (9, i09_traffic_adds_up::decide),
    (10, i10_no_secret_leaves::decide),
    (11, i11_attempts_end::decide),
    (12, i12_history_is_whole::decide),
];

/// Reads a run folder and decides. Empty = every promise was kept.
///
/// # Errors
/// When the folder is not a whole one: nothing is decided from half of the evidence.
pub async fn check(folder: &Path) -> Result<Vec<Violation>, String> {
    Ok(decide(&read::read(folder).await?))
}

/// The same on evidence in hand.
#[must_use]
pub fn decide(evidence: &Evidence) -> Vec<Violation> {
    let all = INVARIANTS.iter().flat_map(|(invariant, decide)| {
        decide(evidence)
            .into_iter()
            .map(|(subject, what)| Violation {
                invariant: *invariant,
                subject,
                what,
            })
    });
    let mut all: Vec<Violation> = all.collect();
    all.sort();
    all.dedup();
    all
}
