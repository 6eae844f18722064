//! A month that is sent while it is read: complete in every layout, cut off where the ledger fails, ended
//! where the client goes.

use std::collections::BTreeSet;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use reqwest::{Method, Response, StatusCode};
use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::support::App;

/// Far more than what the buffers between server and client hold.
const MANY: u32 = 40_000;

/// So many accounts of the app's platform, each with its month, made by the database itself.
async fn fill(app: &App, accounts: u32) {
    let platform = app.platform;
    for sql in [
        format!(
            "INSERT INTO account (public_id, server_id, platform_id, username, domain, state, limits, \
             dedicated_ip, panel, evidence, missing_nights, created_at, updated_at) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {accounts}) \
             SELECT printf('A%025d', i), (SELECT id FROM server), {platform}, printf('user%d', i), \
             printf('user%d.example.com', i), 'active', '{{}}', 0, '{{}}', '{{}}', 0, 1, 1 FROM n"
        ),
        "INSERT INTO usage_month (account_id, month, server_id, total_bytes, last_raw, epoch, resets, \
         late_bytes, traffic_limit_mb, as_of) \
         SELECT id, '2026-01', server_id, id * 1048576, 0, 0, 0, 0, 10, 1 FROM account"
            .to_owned(),
    ] {
        let connection = app.store().writer_connection();
        connection.execute_unprepared(&sql).await.unwrap();
    }
}

async fn ask(app: &App, format: &str) -> Response {
    let path = format!("/v1/usage?month=2026-01&format={format}");
    let request = app.request(Method::GET, &path).bearer_auth(&app.token);
    request.send().await.unwrap()
}

fn ids(items: &[Value]) -> BTreeSet<&str> {
    items
        .iter()
        .map(|item| item["account_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn every_account_comes_once_in_every_layout() {
    let app = App::start().await;
    let accounts = 2_500;
    fill(&app, accounts).await;
    let rows = usize::try_from(accounts).unwrap();
    let json = app.get("/v1/usage?month=2026-01").await.json();
    let items = json["items"].as_array().unwrap();
    assert_eq!((&json["month"], items.len()), (&"2026-01".into(), rows));
    assert_eq!(ids(items).len(), rows);
    let sum: i64 = items
        .iter()
        .map(|item| item["overage_mb"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, (1..=2490).sum::<i64>(), "beyond 10 MB each");
    let lines = app.get("/v1/usage?month=2026-01&format=ndjson").await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = lines
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, items);
    let csv = app.get("/v1/usage?month=2026-01&format=csv").await.text;
    assert_eq!(csv.lines().count(), rows + 1);
    assert!(csv.lines().all(|line| line.split(',').count() == 18));
    let none = app.get("/v1/usage?month=2025-01").await.json();
    assert_eq!(none["items"].as_array().unwrap().len(), rows, "they live");
    assert_eq!(none["items"][0]["traffic_bytes"], Value::Null);
}

/// The file's rows, each column by its name.
async fn parquet_rows(app: &App) -> Vec<Vec<(String, Field)>> {
    let answer = ask(app, "parquet").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = &answer.headers()["content-type"];
    assert_eq!(kind, "application/vnd.apache.parquet");
    let file = SerializedFileReader::new(answer.bytes().await.unwrap()).unwrap();
    let rows = file.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns()).collect()
}

#[tokio::test]
async fn a_parquet_file_of_several_groups_says_what_csv_says() {
    let app = App::start().await;
    fill(&app, MANY + 1).await;
    let forever =
        "UPDATE usage_month SET traffic_limit_mb = -1, closed_at = 86400000 WHERE account_id = 1";
    let connection = app.store().writer_connection();
    connection.execute_unprepared(forever).await.unwrap();
    let rows = parquet_rows(&app).await;
    let csv = ask(&app, "csv").await.text().await.unwrap();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    assert_eq!(rows.len(), usize::try_from(MANY).unwrap() + 1);
    for (row, line) in rows.iter().zip(lines) {
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, header);
        for ((name, field), text) in row.iter().zip(line) {
            let same = match field {
                Field::Null => text.is_empty(),
                Field::Str(value) => value == text,
                Field::Long(-1) => text == "unlimited",
                Field::Long(number) => number.to_string() == text,
                Field::TimestampMillis(at) => {
                    let time = chrono::DateTime::parse_from_rfc3339(text).unwrap();
                    time.timestamp_millis() == *at
                }
                _ => false,
            };
            assert!(same, "{name}: {field:?} is not {text}");
        }
    }
}

#[tokio::test]
async fn without_accounts_an_export_is_empty_and_complete() {
    let app = App::start().await;
    let json = app.get("/v1/usage?month=2026-01").await.json();
    assert_eq!(json["items"].as_array().unwrap().len(), 0);
    let csv = app.get("/v1/usage?month=2026-01&format=csv").await.text;
    assert_eq!(csv.lines().count(), 1);
    let lines = app.get("/v1/usage?month=2026-01&format=ndjson").await;
    assert_eq!((lines.status, lines.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(parquet_rows(&app).await.len(), 0);
}

#[tokio::test]
async fn a_ledger_that_fails_in_the_middle_leaves_a_broken_answer() {
    let app = App::start().await;
    fill(&app, MANY).await;
    for format in ["csv", "json", "ndjson", "parquet"] {
        let mut answer = ask(&app, format).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.chunk().await.unwrap().is_some());
        let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
        let connection = app.store().writer_connection();
        let away = rename("usage_month", "usage_gone");
        connection.execute_unprepared(&away).await.unwrap();
        let mut rest = 0;
        let broken = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => rest += bytes.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken, "{format}: {rest} bytes look like a complete answer");
        let refused = ask(&app, format).await;
        assert_eq!(
            refused.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{format}"
        );
        let back = rename("usage_gone", "usage_month");
        connection.execute_unprepared(&back).await.unwrap();
    }
}

#[tokio::test]
async fn clients_that_go_away_end_the_reading() {
    let app = App::start().await;
    fill(&app, MANY).await;
    let mut open = Vec::new();
    // Nobody reads on, so that each keeps its place.
    let busy = loop {
        let answer = ask(&app, "ndjson").await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        open.push(answer);
    };
    assert_eq!(
        (open.len(), busy.status()),
        (4, StatusCode::TOO_MANY_REQUESTS)
    );
    assert!(busy.headers().contains_key("retry-after"));
    drop(open);
    // Their places come back, all of them.
    let mut again = Vec::new();
    while again.len() < 4 {
        let answer = ask(&app, "csv").await;
        if answer.status() == StatusCode::OK {
            again.push(answer);
        }
    }
}
