//! The ledger: every write to jobs, attempts, accounts and gates.
//!
//! The design is the one of groups with nullable key columns: a job carries the proof that it may run.
//! `head_of` (unique) = its account while it is the head of the account's line, `ready_lane` = its lane
//! while it may be claimed, `open_of` = its account while it stands in the line, `lease_until` only while
//! it runs. Statements that search use these keys (never `state`, which no index knows); statements
//! that come by id look at `state`. Locks are taken in one order everywhere: server rows, account rows,
//! job rows, each by ascending id. See `docs/decisions/`.

mod accounts;
mod claim;
mod close;
mod corrections;
mod error;
mod finish;
mod gate;
mod installation;
mod line;
mod operate;
mod pick;
mod prune;
mod read;
mod rescue;
mod secrets;
mod submit;
mod tell;
mod verify;
mod writable;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

pub use accounts::{AccountChange, Selector};
pub use claim::Claimed;
pub use close::ClosedMonth;
pub use corrections::{By, Correction};
pub use error::StoreError;
pub use finish::{Finish, Intent, JobError, Outcome, Report, ServerEffect};
pub use gate::{Closed, ClosedBy, Pause};
pub use operate::{Cancelled, Replayed};
pub use prune::STRIPPED;
pub use read::{JobFilter, Waiting};
pub use rescue::Swept;
pub use secrets::{Audience, NewSecret, Purpose, Resealed};
pub use submit::{NewJob, Refusal, Submitted, Target};
pub use verify::{Books, Verified, Violation};
pub use writer::{Lost, Writer, Written};

use crate::Pace;
use error::Trouble;

/// A job that may be looked at now: what a doorbell carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ring {
    /// The job's row.
    pub job_id: i64,
    /// The list that it is rung in.
    pub lane: crate::Lane,
}

/// The ledger. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    write: DatabaseConnection,
    read: DatabaseConnection,
    offset_ms: Arc<AtomicI64>,
    /// Whether the last transaction failed for a reason of the database's own.
    cannot_write: Arc<AtomicBool>,
    pace: Pace,
}

/// How a [`Store`] is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite:PATH?mode=rwc`, `postgres://...` or `mysql://...`.
    pub url: String,
    /// Connections of each of the two pools (SQLite: always one writer).
    pub connections: u32,
    /// How long to wait for a connection before an error.
    pub patience: Duration,
    /// The pace of all waiting.
    pub pace: Pace,
}

impl StoreOptions {
    /// Usual options for that address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 8,
            patience: Duration::from_secs(10),
            pace: Pace::default(),
        }
    }
}

impl Store {
    /// Opens the ledger. Does not look at the schema.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], without the address's password.
    pub async fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        let sqlite = options.url.starts_with("sqlite:");
        let write = open(options, if sqlite { 1 } else { options.connections }).await?;
        let read = open(options, options.connections).await?;
        Ok(Self {
            write,
            read,
            offset_ms: Arc::new(AtomicI64::new(0)),
            cannot_write: Arc::default(),
            pace: options.pace,
        })
    }

    /// The connections for reading, for queries that this crate does not have.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.read
    }

    /// The connections for writing, for tables that are not jobs, attempts or gates.
    /// Begin transactions on them with [`Store::begin`] only.
    #[must_use]
    pub fn writer_connection(&self) -> &DatabaseConnection {
        &self.write
    }

    /// The pace of all waiting.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Moves this handle's (and its clones') clock. Only tests do.
    pub fn advance_clock(&self, by: Duration) {
        self.offset_ms
            .fetch_add(crate::pace::millis(by), Ordering::Relaxed);
    }

    /// Now by the database's own clock, without what [`Store::advance_clock`] has added.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wall_clock(&self) -> Result<i64, StoreError> {
        Ok(self.clock(&self.read).await? - self.offset_ms.load(Ordering::Relaxed))
    }

    /// Now, in milliseconds UTC, by the database's clock.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<i64, StoreError> {
        Ok(self.clock(&self.read).await?)
    }

    /// Now, by the clock of the database behind `connection`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clock(&self, connection: &impl ConnectionTrait) -> Result<i64, sea_orm::DbErr> {
        let backend = connection.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => {
                "SELECT (extract(epoch from clock_timestamp())*1000)::bigint AS n"
            }
            DbBackend::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3))*1000 AS SIGNED) AS n",
            _ => "SELECT CAST(unixepoch('subsec')*1000 AS INTEGER) AS n",
        };
        let row = connection
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        let now: i64 = match row {
            Some(row) => row.try_get("", "n")?,
            None => return Err(sea_orm::DbErr::Custom("the clock gave no row".into())),
        };
        Ok(now + self.offset_ms.load(Ordering::Relaxed))
    }

    /// Begins a transaction: SQLite takes its write lock at once (a read that turns into a write would
    /// fail without waiting).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(&self) -> Result<DatabaseTransaction, sea_orm::DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.write.begin_with_options(options).await
    }

    /// Whether a transaction of another crate that failed with `error` in its `round` (from 1) should be begun
    /// again, as ours are after a deadlock and the like. Waits a few milliseconds when it should.
    pub async fn may_repeat(&self, error: &StoreError, round: u32) -> bool {
        self.again(error.trouble(), round).await
    }

    /// After trouble number `round` (from 1) of one transaction: whether to begin it again.
    /// Waits a few milliseconds when it does.
    pub(crate) async fn again(&self, trouble: Trouble, round: u32) -> bool {
        if trouble != Trouble::Passing || round > 10 {
            return false;
        }
        let jitter = 1 + u64::from(rand::random::<u8>() % 5);
        pause(Duration::from_millis((jitter * u64::from(round)).min(100))).await;
        true
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deadlock's loser must not run into the winner again"
)]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Runs the body in a transaction, from its beginning again after a deadlock and the like. The body
/// must return at the first error: on MariaDB a deadlock has ended the transaction although the driver
/// goes on, and the next statement would run by itself.
macro_rules! transact {
    ($store:expr, $tx:ident, $body:block) => {{
        let mut round = 0_u32;
        loop {
            round += 1;
            let attempt = async {
                let $tx = $store.begin().await?;
                let value = $body;
                $tx.commit()
                    .await
                    .map_err($crate::store::StoreError::commit)?;
                Ok::<_, $crate::store::StoreError>(value)
            };
            let attempt = $crate::store::in_time(attempt).await;
            $store.note_write(&attempt);
            match attempt {
                Ok(value) => break Ok(value),
                Err(error) if $store.again(error.trouble(), round).await => {}
                Err(error) => break Err(error),
            }
        }
    }};
}
pub(crate) use transact;

