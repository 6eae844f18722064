//! `hostler account`: the accounts that are known.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use entity::account;
use jobs::AccountState;
use jobs::store::{Store, StoreError};
use scheduler::registry::{self, AccountFilter};
use serde_json::{Value, json};

use super::wait::{Door, result};
use crate::App;
use crate::error::Failure;
use crate::output::{bytes, cell};
use crate::start::{Patience, ledger};
use crate::time::{now_ms, relative, stamp};

/// After so many nights without a word of it, an account is rather gone than overlooked.
const GONE: i32 = 3;

/// List, show and import accounts.
#[derive(Debug, Args)]
pub struct Account {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List accounts
    List {
        /// Only of this server
        #[arg(long)]
        server: Option<String>,
        /// Only in this state
        #[arg(long)]
        state: Option<AccountState>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u64,
    },
    /// Show an account
    Show {
        /// Its id, or its username (with --server)
        account: String,
        /// Its server
        #[arg(long)]
        server: Option<String>,
    },
    /// Take over accounts that are on the panel and not known here
    Import {
        /// The server
        #[arg(long)]
        server: String,
        /// Say which would be taken over, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Account {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::List {
                server,
                state,
                limit,
            } => {
                let store = ledger(&app.config.settings, Patience::None).await?;
                list(app, &store, server.as_deref(), state, limit).await
            }
            Action::Show { account, server } => {
                let store = ledger(&app.config.settings, Patience::None).await?;
                let row = find_account(&store, &account, server.as_deref()).await?;
                show(app, &store, &row).await
            }
            Action::Import { server, dry_run } => import(app, &server, dry_run).await,
        }
    }
}

/// The account that an operator means: by id, or by username and server.
pub(super) async fn find_account(
    store: &Store,
    text: &str,
    server: Option<&str>,
) -> Result<account::Model, Failure> {
    if let Some(row) = registry::account_by_id(store, text).await? {
        return Ok(row);
    }
    let mut filter = AccountFilter {
        limit: u64::from(u32::MAX),
        ..AccountFilter::default()
    };
    if let Some(server) = server {
        filter.servers = Some(vec![registry::server_named(store, server).await?.id]);
    }
    let page = registry::accounts(store, &filter).await?;
    let mut rows: Vec<account::Model> = page
        .items
        .into_iter()
        .filter(|row| row.username == text || row.reference.as_deref() == Some(text))
        .collect();
    // A live one before those that are gone.
    rows.sort_by_key(|row| (row.terminated_at.is_some(), -row.id));
    let servers: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.server_id).collect();
    if servers.len() > 1 {
        return Err(Failure::usage(
            "server",
            format!("there are accounts `{text}` on several servers; name one with --server"),
        ));
    }
    rows.into_iter()
        .next()
        .ok_or_else(|| Failure::usage("account", format!("there is no account `{text}`")))
}

async fn names(store: &Store) -> Result<BTreeMap<i64, String>, Failure> {
    use sea_orm::EntityTrait;
    let rows = entity::server::Entity::find()
        .all(store.reader())
        .await
        .map_err(StoreError::from)?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

async fn list(
    app: &App,
    store: &Store,
    server: Option<&str>,
    state: Option<AccountState>,
    limit: u64,
) -> Result<(), Failure> {
    let servers = match server {
        Some(name) => Some(vec![registry::server_named(store, name).await?.id]),
        None => None,
    };
    let filter = AccountFilter {
        servers,
        state,
        limit,
        ..AccountFilter::default()
    };
    let page = registry::accounts(store, &filter).await?;
    let names = names(store).await?;
    let values: Vec<Value> = page.items.iter().map(|row| value(row, &names)).collect();
    app.out.json(&json!({ "items": values, "more": page.more }));
    let now = now_ms();
    let rows = page
        .items
        .iter()
        .map(|row| {
            vec![
                row.public_id.clone(),
                cell(names.get(&row.server_id)),
                cell(Some(&row.username)),
                cell(row.domain.as_ref()),
                cell(row.package.as_ref()),
                app.out.state(&row.state),
                cell(row.reference.as_ref()),
                relative(row.created_at, now),
            ]
        })
        .collect();
    app.out.table(
        &[
            "id",
            "server",
            "username",
            "domain",
            "package",
            "state",
            "reference",
            "known since",
        ],
        rows,
        "No accounts.",
    );
    if page.more {
        app.out
            .line(app.out.faint("There are more; raise --limit to see them."));
    }
    Ok(())
}

fn value(row: &account::Model, names: &BTreeMap<i64, String>) -> Value {
    json!({
        "id": row.public_id,
        "server": names.get(&row.server_id),
        "username": row.username,
        "domain": row.domain,
        "email": row.email,
        "package": row.package,
        "state": row.state,
        "reference": row.reference,
        "address": row.address,
        "limits": serde_json::from_str::<Value>(&row.limits).unwrap_or_default(),
        "suspended_by": row.suspended_by,
        "suspend_reason": row.suspend_reason,
        "overuse_month": row.overuse_month,
        "disk_bytes": row.disk_bytes,
        "missing_nights": row.missing_nights,
        "created_at": stamp(row.created_at),
        "terminated_at": row.terminated_at.map(stamp),
    })
}

async fn show(app: &App, store: &Store, row: &account::Model) -> Result<(), Failure> {
    let names = names(store).await?;
    app.out.json(&value(row, &names));
    let suspended = match (&row.suspended_by, &row.suspend_reason) {
        (Some(by), Some(why)) => format!("by {by}: {why}"),
        (Some(by), None) => format!("by {by}"),
        (None, why) => why.clone().unwrap_or_default(),
    };
    let missing = match row.missing_nights {
        0 => String::new(),
        nights @ 1..GONE => format!("for {nights} nights"),
        nights => format!("for {nights} nights: gone from the panel?"),
    };
    let limits = if row.limits == "{}" { "" } else { &row.limits };
    app.out.fields(&[
        ("account", row.public_id.clone()),
        ("server", cell(names.get(&row.server_id))),
        ("username", row.username.clone()),
        ("domain", row.domain.clone().unwrap_or_default()),
        ("email", row.email.clone().unwrap_or_default()),
        ("package", row.package.clone().unwrap_or_default()),
        ("limits", limits.to_owned()),
        ("state", row.state.clone()),
        ("suspended", suspended),
        ("overuse of", row.overuse_month.clone().unwrap_or_default()),
        ("reference", row.reference.clone().unwrap_or_default()),
        ("address", row.address.clone().unwrap_or_default()),
        ("disk", row.disk_bytes.map(bytes).unwrap_or_default()),
        ("not reported", missing),
        ("known since", stamp(row.created_at)),
        (
            "terminated",
            row.terminated_at.map(stamp).unwrap_or_default(),
        ),
    ]);
    Ok(())
}

async fn import(app: &App, server: &str, dry_run: bool) -> Result<(), Failure> {
    let door = Door::open(app).await?;
    let body = json!({ "kind": "list_accounts", "server": server, "import": !dry_run });
    let job = door
        .run(
            app.out,
            "reading the panel's accounts",
            body,
            Duration::from_secs(300),
        )
        .await?;
    let found = result(&job);
    app.out.json(&found);
    let count = |name: &str| found[name].as_u64().unwrap_or(0);
    app.out.line(format!(
        "{} accounts are on {server}, {} of them not known here, {} taken over.",
        count("accounts"),
        count("unknown"),
        count("imported")
    ));
    if dry_run {
        for name in found["unknown_names"].as_array().into_iter().flatten() {
            app.out.line(format!("  {}", cell(name.as_str())));
        }
    }
    Ok(())
}
