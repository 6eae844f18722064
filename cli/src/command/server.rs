//! `hostler server`: the servers and their panels.

mod add;
mod gate;
mod look;
mod pin;

pub(super) use add::refused;
use clap::{Args, Subcommand};

use crate::App;
use crate::error::Failure;

/// Add servers and look after them.
#[derive(Debug, Args)]
pub struct Server {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a server
    Add(Box<add::Add>),
    /// Change a server's address, secret, pins or numbers
    Set(Box<add::Set>),
    /// Show the certificate that a server presents, to pin its key
    Pin(pin::Pin),
    /// List the servers
    List,
    /// Show a server with its gate and what was found on it
    Show {
        /// Its name
        name: String,
    },
    /// Check address, credentials and rights; opens a server whose credentials were refused
    Check {
        /// Its name
        name: String,
        /// Wait so long for a worker
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        wait: u64,
    },
    /// Read the packages that the panel has
    Packages {
        /// Its name
        name: String,
        /// Wait so long for a worker
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        wait: u64,
    },
    /// Let no more jobs start on it; running ones go on
    Pause(gate::Pause),
    /// Let jobs start again
    Resume {
        /// Its name
        name: String,
    },
    /// Let terminations pass that the guard holds
    ReleaseGuard {
        /// Its name
        name: String,
        /// For so long
        #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
        span: String,
    },
    /// Remove a server; its history stays
    Remove {
        /// Its name
        name: String,
        /// Although it has accounts or unfinished jobs: cancel what waits, wipe its secrets
        #[arg(long)]
        force: bool,
    },
}

impl Server {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            Action::Add(add) => add.run(app).await,
            Action::Set(set) => set.run(app).await,
            Action::Pin(pin) => pin.run(app).await,
            Action::List => look::list(app).await,
            Action::Show { name } => look::show(app, &name).await,
            Action::Check { name, wait } => look::check(app, &name, wait).await,
            Action::Packages { name, wait } => look::packages(app, &name, wait).await,
            Action::Pause(pause) => pause.run(app).await,
            Action::Resume { name } => gate::resume(app, &name).await,
            Action::ReleaseGuard { name, span } => gate::release(app, &name, &span).await,
            Action::Remove { name, force } => gate::remove(app, &name, force).await,
        }
    }
}
