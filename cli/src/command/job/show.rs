//! Jobs as a person reads them.

use std::collections::BTreeMap;

use entity::{account, attempt, job, job_event, server};
use jobs::store::{JobFilter, Store, StoreError, Waiting};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::App;
use crate::error::Failure;
use crate::output::cell;
use crate::time::{now_ms, relative, stamp};

/// Names for the rows that jobs point to.
struct Names {
    servers: BTreeMap<i64, String>,
    accounts: BTreeMap<i64, account::Model>,
}

impl Names {
    async fn of(store: &Store, jobs: &[job::Model]) -> Result<Self, Failure> {
        let servers = server::Entity::find()
            .all(store.reader())
            .await
            .map_err(StoreError::from)?;
        let ids: Vec<i64> = jobs.iter().filter_map(|job| job.account_id).collect();
        let mut accounts = BTreeMap::new();
        for some in ids.chunks(500) {
            let rows = account::Entity::find()
                .filter(account::Column::Id.is_in(some.iter().copied()))
                .all(store.reader())
                .await
                .map_err(StoreError::from)?;
            accounts.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        Ok(Self {
            servers: servers.into_iter().map(|row| (row.id, row.name)).collect(),
            accounts,
        })
    }

    fn server(&self, job: &job::Model) -> Option<&str> {
        self.servers.get(&job.server_id?).map(String::as_str)
    }

    fn account(&self, job: &job::Model) -> Option<&account::Model> {
        self.accounts.get(&job.account_id?)
    }
}

pub(super) async fn list(app: &App, store: &Store, filter: &JobFilter) -> Result<(), Failure> {
    let jobs = store.jobs(filter).await?;
    let waiting = store.waiting_for(&jobs).await?;
    let names = Names::of(store, &jobs).await?;
    if app.out.is_json() {
        let items: Vec<Value> = jobs
            .iter()
            .map(|job| value(job, &names, waiting.get(&job.id)))
            .collect();
        app.out.json(&items);
        return Ok(());
    }
    let now = now_ms();
    let rows = jobs
        .iter()
        .map(|job| {
            vec![
                job.public_id.clone(),
                job.kind.clone(),
                cell(names.server(job)),
                cell(names.account(job).map(|account| &account.username)),
                app.out.state(&job.state),
                job.attempt.to_string(),
                relative(job.created_at, now),
                why(job, waiting.get(&job.id), now),
            ]
        })
        .collect();
    app.out.table(
        &[
            "id", "kind", "server", "account", "state", "attempt", "accepted", "why",
        ],
        rows,
        "No jobs.",
    );
    Ok(())
}

/// What it waits for, or why it ended so.
fn why(job: &job::Model, waiting: Option<&Waiting>, now: i64) -> String {
    if let Some(waiting) = waiting {
        let until = waiting
            .until
            .map(|at| format!(", {}", relative(at, now)))
            .unwrap_or_default();
        let on = waiting
            .job_id
            .as_ref()
            .map(|id| format!(" {id}"))
            .unwrap_or_default();
        return format!("{}{on}{until}", waiting.reason.replace('_', " "));
    }
    match job.state.as_str() {
        "succeeded" => String::new(),
        _ => job
            .error_message
            .as_deref()
            .or(job.hold_code.as_deref())
            .map(|text| cell(Some(text)))
            .unwrap_or_default(),
    }
}

fn value(job: &job::Model, names: &Names, waiting: Option<&Waiting>) -> Value {
    let account = names.account(job).map(|account| {
        json!({
            "id": account.public_id,
            "reference": account.reference,
            "username": account.username,
            "domain": account.domain,
            "state": account.state,
        })
    });
    json!({
        "id": job.public_id,
        "kind": job.kind,
        "state": job.state,
        "server": names.server(job),
        "account": account,
        "attempt": job.attempt,
        "due_at": stamp(job.due_at),
        "waiting_for": waiting.map(|waiting| json!({
            "reason": waiting.reason,
            "job_id": waiting.job_id,
            "until": waiting.until.map(stamp),
        })),
        "created_at": stamp(job.created_at),
        "started_at": job.started_at.map(stamp),
        "finished_at": job.finished_at.map(stamp),
        "hold_code": job.hold_code,
        "result": job.result.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
        "error": job.error_code.as_ref().map(|code| json!({
            "code": code,
            "class": job.error_class,
            "message": job.error_message,
        })),
        "actor": job.actor,
        "reason": job.reason,
    })
}

pub(super) async fn one(app: &App, store: &Store, job: &job::Model) -> Result<(), Failure> {
    let jobs = std::slice::from_ref(job);
    let waiting = store.waiting_for(jobs).await?;
    let waiting = waiting.get(&job.id);
    let names = Names::of(store, jobs).await?;
    let attempts = store.attempts(job.id).await?;
    let events = store.events(job.id).await?;
    if app.out.is_json() {
        let mut document = value(job, &names, waiting);
        document["attempts"] = attempts.iter().map(attempt_value).collect();
        document["events"] = events.iter().map(event_value).collect();
        app.out.json(&document);
        return Ok(());
    }
    let now = now_ms();
    let account = names.account(job).map(|account| {
        let domain = account.domain.as_deref().unwrap_or("no domain");
        format!("{} ({domain}, {})", account.username, account.state)
    });
    app.out.fields(&[
        ("job", job.public_id.clone()),
        ("kind", job.kind.clone()),
        ("state", job.state.clone()),
        ("waits for", why_open(job, waiting, now)),
        ("server", names.server(job).unwrap_or_default().to_owned()),
        ("account", account.unwrap_or_default()),
        (
            "tries",
            format!(
                "{} of {} (attempt {})",
                job.tries, job.max_tries, job.attempt
            ),
        ),
        ("accepted", at(Some(job.created_at), now)),
        ("started", at(job.started_at, now)),
        ("finished", at(job.finished_at, now)),
        ("asked by", job.actor.clone()),
        ("reason", job.reason.clone().unwrap_or_default()),
        ("held for", job.hold_code.clone().unwrap_or_default()),
        ("error", error_text(job)),
        ("result", job.result.clone().unwrap_or_default()),
    ]);
    show_attempts(app, &attempts, now);
    show_events(app, &events, now);
    Ok(())
}

fn why_open(job: &job::Model, waiting: Option<&Waiting>, now: i64) -> String {
    if waiting.is_some() {
        why(job, waiting, now)
    } else {
        String::new()
    }
}

fn error_text(job: &job::Model) -> String {
    match (&job.error_code, &job.error_message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, message) => message.clone().unwrap_or_default(),
    }
}

