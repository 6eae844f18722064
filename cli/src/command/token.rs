//! `hostler token`: API tokens.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use hosting::ServerName;
use jobs::store::Store;
use scheduler::Scope;
use scheduler::registry::{self, NewToken, OPERATOR_PLATFORM};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::App;
use crate::error::Failure;
use crate::output::cell;
use crate::start::{Patience, ledger};
use crate::time::{future, now_ms, relative, stamp};

/// Create, list and revoke API tokens.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token; it is shown once
    Create(Create),
    /// List tokens, without their secrets
    List {
        /// Only of this platform
        #[arg(long)]
        platform: Option<String>,
    },
    /// Revoke a token at once
    Revoke {
        /// Its id, as listed
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// The platform that uses it; `operator` for your own
    #[arg(long)]
    platform: String,
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it may do: create, suspend, terminate, change, read, traffic, operate, admin
    #[arg(long, required = true)]
    scope: Vec<Scope>,
    /// Only on this server; may be given several times
    #[arg(long)]
    server: Vec<ServerName>,
    /// When it ends: a time, or a span like 90d
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

impl Token {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        match self.action {
            Action::Create(create) => create.run(app, &store).await,
            Action::List { platform } => list(app, &store, platform.as_deref()).await,
            Action::Revoke { id } => {
                registry::revoke_token(&store, &id).await?;
                app.out.json(&json!({ "id": id, "revoked": true }));
                app.out.line(format!(
                    "Revoked {id}; the next request with it is refused."
                ));
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self, app: &App, store: &Store) -> Result<(), Failure> {
        let expires_at = match &self.expires {
            Some(text) => Some(
                future(text, store.now().await?)
                    .map_err(|error| Failure::usage("expires", error))?,
            ),
            None => None,
        };
        let new = NewToken {
            platform_id: registry::platform_named(store, &self.platform).await?,
            name: self.name,
            scopes: self.scope.into_iter().collect(),
            servers: (!self.server.is_empty()).then(|| self.server.into_iter().collect()),
            expires_at,
        };
        let made = registry::create_token(store, &new).await?;
        app.out.json(&json!({
            "id": made.row.public_id,
            "token": made.text.expose_secret(),
            "expires_at": expires_at.map(stamp),
        }));
        app.out.line(format!(
            "{}\n\nThis is shown once. Send it as `Authorization: Bearer TOKEN`; `hostler token revoke {}` ends it.",
            made.text.expose_secret(),
            made.row.public_id
        ));
        Ok(())
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
    let rows = registry::tokens(store, only).await?;
    let platform_of = |id: i64| {
        names
            .get(&id)
            .map_or(OPERATOR_PLATFORM, String::as_str)
            .to_owned()
    };
    let scopes = |text: &str| -> BTreeSet<Scope> { serde_json::from_str(text).unwrap_or_default() };
    let values: Vec<Value> = rows
        .iter()
        .map(|row| {
            let servers = row.servers.as_deref().map(serde_json::from_str::<Value>);
            json!({
                "id": row.public_id,
                "platform": platform_of(row.platform_id),
                "name": row.name,
                "scopes": scopes(&row.scopes),
                "servers": servers.and_then(Result::ok),
                "created_at": stamp(row.created_at),
                "expires_at": row.expires_at.map(stamp),
                "last_used_at": row.last_used_at.map(stamp),
                "revoked_at": row.revoked_at.map(stamp),
            })
        })
        .collect();
    app.out.json(&values);
    let now = now_ms();
    let ago = |at: Option<i64>| cell(at.map(|at| relative(at, now)));
    let rows = rows
        .iter()
        .map(|row| {
            let scopes: Vec<&str> = scopes(&row.scopes).into_iter().map(Scope::name).collect();
            let state = if row.revoked_at.is_some() {
                "revoked"
            } else if row.expires_at.is_some_and(|end| end <= now) {
                "expired"
            } else {
                "valid"
            };
            vec![
                row.public_id.clone(),
                platform_of(row.platform_id),
                cell(Some(&row.name)),
                scopes.join(" "),
                state.to_owned(),
                ago(row.last_used_at),
                ago(row.expires_at),
            ]
        })
        .collect();
    app.out.table(
        &[
            "id", "platform", "name", "scopes", "state", "used", "expires",
        ],
        rows,
        "No tokens.",
    );
    Ok(())
}
