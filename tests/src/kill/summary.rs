//! The figures of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::Run;
use crate::check::Violation;
use crate::field::Part;

/// One line.
#[derive(Debug)]
pub struct Summary {
    run: Run,
    killed: BTreeMap<Part, usize>,
    states: Vec<(String, i64)>,
    held: Vec<(String, i64)>,
    lost_attempts: i64,
    parked: i64,
    settled: Duration,
    slowest: Duration,
    by_invariant: BTreeMap<u8, usize>,
}

impl Summary {
    pub(super) async fn of(
        run: &Run,
        killed: BTreeMap<Part, usize>,
        settled: Duration,
        violations: &[Violation],
        sql: &DatabaseConnection,
    ) -> Self {
        let states = "SELECT state AS name, COUNT(*) AS n FROM job GROUP BY state ORDER BY state";
        let held = "SELECT hold_code AS name, COUNT(*) AS n FROM job WHERE state = 'held' \
                    GROUP BY hold_code ORDER BY hold_code";
        let lost = "SELECT 'lost' AS name, COUNT(*) AS n FROM attempt WHERE outcome = 'lost'";
        let parked = "SELECT 'parked' AS name, COUNT(*) AS n FROM job_event WHERE event = 'parked'";
        let slowest =
            "SELECT 'ms' AS name, COALESCE(MAX(finished_at - created_at), 0) AS n FROM job";
        let first = |rows: Vec<(String, i64)>| rows.first().map_or(0, |row| row.1);
        let mut by_invariant = BTreeMap::new();
        for violation in violations {
            *by_invariant.entry(violation.invariant).or_default() += 1;
        }
        let slowest = first(counts(sql, slowest).await);
        Self {
            run: run.clone(),
            killed,
            states: counts(sql, states).await,
            held: counts(sql, held).await,
            lost_attempts: first(counts(sql, lost).await),
            parked: first(counts(sql, parked).await),
            settled,
            slowest: Duration::from_millis(slowest.unsigned_abs()),
            by_invariant,
        }
    }

    /// How many kills there were.
    #[must_use]
    pub fn kills(&self) -> usize {
        self.killed.values().sum()
    }

    fn broken(&self, invariant: u8) -> usize {
        self.by_invariant.get(&invariant).copied().unwrap_or(0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |parts: Vec<String>| parts.join(", ");
        let killed = self.killed.iter();
        let killed = killed.map(|(part, count)| format!("{} {count}", part.name()));
        let states = self.states.iter();
        let states = states.map(|(state, count)| match state.as_str() {
            "held" => {
                let codes = self.held.iter();
                let codes = codes.map(|(code, count)| format!("{code} {count}"));
                format!("held {count}: {}", list(codes.collect()))
            }
            _ => format!("{state} {count}"),
        });
        let jobs: i64 = self.states.iter().map(|(_, count)| count).sum();
        write!(
            f,
            "seed {} on {:?}{}: {} kills ({}), {jobs} jobs ({}), attempts lost {}, parked {}, \
             lost {}, made twice {}, overlaps {}, violations {}, at rest {:.1} s after the last kill, \
             slowest job {:.1} s",
            self.run.seed,
            self.run.database,
            if self.run.redis { " with Redis" } else { "" },
            self.kills(),
            list(killed.collect()),
            list(states.collect()),
            self.lost_attempts,
            self.parked,
            self.broken(1),
            self.broken(4),
            self.broken(3),
            self.by_invariant.values().sum::<usize>(),
            self.settled.as_secs_f64(),
            self.slowest.as_secs_f64(),
        )
    }
}

/// Jobs that were parked because their workers died.
pub(super) async fn parked(sql: &DatabaseConnection) -> Vec<String> {
    let poison = "SELECT public_id AS name, id AS n FROM job \
                  WHERE state = 'held' AND hold_code = 'poison' ORDER BY id";
    let rows = counts(sql, poison).await;
    rows.into_iter().map(|(name, _)| name).collect()
}

async fn counts(sql: &DatabaseConnection, statement: &str) -> Vec<(String, i64)> {
    let statement = Statement::from_string(sql.get_database_backend(), statement);
    let rows = sql.query_all_raw(statement).await.expect("answered");
    let rows = rows.iter().map(|row| {
        let name: String = row.try_get("", "name").expect("a name");
        let n: i64 = row.try_get("", "n").expect("a number");
        (name, n)
    });
    rows.collect()
}
