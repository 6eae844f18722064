//! What the nightly run is compared with: the loop of the usual billing system, and the database's own limit.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hosting::Bytes;
use panels::ServerSettings;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
    TransactionTrait,
};
use tests::servers::Kind;

use crate::panel::GROWTH;
use crate::stage::{Server, Stage, month};

/// One connection that asks nothing by itself.
async fn connection(stage: &Stage) -> DatabaseConnection {
    use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
    let mut options = ConnectOptions::new(stage.url.clone());
    options
        .max_connections(1)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
        });
    Database::connect(options).await.unwrap()
}

struct Texts {
    backend: DbBackend,
    select: String,
    update: String,
    insert: String,
}

fn texts(backend: DbBackend) -> Texts {
    let numbered = |text: &str| {
        let mut text = text.to_owned();
        for n in 1.. {
            if backend != DbBackend::Postgres || !text.contains('?') {
                return text;
            }
            text = text.replacen('?', &format!("${n}"), 1);
        }
        text
    };
    Texts {
        backend,
        select: numbered("SELECT total_bytes FROM usage_month WHERE account_id = ? AND month = ?"),
        update: numbered(
            "UPDATE usage_month SET total_bytes = ?, last_raw = ? WHERE account_id = ? AND month = ?",
        ),
        insert: numbered(
            "INSERT INTO usage_ledger (account_id, month, entry, delta_bytes, total_bytes, actor, booked_at) \
             VALUES (?, ?, 'delta', ?, ?, 'loop', 1)",
        ),
    }
}

/// One server after the other; of each account SELECT, UPDATE and INSERT, each by itself and committed. It
/// keeps no readings, no locks, no flags. Stops after `most` accounts.
pub(crate) async fn row_loop(
    stage: &mut Stage,
    servers: &[Server],
    most: usize,
    delay: Duration,
) -> (usize, Duration) {
    stage.next_generation(delay);
    let db = connection(stage).await;
    let texts = texts(db.get_database_backend());
    let month_text = month().to_string();
    let (mut done, begun) = (0, Instant::now());
    for server in servers {
        let panel = panels::open("cpanel", settings(stage, server)).unwrap();
        let report = panel.usage(month()).await.unwrap();
        let ids = ids(&db, server).await;
        for row in &report.accounts {
            if done == most {
                return (done, begun.elapsed());
            }
            let account = ids[row.username.as_str()];
            let raw = row.traffic.map(Bytes::as_i64).unwrap();
            one_row(&db, &texts, account, &month_text, raw).await;
            done += 1;
        }
    }
    (done, begun.elapsed())
}

async fn one_row(db: &DatabaseConnection, texts: &Texts, account: i64, month: &str, raw: i64) {
    let with = |text: &str, values: Vec<sea_orm::Value>| {
        Statement::from_sql_and_values(texts.backend, text, values)
    };
    let select = with(&texts.select, vec![account.into(), month.into()]);
    let found = db.query_one_raw(select).await.unwrap().unwrap();
    let before: i64 = found.try_get_by_index(0).unwrap();
    let update = vec![raw.into(), raw.into(), account.into(), month.into()];
    db.execute_raw(with(&texts.update, update)).await.unwrap();
    let insert = vec![
        account.into(),
        month.into(),
        (raw - before).into(),
        raw.into(),
    ];
    db.execute_raw(with(&texts.insert, insert)).await.unwrap();
}

async fn ids(db: &DatabaseConnection, server: &Server) -> HashMap<String, i64> {
    let sql = format!(
        "SELECT username, id FROM account WHERE server_id = {}",
        server.id
    );
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get_by_index(0).unwrap(),
                row.try_get_by_index(1).unwrap(),
            )
        })
        .collect()
}

fn settings(stage: &Stage, server: &Server) -> ServerSettings {
    ServerSettings {
        name: "bench".to_owned(),
        url: stage.panel.url.clone(),
        user: Some(server.user.clone()),
        secret: "BENCHTOKEN".into(),
        pins: Vec::new(),
        ca_pem: Some(stage.panel.pem.clone()),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        time_zone: chrono_tz::Tz::UTC,
        options: Default::default(),
    }
}