fn at(time: Option<i64>, now: i64) -> String {
    time.map(|time| format!("{} ({})", stamp(time), relative(time, now)))
        .unwrap_or_default()
}

fn show_attempts(app: &App, attempts: &[attempt::Model], now: i64) {
    if attempts.is_empty() {
        return;
    }
    app.out.line(format!("\n{}", app.out.title("Attempts")));
    let rows = attempts
        .iter()
        .map(|attempt| {
            vec![
                attempt.attempt.to_string(),
                relative(attempt.started_at, now),
                format!("{} ms", (attempt.finished_at - attempt.started_at).max(0)),
                attempt.outcome.clone(),
                cell(attempt.error_code.as_ref()),
                cell(attempt.detail.as_ref().or(attempt.error_message.as_ref())),
            ]
        })
        .collect();
    app.out.table(
        &["#", "started", "took", "outcome", "error", "detail"],
        rows,
        "",
    );
}

fn show_events(app: &App, events: &[job_event::Model], now: i64) {
    if events.is_empty() {
        return;
    }
    app.out.line(format!("\n{}", app.out.title("History")));
    let rows = events
        .iter()
        .map(|event| {
            vec![
                relative(event.at, now),
                event.event.clone(),
                cell(Some(&event.actor)),
                cell(event.reason.as_ref()),
            ]
        })
        .collect();
    app.out.table(&["when", "what", "who", "why"], rows, "");
}

fn attempt_value(attempt: &attempt::Model) -> Value {
    json!({
        "attempt": attempt.attempt,
        "worker": attempt.owner,
        "started_at": stamp(attempt.started_at),
        "sent_at": attempt.sent_at.map(stamp),
        "finished_at": stamp(attempt.finished_at),
        "outcome": attempt.outcome,
        "error_class": attempt.error_class,
        "error_code": attempt.error_code,
        "error_message": attempt.error_message,
        "detail": attempt.detail,
        "next_due_at": attempt.next_due_at.map(stamp),
    })
}

fn event_value(event: &job_event::Model) -> Value {
    json!({
        "at": stamp(event.at),
        "actor": event.actor,
        "event": event.event,
        "attempt": event.attempt,
        "reason": event.reason,
    })
}
