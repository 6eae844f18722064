//! Whether the database has this version's schema.

use std::collections::BTreeSet;

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::error::Failure;

/// How the database's schema compares with this version's.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "schema")]
pub(crate) enum Schema {
    /// The same.
    Current,
    /// There is none yet.
    Empty {
        /// What `migrate up` would apply.
        pending: Vec<String>,
    },
    /// Changes are missing.
    Old {
        /// What `migrate up` would apply.
        pending: Vec<String>,
    },
    /// A newer version was here.
    Newer {
        /// Changes that this version does not know.
        unknown: Vec<String>,
    },
}

impl std::fmt::Display for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Schema::Current => f.write_str("the schema is this version's"),
            Schema::Empty { .. } => {
                f.write_str("there is no schema in it yet; run `hostler migrate up`")
            }
            Schema::Old { pending } => write!(
                f,
                "its schema is older than this version's ({} changes missing); run `hostler migrate up`",
                pending.len()
            ),
            Schema::Newer { unknown } => write!(
                f,
                "its schema is newer than this version of Hostler (it has {}); use the newer version",
                unknown.join(", ")
            ),
        }
    }
}

/// Compares. Reads only, so a database user without the right to change the schema can ask.
pub(crate) async fn schema(db: &DatabaseConnection) -> Result<Schema, Failure> {
    let known: Vec<String> = Migrator::get_migration_files()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let applied = applied(db).await?;
    let unknown: Vec<String> = applied
        .iter()
        .filter(|name| !known.contains(name))
        .cloned()
        .collect();
    let pending: Vec<String> = known
        .into_iter()
        .filter(|name| !applied.contains(name))
        .collect();
    Ok(
        match (applied.is_empty(), unknown.is_empty(), pending.is_empty()) {
            (true, _, _) => Schema::Empty { pending },
            (_, false, _) => Schema::Newer { unknown },
            (_, true, false) => Schema::Old { pending },
            (_, true, true) => Schema::Current,
        },
    )
}

async fn applied(db: &DatabaseConnection) -> Result<BTreeSet<String>, Failure> {
    let backend = db.get_database_backend();
    let ask = |sql: &str| Statement::from_string(backend, sql);
    // A failing statement would not tell a missing table from a lost connection.
    db.query_one_raw(ask("SELECT 1 AS n"))
        .await
        .map_err(|error| Failure::usage("database.url", error.to_string()))?;
    let Ok(rows) = db
        .query_all_raw(ask("SELECT version FROM seaql_migrations"))
        .await
    else {
        return Ok(BTreeSet::new());
    };
    rows.iter()
        .map(|row| row.try_get("", "version"))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::work(error.to_string()))
}

/// Applies what is missing.
pub(crate) async fn up(db: &DatabaseConnection) -> Result<(), Failure> {
    Migrator::up(db, None)
        .await
        .map_err(|error| Failure::work(format!("the schema could not be changed: {error}")))
}

/// Takes the newest `steps` changes back.
pub(crate) async fn down(db: &DatabaseConnection, steps: u32) -> Result<(), Failure> {
    Migrator::down(db, Some(steps))
        .await
        .map_err(|error| Failure::work(format!("the schema could not be changed: {error}")))
}
