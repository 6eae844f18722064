//! The commands, one file each.

mod account;
mod config;
mod demo;
mod enqueue;
mod job;
mod keys;
mod migrate;
mod mirror;
mod platform;
mod scheduler;
mod serve;
mod server;
mod simulate;
mod supplier;
mod token;
mod traffic;
mod wait;
mod webhook;
mod worker;

use std::pin::Pin;

use clap::Subcommand;

use crate::App;
use crate::config::Sources;
use crate::error::Failure;

/// What `hostler` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole thing on simulated panels, then serve its API
    Demo(demo::Demo),
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
    /// Look at our account with a supplier: balance, invoices, services, DNS zones
    Supplier(supplier::Supplier),
    /// Make so what a HostBill bills for
    Mirror(Box<mirror::Mirror>),
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
            // Its faults are on purpose, and it tells of them itself.
            Command::Demo(_) => Some("error"),
            _ => Some("warn"),
        }
    }

    /// What this command's own flags say.
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        match self {
            Command::Demo(demo) => demo.flags(sources),
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
        // Boxed: the type of all commands together would be too deep for the compiler.
        let work: Pin<Box<dyn Future<Output = Result<(), Failure>> + '_>> = match self {
            Command::Demo(demo) => Box::pin(demo.run(app)),
            Command::Serve(serve) => Box::pin(serve.run(app)),
            Command::Scheduler(scheduler) => Box::pin(scheduler.run(app)),
            Command::Worker(worker) => Box::pin(worker.run(app)),
            Command::Migrate(migrate) => Box::pin(migrate.run(app)),
            Command::Keys(keys) => Box::pin(keys.run(app)),
            Command::Simulate(simulate) => Box::pin(simulate.run(app)),
            Command::Server(server) => Box::pin(server.run(app)),
            Command::Mirror(mirror) => Box::pin(mirror.run(app)),
            Command::Supplier(supplier) => Box::pin(supplier.run(app)),
            Command::Account(account) => Box::pin(account.run(app)),
            Command::Enqueue(enqueue) => Box::pin(enqueue.run(app)),
            Command::Job(job) => Box::pin(job.run(app)),
            Command::Traffic(traffic) => Box::pin(traffic.run(app)),
            Command::Platform(platform) => Box::pin(platform.run(app)),
            Command::Token(token) => Box::pin(token.run(app)),
            Command::Webhook(webhook) => Box::pin(webhook.run(app)),
            Command::Config(config) => return config.run(app),
        };
        work.await
    }
}

/// How the history names who typed this.
pub(crate) fn operator() -> String {
    format!("operator:{}", crate::config::operator())
}