/// The same rows by the database alone (readings, months, ledger, days), on one connection and in one
/// transaction: no panel, no parsing, no client, the figures made up in the statement. On PostgreSQL one
/// statement; on the others four, whose ledger rows do not name their readings.
pub(crate) async fn bulk_limit(stage: &mut Stage, servers: &[Server]) -> (usize, Duration) {
    stage.generation += 1;
    let db = connection(stage).await;
    let ids: Vec<String> = servers.iter().map(|one| one.id.to_string()).collect();
    let now = stage.store.now().await.unwrap();
    let date = chrono::DateTime::from_timestamp_millis(now)
        .unwrap()
        .date_naive();
    let statements = statements(stage.kind, &ids.join(", "), date);
    let begun = Instant::now();
    let tx = db.begin().await.unwrap();
    for statement in &statements {
        tx.execute_unprepared(statement).await.unwrap();
    }
    tx.commit().await.unwrap();
    (
        servers.iter().map(|one| one.accounts).sum(),
        begun.elapsed(),
    )
}

/// `date` is today's, as the night dates what it books.
fn statements(kind: Kind, ids: &str, date: chrono::NaiveDate) -> Vec<String> {
    let month = month();
    let source = format!(
        "SELECT a.id AS id, a.username AS username, a.server_id AS server_id, m.total_bytes + {GROWTH} AS total \
         FROM account a JOIN usage_month m ON m.account_id = a.id AND m.month = '{month}' \
         WHERE a.server_id IN ({ids})"
    );
    let readings = |from: &str| {
        format!(
            "INSERT INTO usage_reading (server_id, account_id, username, month, traffic_bytes, \
             traffic_limit_mb, disk_bytes, disk_limit_mb, read_at, job_id, fence) \
             SELECT s.server_id, s.id, s.username, '{month}', s.total, 100000, 1024000, 500, 1, 0, 0 FROM {from} s"
        )
    };
    let columns = [
        "total_bytes",
        "last_raw",
        "epoch",
        "resets",
        "late_bytes",
        "traffic_limit_mb",
        "as_of",
    ];
    let over = columns.map(|column| match kind {
        Kind::MariaDb => format!("{column} = VALUES({column})"),
        _ => format!("{column} = excluded.{column}"),
    });
    let over = over.join(", ");
    let over = match kind {
        Kind::MariaDb => format!("ON DUPLICATE KEY UPDATE {over}"),
        _ => format!("ON CONFLICT (account_id, month) DO UPDATE SET {over}"),
    };
    let months = |from: &str| {
        format!(
            "INSERT INTO usage_month (account_id, month, server_id, {}) \
             SELECT s.id, '{month}', s.server_id, s.total, s.total, 0, 0, 0, 100000, 1 \
             FROM {from} s WHERE true {over}",
            columns.join(", ")
        )
    };
    let ledger = |from: &str, reading: &str| {
        format!(
            "INSERT INTO usage_ledger (account_id, month, entry, delta_bytes, total_bytes, reading_id, \
             job_id, actor, booked_at) \
             SELECT s.id, '{month}', 'delta', {GROWTH}, s.total, {reading}, 0, 'limit', 1 FROM {from}"
        )
    };
    let add = match kind {
        Kind::MariaDb => "ON DUPLICATE KEY UPDATE bytes = bytes + VALUES(bytes)",
        _ => {
            "ON CONFLICT (account_id, date) DO UPDATE SET bytes = usage_day.bytes + excluded.bytes"
        }
    };
    let days = |from: &str| {
        format!(
            "INSERT INTO usage_day (account_id, date, bytes, source, span_days, as_of) \
             SELECT s.id, '{date}', {GROWTH}, 'derived', 1, 1 FROM {from} s WHERE true {add}"
        )
    };
    if kind == Kind::Postgres {
        let (reading, days) = (readings("source"), days("source"));
        let months = months("source");
        let ledger = ledger("source s JOIN readings r ON r.account_id = s.id", "r.id");
        return vec![format!(
            "WITH source AS ({source}), readings AS ({reading} RETURNING id, account_id), \
             months AS ({months}), days AS ({days}) {ledger}"
        )];
    }
    let source = format!("({source})");
    vec![
        readings(&source),
        ledger(&format!("{source} s"), "NULL"),
        days(&source),
        months(&source),
    ]
}
