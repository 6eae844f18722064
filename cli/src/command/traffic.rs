//! `hostler traffic`: what was used, and what was booked.

use std::time::Duration;

use chrono_tz::Tz;
use clap::{Args, Subcommand, ValueEnum};
use entity::server;
use hosting::Month;
use jobs::store::Store;
use scheduler::registry::{self, AccountFilter, UsageRow};
use serde_json::{Value, json};

use super::account::find_account;
use super::operator;
use super::wait::{Door, result};
use crate::App;
use crate::error::Failure;
use crate::keys::Role;
use crate::output::{bytes, cell};
use crate::start::{Patience, doorbell, keyring, ledger};
use crate::time::{now_ms, relative, stamp};

/// Read, show, export and close traffic.
#[derive(Debug, Args)]
pub struct Traffic {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a month's traffic from the panels now
    Sync(Sync),
    /// Show a month's traffic
    Show {
        #[command(flatten)]
        which: Which,
        /// Only of this account: its id, or its username
        #[arg(long)]
        account: Option<String>,
    },
    /// Write a month's traffic and overage to standard output
    Export {
        /// The month
        #[arg(long, value_name = "YYYY-MM")]
        month: Month,
        /// Only of this server
        #[arg(long)]
        server: Option<String>,
        /// As what
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
    /// Close a month: what comes later becomes a visible correction
    Close {
        /// The month
        #[arg(long, value_name = "YYYY-MM")]
        month: Month,
        /// Only of this server
        #[arg(long)]
        server: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Sync {
    /// Of this server
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    server: Option<String>,
    /// Of all servers
    #[arg(long)]
    all: bool,
    /// The month [default: the panel's running month]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Wait for the end, at most ten minutes
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Which {
    /// The month [default: the running month, UTC]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Only of this server
    #[arg(long)]
    server: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
}

impl Traffic {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::Sync(sync) => sync.run(app).await,
            Action::Show { which, account } => {
                let store = ledger(&app.config.settings, Patience::None).await?;
                show(app, &store, &which, account.as_deref()).await
            }
            Action::Export {
                month,
                server,
                format,
            } => {
                let store = ledger(&app.config.settings, Patience::None).await?;
                let rows = usage(&store, month, server.as_deref()).await?;
                match format {
                    Format::Csv => app.out.raw(
                        &registry::month_csv(&rows)
                            .map_err(|error| Failure::work(error.to_string()))?,
                    ),
                    Format::Json => {
                        let values: Vec<Value> = rows.iter().map(value).collect();
                        app.out.document(&values);
                    }
                }
                Ok(())
            }
            Action::Close { month, server } => close(app, month, server.as_deref()).await,
        }
    }
}

async fn meant(store: &Store, server: Option<&str>) -> Result<Vec<server::Model>, Failure> {
    Ok(match server {
        Some(name) => vec![registry::server_named(store, name).await?],
        None => registry::servers(store).await?,
    })
}

fn month_on(server: &server::Model, now: i64) -> Month {
    let zone: Tz = server.time_zone.parse().unwrap_or(Tz::UTC);
    let utc = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default();
    Month::of(&utc.with_timezone(&zone))
}

impl Sync {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let door = Door::open(app).await?;
        let now = door.store.now().await?;
        let mut accepted = Vec::new();
        for row in meant(&door.store, self.server.as_deref()).await? {
            let month = self.month.unwrap_or_else(|| month_on(&row, now));
            let body =
                json!({ "kind": "get_stats", "server": row.name, "month": month.to_string() });
            let job = door.put(body).await?.job;
            app.out
                .line(format!("{}  {} {month}", job.public_id, row.name));
            accepted.push((row.name, month, job));
        }
        let mut values = Vec::new();
        let mut bad = 0_usize;
        for (name, month, job) in accepted {
            let ended = match self.wait {
                true => door.wait(&job, Duration::from_secs(600)).await?,
                false => None,
            };
            let state = ended.as_ref().map_or("queued", |job| job.state.as_str());
            let found = ended.as_ref().map(result);
            if self.wait {
                bad += usize::from(state != "succeeded");
                let booked = found
                    .as_ref()
                    .and_then(|found| found["booked_bytes"].as_i64())
                    .map(|count| format!(", {} booked", bytes(count)))
                    .unwrap_or_default();
                app.out
                    .line(format!("{name} {month}: {}{booked}", app.out.state(state)));
            }
            values.push(json!({
                "id": job.public_id, "server": name, "month": month.to_string(), "state": state, "result": found,
            }));
        }
        app.out.json(&values);
        if bad == 0 {
            Ok(())
        } else {
            Err(Failure::Shown)
        }
    }
}

async fn usage(
    store: &Store,
    month: Month,
    server: Option<&str>,
) -> Result<Vec<UsageRow>, Failure> {
    let servers = match server {
        Some(name) => Some(vec![registry::server_named(store, name).await?.id]),
        None => None,
    };
    let filter = AccountFilter {
        servers,
        limit: u64::from(u32::MAX),
        ..AccountFilter::default()
    };
    Ok(registry::month_usage(store, month, &filter).await?)
}

async fn show(
    app: &App,
    store: &Store,
    which: &Which,
    account: Option<&str>,
) -> Result<(), Failure> {
    let now = now_ms();
    let month = match which.month {
        Some(month) => month,
        None => Month::of(&chrono::DateTime::from_timestamp_millis(now).unwrap_or_default()),
    };
    let mut rows = usage(store, month, which.server.as_deref()).await?;
    if let Some(text) = account {
        let meant = find_account(store, text, which.server.as_deref()).await?;
        rows.retain(|row| row.account.id == meant.id);
    }
    let values: Vec<Value> = rows.iter().map(value).collect();
    app.out.json(&values);
    let none = format!("No traffic is known for {month}.");
    let lines = rows
        .iter()
        .map(|row| {
            let usage = row.usage.as_ref();
            vec![
                cell(Some(&row.server)),
                cell(Some(&row.account.username)),
                cell(row.account.domain.as_ref()),
                cell(usage.map(|usage| bytes(usage.total_bytes))),
                cell(row.traffic_limit.map(|limit| limit.to_string())),
                cell(row.overage_bytes().map(bytes)),
                cell(row.disk_bytes.map(bytes)),
                cell(usage.map(|usage| relative(usage.as_of, now))),
                cell(usage.and_then(|usage| usage.flag.as_ref())),
            ]
        })
        .collect();
    app.out.table(
        &[
            "server", "username", "domain", "booked", "limit MB", "over", "disk", "as of", "flag",
        ],
        lines,
        &none,
    );
    Ok(())
}

fn value(row: &UsageRow) -> Value {
    let usage = row.usage.as_ref();
    json!({
        "month": row.month.to_string(),
        "server": row.server,
        "account_id": row.account.public_id,
        "username": row.account.username,
        "domain": row.account.domain,
        "reference": row.account.reference,
        "traffic_bytes": usage.map(|usage| usage.total_bytes),
        "traffic_limit_mb": row.traffic_limit,
        "overage_bytes": row.overage_bytes(),
        "disk_bytes": row.disk_bytes,
        "resets": usage.map(|usage| usage.resets),
        "flag": usage.and_then(|usage| usage.flag.clone()),
        "late_bytes": usage.map(|usage| usage.late_bytes),
        "closed_at": usage.and_then(|usage| usage.closed_at).map(stamp),
        "as_of": usage.map(|usage| stamp(usage.as_of)),
    })
}

async fn close(app: &App, month: Month, server: Option<&str>) -> Result<(), Failure> {
    let store = ledger(&app.config.settings, Patience::None).await?;
    let keys = keyring(&app.config.settings, Role::Operator)?;
    let bell = doorbell(&app.config.settings).await?;
    let mut values = Vec::new();
    for row in meant(&store, server).await? {
        let now = store.now().await?;
        let closed = registry::close_month(&store, &keys, &row, month, &operator(), now).await?;
        bell.ring(&closed.rings).await;
        app.out.line(format!(
            "{} {month}: {} accounts closed",
            row.name, closed.accounts
        ));
        values.push(json!({ "server": row.name, "closed": closed.accounts }));
    }
    app.out.json(&values);
    Ok(())
}
