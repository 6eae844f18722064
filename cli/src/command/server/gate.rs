//! Pausing, resuming, releasing, removing.

use clap::Args;
use jobs::store::{Pause as Window, Store};
use scheduler::registry::{self, Removed};
use serde_json::json;

use crate::App;
use crate::command::operator;
use crate::error::Failure;
use crate::start::{Patience, doorbell, ledger};
use crate::time::{future, now_ms, span, stamp};

/// Let no more jobs start on it; running ones go on.
#[derive(Debug, Args)]
pub(super) struct Pause {
    /// Its name
    name: String,
    /// Begin later (a maintenance window): a time, or a span like 2h
    #[arg(long, value_name = "TIME", requires = "until")]
    from: Option<String>,
    /// End by itself: a time, or a span like 2h
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
}

impl Pause {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let row = registry::server_named(&store, &self.name).await?;
        let now = store.now().await?;
        let window = Window {
            from: point("from", self.from.as_deref(), now)?,
            until: point("until", self.until.as_deref(), now)?,
            reason: self.reason,
        };
        store.pause_server(row.id, &window).await?;
        app.out.json(&json!({
            "name": row.name,
            "paused_from": window.from.map(stamp),
            "paused_until": window.until.map(stamp),
        }));
        let from = window.from.map_or_else(|| "now on".to_owned(), stamp);
        let until = window.until.map_or_else(
            || "until `hostler server resume`".to_owned(),
            |at| format!("until {}", stamp(at)),
        );
        app.out.line(format!(
            "{} is paused from {from}, {until}; jobs that run go on.",
            row.name
        ));
        Ok(())
    }
}

fn point(field: &str, text: Option<&str>, now: i64) -> Result<Option<i64>, Failure> {
    text.map(|text| future(text, now).map_err(|error| Failure::usage(field, error)))
        .transpose()
}

pub(super) async fn resume(app: &App, name: &str) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let row = registry::server_named(&store, name).await?;
    store.resume_server(row.id).await?;
    ring_waiting(app, &store, row.id).await?;
    app.out.json(&json!({ "name": row.name, "resumed": true }));
    app.out.line(format!("{name} takes jobs again."));
    Ok(())
}

/// What waited can start at once instead of at the next look.
async fn ring_waiting(app: &App, store: &Store, server_id: i64) -> Result<(), Failure> {
    let bell = doorbell(&app.config.settings).await?;
    bell.ring(&store.next_on(&[server_id]).await?).await;
    Ok(())
}

pub(super) async fn release(app: &App, name: &str, text: &str) -> Result<(), Failure> {
    let span =
        span(text).ok_or_else(|| Failure::usage("for", "write a span like 30m, 2h or 1d"))?;
    let store = ledger(&app.config.settings, Patience::None).await?;
    let row = registry::server_named(&store, name).await?;
    let until = store.now().await?.saturating_add(span);
    store.release_guard(row.id, until).await?;
    app.out
        .json(&json!({ "name": row.name, "released_until": stamp(until) }));
    app.out.line(format!(
        "Terminations on {name} pass the guard until {}. Held ones: hostler job replay --where state=held,kind=terminate,server={name}",
        stamp(until)
    ));
    Ok(())
}

pub(super) async fn remove(app: &App, name: &str, force: bool) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let (removed, rings) = registry::remove_server(&store, name, &operator(), force).await?;
    doorbell(&app.config.settings).await?.ring(&rings).await;
    match removed {
        Removed::Done { cancelled } => {
            app.out
                .json(&json!({ "name": name, "removed": true, "cancelled": cancelled }));
            app.out.line(format!(
                "Removed {name} ({cancelled} waiting jobs cancelled). Its history stays."
            ));
            Ok(())
        }
        Removed::StillRunning { cancelled, running } => {
            app.out.json(&json!({
                "name": name, "removed": false, "cancelled": cancelled, "running": running,
            }));
            app.out.line(format!(
                "{running} jobs still run on {name}; {cancelled} waiting ones are cancelled, its secrets are wiped. Run this again at {} or later.",
                stamp(now_ms() + 60_000)
            ));
            Err(Failure::Shown)
        }
    }
}
