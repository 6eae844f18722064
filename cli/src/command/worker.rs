//! `hostler worker`: what takes jobs out.

use clap::Args;

use crate::App;
use crate::config::Sources;
use crate::error::Failure;
use crate::keys::Role;
use crate::start::{self, Ground, Signals};

/// Run what takes jobs out.
#[derive(Debug, Args)]
pub struct Worker {
    /// Jobs at one time
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
}

impl Worker {
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        sources.flag("worker.concurrency", "--concurrency", self.concurrency)
    }

    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let settings = &app.config.settings;
        let ground = tokio::select! {
            ground = Ground::shared(settings, Role::Worker) => ground?,
            () = signals.asked() => return Ok(()),
        };
        let working = start::worker(settings, &ground, &signals)?;
        app.out.line(format!(
            "Hostler's worker runs up to {} jobs at one time",
            settings.worker.concurrency
        ));
        working.ended().await
    }
}
