//! Reading the database, by hand.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::evidence::Evidence;

/// A table, its columns that hold texts, and those that hold numbers.
struct Table {
    name: &'static str,
    texts: &'static [&'static str],
}

/// Every column that holds a text: a secret in clear would be in one of these.
const TEXTS: [Table; 14] = [
    table(
        "server",
        &[
            "name",
            "panel",
            "url",
            "user",
            "pins",
            "ca_pem",
            "rules",
            "config",
            "host_name",
            "pause_reason",
            "auth_hold_detail",
            "version",
            "check_notes",
        ],
    ),
    table(
        "account",
        &[
            "public_id",
            "reference",
            "username",
            "domain",
            "email",
            "package",
            "limits",
            "panel",
            "evidence",
            "remembered",
            "suspend_reason",
        ],
    ),
    table("ip_address", &["address"]),
    table(
        "job",
        &[
            "public_id",
            "idem_key",
            "body_hash",
            "payload",
            "owner",
            "progress",
            "hold_code",
            "result",
            "error_class",
            "error_code",
            "error_message",
            "actor",
            "reason",
            "trace",
        ],
    ),
    table(
        "attempt",
        &[
            "owner",
            "error_class",
            "error_code",
            "error_message",
            "detail",
        ],
    ),
    table("job_event", &["actor", "event", "reason"]),
    table("usage_reading", &["username", "flag"]),
    table("usage_ledger", &["actor", "note"]),
    table("usage_month", &["flag"]),
    table("billing_platform", &["name"]),
    table("api_token", &["name"]),
    table("webhook_endpoint", &["name", "url"]),
    table("secret", &["owner", "purpose", "sealed"]),
    table("schedule", &["name"]),
];

const fn table(name: &'static str, texts: &'static [&'static str]) -> Table {
    Table { name, texts }
}

pub(super) async fn read(url: &str, evidence: &mut Evidence) -> Result<(), String> {
    let connection = Database::connect(url.trim())
        .await
        .map_err(|error| error.to_string())?;
    evidence.jobs = rows(
        &connection,
        "SELECT j.id, j.public_id, j.platform_id, j.idem_key, j.kind, s.name AS server, a.username, \
         j.account_id, j.payload, j.state, j.attempt, j.worker_deaths, j.lease_until, j.head_of, \
         j.doubt_since, j.hold_code, j.error_code, j.error_message FROM job j \
         LEFT JOIN server s ON s.id = j.server_id LEFT JOIN account a ON a.id = j.account_id ORDER BY j.id",
        &["id", "platform_id", "account_id", "attempt", "worker_deaths", "lease_until", "head_of", "doubt_since"],
        &["public_id", "idem_key", "kind", "server", "username", "payload", "state", "hold_code", "error_code", "error_message"],
    )
    .await?;
    evidence.attempts = rows(
        &connection,
        "SELECT job_id, attempt, started_at, sent_at, finished_at, outcome, error_code, error_message \
         FROM attempt ORDER BY job_id, fence",
        &["job_id", "attempt", "started_at", "sent_at", "finished_at"],
        &["outcome", "error_code", "error_message"],
    )
    .await?;
    evidence.events = rows(
        &connection,
        "SELECT job_id, actor, event, reason FROM job_event ORDER BY id",
        &["job_id"],
        &["actor", "event", "reason"],
    )
    .await?;
    evidence.accounts = rows(
        &connection,
        "SELECT a.id, s.name AS server, a.username, a.domain, a.state FROM account a \
         JOIN server s ON s.id = a.server_id ORDER BY a.id",
        &["id"],
        &["server", "username", "domain", "state"],
    )
    .await?;
    evidence.months = rows(
        &connection,
        "SELECT account_id, month, total_bytes, flag FROM usage_month ORDER BY account_id, month",
        &["account_id", "total_bytes"],
        &["month", "flag"],
    )
    .await?;
    evidence.bookings = rows(
        &connection,
        "SELECT account_id, month, entry, delta_bytes, total_bytes FROM usage_ledger ORDER BY id",
        &["account_id", "delta_bytes", "total_bytes"],
        &["month", "entry"],
    )
    .await?;
    for table in &TEXTS {
        read_texts(&connection, table, evidence).await?;
    }
    connection.close().await.map_err(|error| error.to_string())
}

async fn read_texts(
    connection: &DatabaseConnection,
    table: &Table,
    evidence: &mut Evidence,
) -> Result<(), String> {
    // `user` is a word of its own in PostgreSQL, `schedule` and others may be elsewhere.
    let quote = match connection.get_database_backend() {
        sea_orm::DbBackend::MySql => '`',
        _ => '"',
    };
    let columns: Vec<String> = table
        .texts
        .iter()
        .map(|column| format!("{quote}{column}{quote}"))
        .collect();
    let statement = format!(
        "SELECT {} FROM {quote}{}{quote}",
        columns.join(", "),
        table.name
    );
    for row in all(connection, &statement).await? {
        for column in table.texts {
            if let Value::String(text) = text_of(&row, column)? {
                evidence
                    .texts
                    .push((format!("{}.{column}", table.name), text));
            }
        }
    }
    Ok(())
}

async fn rows<T: DeserializeOwned>(
    connection: &DatabaseConnection,
    statement: &str,
    numbers: &[&str],
    texts: &[&str],
) -> Result<Vec<T>, String> {
    let mut read = Vec::new();
    for row in all(connection, statement).await? {
        let mut object = Map::new();
        for column in numbers {
            object.insert((*column).to_owned(), number_of(&row, column)?);
        }
        for column in texts {
            object.insert((*column).to_owned(), text_of(&row, column)?);
        }
        read.push(
            serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?,
        );
    }
    Ok(read)
}

async fn all(connection: &DatabaseConnection, statement: &str) -> Result<Vec<QueryResult>, String> {
    let statement = Statement::from_string(connection.get_database_backend(), statement);
    connection
        .query_all_raw(statement)
        .await
        .map_err(|error| error.to_string())
}

/// The databases have whole numbers of 32 and of 64 bits, and tell them apart.
fn number_of(row: &QueryResult, column: &str) -> Result<Value, String> {
    if let Ok(number) = row.try_get::<Option<i64>>("", column) {
        return Ok(number.into());
    }
    let number: Option<i32> = row.try_get("", column).map_err(|error| error.to_string())?;
    Ok(number.into())
}

fn text_of(row: &QueryResult, column: &str) -> Result<Value, String> {
    let text: Option<String> = row.try_get("", column).map_err(|error| error.to_string())?;
    Ok(text.into())
}
