//! `hostler traffic`: what was used, and what was booked.

mod close;
mod export;
mod rows;
mod show;
mod sync;

use clap::{Args, Subcommand};
use entity::server;
use jobs::store::Store;
use scheduler::registry;

use crate::App;
use crate::error::Failure;

/// Read, show, export and close traffic.
#[derive(Debug, Args)]
pub struct Traffic {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a month's traffic from the panels now
    Sync(sync::Sync),
    /// Show a month's traffic
    Show(show::Show),
    /// Write a month's traffic and overage to standard output
    Export(export::Export),
    /// Close a month: what comes later becomes a visible correction
    Close(close::Close),
}

impl Traffic {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::Sync(sync) => sync.run(app).await,
            Action::Show(show) => show.run(app).await,
            Action::Export(export) => export.run(app).await,
            Action::Close(close) => close.run(app).await,
        }
    }
}

/// The server of that name, or all.
async fn meant(store: &Store, server: Option<&str>) -> Result<Vec<server::Model>, Failure> {
    Ok(match server {
        Some(name) => vec![registry::server_named(store, name).await?],
        None => registry::servers(store).await?,
    })
}
