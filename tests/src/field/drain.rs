//! Waiting until there is nothing left to do.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// A job behind one that waits for a person, or behind a create that failed, waits for that person too.
const UNSETTLED: &str = "SELECT j.public_id, j.kind, j.state FROM job j \
    WHERE j.state IN ('queued', 'running', 'retrying') AND NOT (j.state <> 'running' AND (EXISTS \
    (SELECT 1 FROM job h WHERE h.head_of = j.account_id AND h.state = 'held') OR (j.ready_lane IS NULL AND EXISTS \
    (SELECT 1 FROM account a WHERE a.id = j.account_id AND a.state IN ('failed', 'conflict'))))) ORDER BY j.id";

/// A job that is not at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its state.
    pub state: String,
}

pub(super) async fn drain(
    sql: &DatabaseConnection,
    limit: Duration,
) -> Result<Duration, Vec<Unsettled>> {
    let begun = Instant::now();
    let mut look = tokio::time::interval(EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let left = unsettled(sql).await;
        if left.is_empty() {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > limit {
            return Err(left);
        }
    }
}

async fn unsettled(sql: &DatabaseConnection) -> Vec<Unsettled> {
    let statement = Statement::from_string(sql.get_database_backend(), UNSETTLED);
    let rows = sql.query_all_raw(statement).await.expect("answered");
    let text = |row: &sea_orm::QueryResult, column| -> String {
        row.try_get("", column).expect("a column of that name")
    };
    let rows = rows.iter().map(|row| Unsettled {
        id: text(row, "public_id"),
        kind: text(row, "kind"),
        state: text(row, "state"),
    });
    rows.collect()
}
