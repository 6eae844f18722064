//! Listing, showing and checking.

use std::collections::BTreeMap;
use std::time::Duration;

use entity::server;
use jobs::store::Store;
use panels::ServerConfig;
use scheduler::registry::{self, AccountFilter};
use serde_json::{Value, json};

use crate::App;
use crate::command::wait::{Door, result};
use crate::error::Failure;
use crate::output::cell;
use crate::start::{Patience, ledger};
use crate::time::{now_ms, relative, stamp};

/// A server's gate in a word and its reason.
fn standing(row: &server::Model, now: i64) -> (&'static str, String) {
    let until = |at: Option<i64>| at.map(|at| relative(at, now)).unwrap_or_default();
    if row.paused && row.paused_until.is_none_or(|end| end > now) {
        let why = row.pause_reason.clone().unwrap_or_default();
        return (
            "paused",
            [why, until(row.paused_until)].join(" ").trim().to_owned(),
        );
    }
    if let (Some(from), Some(end)) = (row.maintenance_from, row.maintenance_until)
        && (from..end).contains(&now)
    {
        return ("maintenance", until(Some(end)));
    }
    if row.auth_hold_since.is_some() {
        let detail = row.auth_hold_detail.clone().unwrap_or_default();
        return ("credentials refused", detail);
    }
    if row.cool_until.is_some_and(|end| end > now) {
        return ("cooling down", until(row.cool_until));
    }
    if row.breaker_probe_at.is_some() {
        return (
            "unreachable",
            format!("{} times in a row", row.breaker_failures),
        );
    }
    match row.checked_at {
        Some(_) => ("up", String::new()),
        None => ("not checked", String::new()),
    }
}

async fn account_counts(store: &Store) -> Result<BTreeMap<i64, usize>, Failure> {
    let filter = AccountFilter {
        limit: u64::from(u32::MAX),
        ..AccountFilter::default()
    };
    let mut counts = BTreeMap::new();
    for row in registry::live_accounts(store, &filter).await? {
        *counts.entry(row.server_id).or_insert(0) += 1;
    }
    Ok(counts)
}

pub(super) async fn list(app: &App) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let rows = registry::servers(&store).await?;
    let counts = account_counts(&store).await?;
    let now = now_ms();
    let values: Vec<Value> = rows
        .iter()
        .map(|row| value(row, counts.get(&row.id).copied().unwrap_or(0), now))
        .collect();
    app.out.json(&values);
    let rows = rows
        .iter()
        .map(|row| {
            let (word, why) = standing(row, now);
            vec![
                row.name.clone(),
                row.panel.clone(),
                cell(Some(&row.url)),
                app.out.state(word),
                counts.get(&row.id).copied().unwrap_or(0).to_string(),
                cell(row.version.as_ref()),
                cell(row.checked_at.map(|at| relative(at, now))),
                cell(Some(why)),
            ]
        })
        .collect();
    app.out.table(
        &[
            "name", "panel", "address", "state", "accounts", "version", "checked", "",
        ],
        rows,
        "No servers. Add one with `hostler server add`.",
    );
    Ok(())
}

fn value(row: &server::Model, accounts: usize, now: i64) -> Value {
    let list = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (state, why) = standing(row, now);
    json!({
        "name": row.name,
        "panel": row.panel,
        "url": row.url,
        "user": row.user,
        "state": state,
        "why": why,
        "accounts": accounts,
        "pins": list(&row.pins),
        "allow_networks": list(&row.allow_networks),
        "time_zone": row.time_zone,
        "stats_at": row.stats_at,
        "nightly": row.enabled,
        "max_jobs": row.max_jobs,
        "max_creates": row.max_creates,
        "max_terminates": row.max_terminates,
        "version": row.version,
        "host_name": row.host_name,
        "checked_at": row.checked_at.map(stamp),
        "notes": row.check_notes.as_deref().map(list),
    })
}

