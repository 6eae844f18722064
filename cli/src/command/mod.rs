//! The commands, one file each.

mod account;
mod config;
mod enqueue;
mod job;
mod keys;
mod migrate;
mod platform;
mod scheduler;
mod serve;
mod server;
mod simulate;
mod token;
mod traffic;
mod wait;
mod webhook;
mod worker;

use clap::Subcommand;

use crate::App;
use crate::config::Sources;
use crate::error::Failure;

/// What `hostler` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run API, scheduler and worker in one process
    Serve(serve::Serve),
    /// Run the API and what puts jobs in
    Scheduler(scheduler::Scheduler),
    /// Run what takes jobs out
    Worker(worker::Worker),
    /// Bring the database's schema up or down
    Migrate(migrate::Migrate),
    /// Make, show and rotate the keys
    Keys(keys::Keys),
    /// Pretend to be a panel, to develop against
    Simulate(simulate::Simulate),
    /// Add servers and look after them
    Server(server::Server),
    /// List, show and import accounts
    Account(account::Account),
    /// Put a job in, as the API does
    Enqueue(Box<enqueue::Enqueue>),
    /// List, show, replay and cancel jobs
    Job(job::Job),
    /// Read, show, export and close traffic
    Traffic(traffic::Traffic),
    /// Add and list billing platforms
    Platform(platform::Platform),
    /// Create, list and revoke API tokens
    Token(token::Token),
    /// Add, list, rotate and remove webhook addresses
    Webhook(webhook::Webhook),
    /// Check the configuration and print its reference
    Config(config::Config),
}

impl Command {
    /// The log level of this command when nobody asked for another; `None` = the configured one.
    /// A command that prints an answer keeps standard error free for what matters.
    #[must_use]
    pub fn usual_level(&self) -> Option<&'static str> {
        match self {
            Command::Serve(_) | Command::Scheduler(_) | Command::Worker(_) => None,
            _ => Some("warn"),
        }
    }

    /// What this command's own flags say.
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        match self {
            Command::Serve(serve) => serve.flags(sources),
            Command::Scheduler(scheduler) => scheduler.flags(sources),
            Command::Worker(worker) => worker.flags(sources),
            _ => sources,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Failure`], which decides the exit code.
    pub async fn run(self, app: &App) -> Result<(), Failure> {
        match self {
            Command::Serve(serve) => serve.run(app).await,
            Command::Scheduler(scheduler) => scheduler.run(app).await,
            Command::Worker(worker) => worker.run(app).await,
            Command::Migrate(migrate) => migrate.run(app).await,
            Command::Keys(keys) => keys.run(app).await,
            Command::Simulate(simulate) => simulate.run(app).await,
            Command::Server(server) => server.run(app).await,
            Command::Account(account) => account.run(app).await,
            Command::Enqueue(enqueue) => enqueue.run(app).await,
            Command::Job(job) => job.run(app).await,
            Command::Traffic(traffic) => traffic.run(app).await,
            Command::Platform(platform) => platform.run(app).await,
            Command::Token(token) => token.run(app).await,
            Command::Webhook(webhook) => webhook.run(app).await,
            Command::Config(config) => config.run(app),
        }
    }
}

/// How the history names who typed this.
pub(crate) fn operator() -> String {
    format!("operator:{}", crate::config::operator())
}