/// Longest time for one transaction, or one look of a duty.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does not wait for ever for a database that is gone without a word: a connection whose other end has
/// vanished answers nothing and breaks off only after a quarter of an hour, or never.
///
/// # Errors
/// The work's own, or [`StoreError::NoAnswer`].
pub async fn in_time<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(PATIENCE, work).await;
    answer.unwrap_or(Err(StoreError::NoAnswer(PATIENCE)))
}

/// Whether a connection that is given back is good for the next: it answers (the pool itself would wait for
/// ever, and keep its place), and no transaction is left open on it. SQLite ends a transaction by itself after
/// a failed write; the driver does not learn of it, and would begin no other one on this connection.
async fn is_good<C: sea_orm::sqlx::Connection>(connection: &mut C) -> bool {
    let ping = tokio::time::timeout(Duration::from_secs(15), connection.ping());
    matches!(ping.await, Ok(Ok(()))) && !connection.is_in_transaction()
}

async fn open(options: &StoreOptions, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(options.patience)
        .connect_timeout(options.patience)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                // Rows come from a thread of SQLite's own. With the usual 50 of them under way the two threads
                // wait for each other again and again.
                .row_buffer_size(1024)
        })
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(async { Ok(is_good(connection).await) }))
        })
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(async { Ok(is_good(connection).await) }))
        })
        .map_sqlx_mysql_pool_opts(|pool| {
            let pool = pool
                .after_release(|connection, _| Box::pin(async { Ok(is_good(connection).await) }));
            pool.after_connect(|connection, _| {
                Box::pin(async move {
                    use sea_orm::sqlx::Executor;
                    // Two statements: the isolation level has a syntax of its own.
                    for sql in [
                        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                        "SET SESSION innodb_lock_wait_timeout = 5",
                    ] {
                        connection.execute(sql).await?;
                    }
                    Ok(())
                })
            })
        });
    match Database::connect(connect).await {
        Ok(database) => Ok(database),
        Err(error) => {
            let error = reason(&options.url).await.unwrap_or(error);
            Err(StoreError::unreachable(&options.url, &error))
        }
    }
}

/// Why the database cannot be reached. A pool says no more than that its patience is over; one connection
/// without a pool says what is in its way.
async fn reason(url: &str) -> Option<DbErr> {
    use sea_orm::sqlx::{Connection, MySqlConnection, PgConnection};
    let once = async {
        match url.split(':').next() {
            Some("postgres" | "postgresql") => PgConnection::connect(url).await.err(),
            Some("mysql" | "mariadb") => MySqlConnection::connect(url).await.err(),
            _ => None,
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), once).await;
    let error = answer.ok().flatten()?;
    Some(DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())))
}

/// Pads a list for `IN (...)` to one of a few lengths by repeating its last element, so that there are
/// few statement texts and the prepared ones are used again.
pub(crate) fn padded<T: Copy>(list: &[T]) -> Vec<T> {
    let mut all = list.to_vec();
    if let Some(&last) = list.last() {
        let wanted = [1, 4, 16, 64, 128, 512]
            .into_iter()
            .find(|&size| size >= all.len());
        all.resize(wanted.unwrap_or(all.len()), last);
    }
    all
}
