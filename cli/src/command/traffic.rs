//! `hostler traffic`: what was used, and what was booked.

mod close;
mod correct;
mod export;
mod nights;
mod reopen;
mod rows;
mod show;
mod sync;
mod verify;

use clap::{Args, Subcommand};
use entity::server;
use jobs::store::Store;
use scheduler::registry;

use crate::App;
use crate::error::Failure;

/// Read, show, export, correct, close and verify traffic.
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
    /// Show how far the last night has come, server by server
    Nights(nights::Nights),
    /// Write a month's traffic and overage to standard output
    Export(export::Export),
    /// Close a month: what comes later becomes a visible correction
    Close(close::Close),
    /// Open a closed month again; what came late is booked
    Reopen(reopen::Reopen),
    /// Add bytes to an account's month, or take them away, with a reason
    Correct(correct::Correct),
    /// Take the panel's last figure for true: a drop, or what came late, with a reason
    Accept(correct::Accept),
    /// Look whether the books are right: sums, deltas, whose they are; writes nothing
    Verify(verify::Verify),
}

impl Traffic {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::Sync(sync) => sync.run(app).await,
            Action::Show(show) => show.run(app).await,
            Action::Nights(nights) => nights.run(app).await,
            Action::Export(export) => export.run(app).await,
            Action::Close(close) => close.run(app).await,
            Action::Reopen(reopen) => reopen.run(app).await,
            Action::Correct(correct) => correct.run(app).await,
            Action::Accept(accept) => accept.run(app).await,
            Action::Verify(verify) => verify.run(app).await,
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
