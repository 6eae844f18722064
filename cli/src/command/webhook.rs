//! `hostler webhook`: where platforms are told.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use jobs::store::Store;
use scheduler::registry::{self, AddedWebhook};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::App;
use crate::error::Failure;
use crate::keys::Role;
use crate::output::cell;
use crate::start::{Patience, keyring, ledger};
use crate::time::{span, stamp};

/// Add, list, rotate and remove webhook addresses.
#[derive(Debug, Args)]
pub struct Webhook {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Args)]
struct Which {
    /// Its name, unique in its platform
    name: String,
    /// The platform
    #[arg(long)]
    platform: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add an address; the key that signs its messages is shown once
    Add {
        #[command(flatten)]
        which: Which,
        /// The address, https
        #[arg(long)]
        url: String,
    },
    /// List them
    List {
        /// Only of this platform
        #[arg(long)]
        platform: Option<String>,
    },
    /// Make a new key, beside which the old one signs for a while; the address is switched on again if it was off
    Rotate {
        #[command(flatten)]
        which: Which,
        /// For how long messages are signed with the old key, too; `0s` when others know it
        #[arg(long, default_value = "24h", value_name = "SPAN")]
        overlap: String,
    },
    /// Remove an address
    Remove {
        #[command(flatten)]
        which: Which,
    },
}

impl Webhook {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        match self.action {
            Action::Add { which, url } => {
                let keys = keyring(&app.config.settings, Role::Operator)?;
                let platform = registry::platform_named(&store, &which.platform).await?;
                let added =
                    registry::add_webhook(&store, &keys, platform, &which.name, &url).await?;
                show_key(app, &added);
            }
            Action::Rotate { which, overlap } => {
                let overlap = milliseconds(&overlap)?;
                let keys = keyring(&app.config.settings, Role::Operator)?;
                let platform = registry::platform_named(&store, &which.platform).await?;
                let added =
                    registry::rotate_webhook(&store, &keys, platform, &which.name, overlap).await?;
                show_key(app, &added);
            }
            Action::Remove { which } => {
                let platform = registry::platform_named(&store, &which.platform).await?;
                registry::remove_webhook(&store, platform, &which.name).await?;
                app.out
                    .json(&json!({ "name": which.name, "removed": true }));
                app.out.line(format!("Removed {}.", which.name));
            }
            Action::List { platform } => list(app, &store, platform.as_deref()).await?,
        }
        Ok(())
    }
}

fn milliseconds(overlap: &str) -> Result<Duration, Failure> {
    span(overlap)
        .and_then(|span| u64::try_from(span).ok())
        .map(Duration::from_millis)
        .ok_or_else(|| Failure::usage("overlap", "must be a span like 30m, 24h, 3d"))
}

fn show_key(app: &App, added: &AddedWebhook) {
    app.out.json(&json!({
        "name": added.row.name,
        "url": added.row.url,
        "key": added.key.expose_secret(),
        "old_key_until": added.old_until.map(stamp),
    }));
    app.out.line(format!(
        "{} sends to {}. Its key, shown once:\n\n  {}",
        added.row.name,
        added.row.url,
        added.key.expose_secret()
    ));
    if let Some(until) = added.old_until {
        app.out.line(format!(
            "\nMessages are signed with the old key, too, until {}.",
            stamp(until)
        ));
    }
}

async fn list(app: &App, store: &Store, platform: Option<&str>) -> Result<(), Failure> {
    let only = match platform {
        Some(name) => Some(registry::platform_named(store, name).await?),
        None => None,
    };
    let names: BTreeMap<i64, String> = registry::platforms(store)
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    let rows = registry::webhooks(store, only).await?;
    let values: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "platform": names.get(&row.platform_id),
                "url": row.url,
                "created_at": stamp(row.created_at),
                "disabled_at": row.disabled_at.map(stamp),
                "disabled_reason": row.disabled_reason,
            })
        })
        .collect();
    app.out.json(&values);
    let rows = rows
        .iter()
        .map(|row| {
            let state = match &row.disabled_reason {
                Some(reason) => format!("off: {}", cell(Some(reason))),
                None if row.disabled_at.is_some() => "off".to_owned(),
                None => "on".to_owned(),
            };
            vec![
                cell(Some(&row.name)),
                cell(names.get(&row.platform_id)),
                cell(Some(&row.url)),
                state,
            ]
        })
        .collect();
    app.out.table(
        &["name", "platform", "address", "state"],
        rows,
        "No webhooks.",
    );
    Ok(())
}
