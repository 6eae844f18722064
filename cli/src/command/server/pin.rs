//! `hostler server pin`: the certificate that a server presents.

use clap::Args;
use panels::ServerSettings;
use panels::http::present;
use scheduler::registry::{self, ServerChange};
use secrecy::SecretString;
use serde_json::json;

use super::add::refused;
use crate::App;
use crate::error::Failure;
use crate::keys::Role;
use crate::output::cell;
use crate::start::{Patience, keyring, ledger};
use crate::time::stamp;

/// Show the certificate that a server presents, to pin its key.
#[derive(Debug, Args)]
pub(super) struct Pin {
    /// The server
    name: String,
    /// Connect and show; no credential is sent
    #[arg(long, required_unless_present = "set")]
    show: bool,
    /// Trust these keys from now on, instead of those before
    #[arg(long, value_name = "sha256/BASE64")]
    set: Vec<String>,
}

impl Pin {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        if !self.set.is_empty() {
            let change = ServerChange {
                pins: Some(self.set),
                ..ServerChange::default()
            };
            let keys = keyring(&app.config.settings, Role::Operator)?;
            let row = registry::update_server(&store, &keys, &self.name, change).await?;
            app.out.line(format!(
                "{} is trusted by {} now. Next:\n\n  hostler server check {}",
                row.name, row.pins, row.name
            ));
        }
        if self.show {
            show(app, &registry::server_named(&store, &self.name).await?).await?;
        }
        Ok(())
    }
}

async fn show(app: &App, row: &entity::server::Model) -> Result<(), Failure> {
    let pinned: Vec<String> = serde_json::from_str(&row.pins).unwrap_or_default();
    let settings = ServerSettings {
        name: row.name.clone(),
        url: row.url.clone(),
        user: row.user.clone(),
        // Nothing is asked of the panel, so nothing has to be proved to it.
        secret: SecretString::default(),
        pins: Vec::new(),
        ca_pem: None,
        allow_networks: serde_json::from_str(&row.allow_networks).unwrap_or_default(),
        time_zone: chrono_tz::Tz::UTC,
        options: Default::default(),
    };
    let port = if row.panel == "cpanel" { 2087 } else { 443 };
    let chain = present(&settings, port)
        .await
        .map_err(|error| Failure::work(refused(&error).to_string()))?;
    app.out
        .json(&json!({ "server": row.name, "pinned": pinned, "presented": chain }));
    for (at, certificate) in chain.iter().enumerate() {
        let place = if at == 0 { "certificate" } else { "signed by" };
        let known = if pinned.contains(&certificate.pin) {
            " (pinned)"
        } else {
            ""
        };
        app.out.fields(&[
            (place, cell(Some(&certificate.subject))),
            ("pin", format!("{}{known}", certificate.pin)),
            ("issuer", cell(Some(&certificate.issuer))),
            (
                "valid",
                format!(
                    "{} to {}",
                    stamp(certificate.not_before),
                    stamp(certificate.not_after)
                ),
            ),
        ]);
        app.out.line("");
    }
    if let Some(leaf) = chain.first().filter(|leaf| !pinned.contains(&leaf.pin)) {
        app.out.line(format!(
            "Compare the pin with the server's own, on another path than this network. Then:\n\n  hostler server pin {} --set {}",
            row.name, leaf.pin
        ));
    }
    Ok(())
}
