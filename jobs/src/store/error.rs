//! What can go wrong with the ledger.

use std::time::Duration;

use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// An error of the ledger. None of its texts holds a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached.
    #[error("the database at {place} cannot be reached: {why}")]
    Unreachable {
        /// Its address without user and password.
        place: String,
        /// What the driver says.
        why: String,
    },
    /// A statement failed.
    #[error("the database refused: {0}")]
    Db(#[from] DbErr),
    /// The answer to a COMMIT was lost: look before anything else.
    #[error("it is not known whether the database took the change: {0}")]
    CommitUnknown(DbErr),
    /// It said nothing for so long that it is not waited for any longer; what was under way may have
    /// been done.
    #[error("the database has said nothing for {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// A row does not say what this version understands.
    #[error("row {table} {id} cannot be read: {why}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's id.
        id: i64,
        /// What is wrong with it.
        why: String,
    },
    /// What was asked for is not there.
    #[error("there is no {0}")]
    NotFound(String),
    /// It cannot be done in the state in which things are.
    #[error("{0}")]
    Refused(String),
}

/// What a transaction's trouble means for its repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Deadlock, serialization failure, lock wait, busy: the same again has a chance.
    Passing,
    /// The same key was inserted at the same moment: the same again finds it.
    Duplicate,
    /// Anything else.
    Lasting,
}

impl StoreError {
    /// Whether the database could not do it for a reason of its own, which ends some day: it is away, full,
    /// or read-only. Nothing is known to be wrong with the question.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::CommitUnknown(_) | Self::NoAnswer(_) => true,
            Self::Db(error) => {
                matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) || is_io(error)
            }
            Self::Row { .. } | Self::NotFound(_) | Self::Refused(_) => false,
        }
    }

    /// Whether the transaction that ended so may have been committed.
    pub(crate) fn may_be_committed(&self) -> bool {
        matches!(self, Self::CommitUnknown(_) | Self::NoAnswer(_))
    }

    pub(crate) fn unreachable(url: &str, error: &DbErr) -> Self {
        Self::Unreachable {
            place: without_credentials(url),
            why: error.to_string().replace(url, "the database"),
        }
    }

    pub(crate) fn commit(error: DbErr) -> Self {
        match trouble(&error) {
            Trouble::Lasting => Self::CommitUnknown(error),
            Trouble::Passing | Trouble::Duplicate => Self::Db(error),
        }
    }

    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::Db(error) => trouble(error),
            _ => Trouble::Lasting,
        }
    }
}

/// `postgres://user:secret@host/name?x` as `postgres://host/name`.
pub(crate) fn without_credentials(url: &str) -> String {
    let plain = url.split('?').next().unwrap_or(url);
    match (plain.find("://"), plain.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &plain[..scheme + 3], &plain[at + 1..])
        }
        _ if plain.starts_with("sqlite:") => plain.to_owned(),
        // Somebody may have set the password in its place.
        _ => "what is set as its address".to_owned(),
    }
}

fn runtime(error: &DbErr) -> Option<&sea_orm::sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner))
        | DbErr::Conn(RuntimeErr::SqlxError(inner)) => Some(inner),
        _ => None,
    }
}

fn is_io(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error;
    runtime(error).is_some_and(|inner| match inner {
        Error::Io(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::Tls(_)
        | Error::Protocol(_) => true,
        Error::Database(database) => cannot_now(database.as_ref()),
        _ => false,
    })
}

/// MariaDB and MySQL: a full disk or table, a failed write, too many connections, a shutdown, read-only, a
/// connection or query that was killed.
const MYSQL_CANNOT_NOW: [u16; 14] = [
    3, 1021, 1026, 1030, 1040, 1053, 1114, 1203, 1290, 1317, 1792, 1836, 1927, 3169,
];
/// PostgreSQL: connection lost, no resources (a full disk), shutdown, a failed read or write, read-only.
const POSTGRES_CANNOT_NOW: [&str; 5] = ["08", "53", "57P", "58", "25006"];
/// SQLite: no memory, read-only, a failed read or write, full, the file cannot be opened.
const SQLITE_CANNOT_NOW: [i32; 5] = [7, 8, 10, 13, 14];

fn cannot_now(error: &dyn DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL_CANNOT_NOW.contains(&mysql.number());
    }
    let code = error.code().unwrap_or_default();
    match code.parse::<i32>() {
        // PostgreSQL's codes have five characters, SQLite's (the lowest byte tells its family) fewer.
        Ok(number) if code.len() < 5 => SQLITE_CANNOT_NOW.contains(&(number & 0xff)),
        _ => POSTGRES_CANNOT_NOW
            .iter()
            .any(|class| code.starts_with(class)),
    }
}

fn trouble(error: &DbErr) -> Trouble {
    // Somebody has changed the row since it was read: what was read is read again.
    if matches!(error, DbErr::RecordNotUpdated) {
        return Trouble::Passing;
    }
    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
        return Trouble::Duplicate;
    }
    let Some(database) = runtime(error).and_then(|inner| inner.as_database_error()) else {
        return Trouble::Lasting;
    };
    if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
        let passing = matches!(mysql.number(), 1213 | 1205 | 1020);
        return if passing {
            Trouble::Passing
        } else {
            Trouble::Lasting
        };
    }
    let code = database.code().unwrap_or_default();
    let busy = code
        .parse::<i32>()
        .is_ok_and(|number| matches!(number & 0xff, 5 | 6));
    if busy || matches!(code.as_ref(), "40P01" | "40001" | "55P03") {
        Trouble::Passing
    } else {
        Trouble::Lasting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(
            without_credentials("postgres://me:p@ss@db:5432/hostler?sslmode=require"),
            "postgres://db:5432/hostler"
        );
        assert_eq!(
            without_credentials("sqlite:/data/hostler.db?mode=rwc"),
            "sqlite:/data/hostler.db"
        );
        assert!(!without_credentials("p@ss").contains("p@ss"));
    }
}
