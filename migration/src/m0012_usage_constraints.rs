//! What must never stand in the books of traffic is refused by the database itself, and a month keeps
//! apart what operators have added by hand.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// Adds the checks and `usage_month.corrected_bytes`; `down` takes them away.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Only a correction may take away; what people do has a reason; no other words.
const LEDGER: &str = "entry IN ('delta', 'reset', 'correction', 'reopened') AND total_bytes >= 0 \
     AND (delta_bytes >= 0 OR entry = 'correction') AND (delta_bytes = 0 OR entry <> 'reopened') \
     AND (note IS NOT NULL OR entry NOT IN ('correction', 'reopened'))";

/// Sums and counts are not negative; a flag is a known one, and a flagged drop has its figure. (That only a closed
/// month has late bytes cannot be said here: the nights insert over what stands there without naming the
/// closing, and the check is asked about the row before it turns out to be an update.)
const MONTH: &str = "total_bytes >= 0 AND late_bytes >= 0 AND last_raw >= 0 AND epoch >= 0 AND resets >= 0 \
     AND (flag IS NULL OR flag IN ('drop', 'implausible', 'missing_final')) \
     AND (flag IS NULL OR flag <> 'drop' OR flagged_raw IS NOT NULL) \
     AND (flagged_raw IS NULL OR flagged_raw >= 0)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = "ALTER TABLE usage_month ADD COLUMN corrected_bytes BIGINT NOT NULL DEFAULT 0";
        if manager.get_database_backend() == DbBackend::Sqlite {
            // SQLite adds no check to a table, but takes one with a new column, and that may speak of all
            // columns. The ledger gets no column, so it is made anew. Triggers would do both without a copy,
            // and cost at every booking what this costs once.
            run(manager, &format!("{column} CHECK ({MONTH})")).await?;
            return rebuild_ledger(manager, &format!(", CHECK ({LEDGER})")).await;
        }
        run(manager, column).await?;
        for (table, check) in [("usage_month", MONTH), ("usage_ledger", LEDGER)] {
            let sql = format!("ALTER TABLE {table} ADD CONSTRAINT {table}_sound CHECK ({check})");
            run(manager, &sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            rebuild_ledger(manager, "").await?;
        } else {
            for table in ["usage_month", "usage_ledger"] {
                let sql = format!("ALTER TABLE {table} DROP CONSTRAINT {table}_sound");
                run(manager, &sql).await?;
            }
        }
        run(
            manager,
            "ALTER TABLE usage_month DROP COLUMN corrected_bytes",
        )
        .await
    }
}

/// A copy with this check, in the old one's place: all of it or nothing, also where the migration is in no
/// transaction.
async fn rebuild_ledger(manager: &SchemaManager<'_>, check: &str) -> Result<(), DbErr> {
    let columns = "id, account_id, month, entry, delta_bytes, total_bytes, reading_id, job_id, actor, note, booked_at";
    let sql = format!(
        "SAVEPOINT rebuild; \
         CREATE TABLE usage_ledger_new (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, account_id bigint NOT NULL, \
         month varchar(7) NOT NULL, entry varchar(16) NOT NULL, delta_bytes bigint NOT NULL, \
         total_bytes bigint NOT NULL, reading_id bigint, job_id bigint, actor varchar(160) NOT NULL, \
         note varchar(500), booked_at bigint NOT NULL{check}); \
         INSERT INTO usage_ledger_new ({columns}) SELECT {columns} FROM usage_ledger ORDER BY id; \
         DROP TABLE usage_ledger; \
         ALTER TABLE usage_ledger_new RENAME TO usage_ledger; \
         CREATE INDEX usage_ledger_account ON usage_ledger (account_id, month, id); \
         RELEASE rebuild"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let statement = Statement::from_string(manager.get_database_backend(), sql);
    manager.get_connection().execute_raw(statement).await?;
    Ok(())
}