pub(super) async fn show(app: &App, name: &str) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let row = registry::server_named(&store, name).await?;
    let accounts = account_counts(&store)
        .await?
        .get(&row.id)
        .copied()
        .unwrap_or(0);
    let now = now_ms();
    app.out.json(&value(&row, accounts, now));
    let (word, why) = standing(&row, now);
    let brackets = |text: &str| {
        if text == "[]" {
            String::new()
        } else {
            text.to_owned()
        }
    };
    app.out.fields(&[
        ("server", row.name.clone()),
        ("panel", row.panel.clone()),
        ("version", row.version.clone().unwrap_or_default()),
        ("address", row.url.clone()),
        ("host name", row.host_name.clone().unwrap_or_default()),
        ("user", row.user.clone().unwrap_or_default()),
        ("state", format!("{word} {why}").trim().to_owned()),
        ("maintenance", window(&row, now)),
        ("accounts", accounts.to_string()),
        (
            "at one time",
            format!("{} jobs, {} creates", row.max_jobs, row.max_creates),
        ),
        (
            "guard",
            match row.max_terminates {
                0 => "off".to_owned(),
                most => format!("{most} terminations an hour"),
            },
        ),
        ("pins", brackets(&row.pins)),
        ("private networks", brackets(&row.allow_networks)),
        ("time zone", row.time_zone.clone()),
        (
            "traffic is read",
            if row.enabled {
                format!("{} minutes after its midnight", row.stats_at)
            } else {
                "not by itself".to_owned()
            },
        ),
        (
            "checked",
            row.checked_at
                .map_or_else(|| "never".to_owned(), |at| relative(at, now)),
        ),
    ]);
    notes(app, &row);
    Ok(())
}

/// The maintenance window that runs or is to come.
fn window(row: &server::Model, now: i64) -> String {
    match (row.maintenance_from, row.maintenance_until) {
        (Some(from), Some(end)) if end > now => format!("{} to {}", stamp(from), stamp(end)),
        _ => String::new(),
    }
}

/// What the last check found, one line each.
fn notes(app: &App, row: &server::Model) -> usize {
    let notes: Vec<String> = row
        .check_notes
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for note in &notes {
        app.out.line(format!("  note: {}", cell(Some(note))));
    }
    notes.len()
}

pub(super) async fn check(app: &App, name: &str, wait: u64) -> Result<(), Failure> {
    let door = Door::open(app).await?;
    let body = json!({ "kind": "check_connection", "server": name });
    let job = door
        .run(
            app.out,
            &format!("checking {name}"),
            body,
            Duration::from_secs(wait),
        )
        .await?;
    let found = result(&job);
    app.out.json(&found);
    let version = found["version"].as_str().unwrap_or("an unknown version");
    app.out.line(format!(
        "{name} {}: {}",
        app.out.good("answers"),
        cell(Some(version))
    ));
    let row = registry::server_named(&door.store, name).await?;
    notes(app, &row);
    let missing = found["missing_rights"].as_array().map_or(0, Vec::len);
    if missing == 0 {
        Ok(())
    } else {
        app.out.line(format!(
            "{missing} rights are missing; jobs that need them will be refused."
        ));
        Err(Failure::Shown)
    }
}

pub(super) async fn packages(app: &App, name: &str, wait: u64) -> Result<(), Failure> {
    let door = Door::open(app).await?;
    let body = json!({ "kind": "get_server_config", "server": name });
    door.run(
        app.out,
        &format!("reading the packages of {name}"),
        body,
        Duration::from_secs(wait),
    )
    .await?;
    let row = registry::server_named(&door.store, name).await?;
    let config: ServerConfig = row
        .config
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    app.out.json(&config.packages);
    let rows = config
        .packages
        .iter()
        .map(|package| {
            let limits: Vec<String> = package
                .limits
                .iter()
                .map(|(name, limit)| format!("{name} {limit}"))
                .collect();
            vec![package.name.to_string(), limits.join(", ")]
        })
        .collect();
    app.out
        .table(&["package", "limits"], rows, "The panel has no packages.");
    Ok(())
}
