//! The commands, one file each.

mod config;
mod job;
mod keys;
mod migrate;
mod simulate;

use clap::Subcommand;

use crate::App;
use crate::config::Sources;
use crate::error::Failure;

/// What `hostler` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the database's schema up or down
    Migrate(migrate::Migrate),
    /// Make, show and rotate the keys
    Keys(keys::Keys),
    /// Pretend to be a panel, to develop against
    Simulate(simulate::Simulate),
    /// List, show, replay and cancel jobs
    Job(job::Job),
    /// Check the configuration and print its reference
    Config(config::Config),
}

impl Command {
    /// The log level of this command when nobody asked for another; `None` = the configured one.
    /// A command that prints an answer keeps standard error free for what matters.
    #[must_use]
    pub fn usual_level(&self) -> Option<&'static str> {
        match self {
            _ => Some("warn"),
        }
    }

    /// What this command's own flags say.
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        match self {
            _ => sources,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Failure`], which decides the exit code.
    pub async fn run(self, app: &App) -> Result<(), Failure> {
        match self {
            Command::Migrate(migrate) => migrate.run(app).await,
            Command::Keys(keys) => keys.run(app).await,
            Command::Simulate(simulate) => simulate.run(app).await,
            Command::Job(job) => job.run(app).await,
            Command::Config(config) => config.run(app),
        }
    }
}

/// How the history names who typed this.
pub(crate) fn operator() -> String {
    format!("operator:{}", crate::config::operator())
}
