//! `hostler scheduler`: the API and what puts jobs in.

use clap::Args;

use super::serve::{Listener, hint_at_tokens};
use crate::App;
use crate::config::Sources;
use crate::error::Failure;
use crate::keys::Role;
use crate::start::{self, Ground, Signals};

/// Run the API and what puts jobs in.
#[derive(Debug, Args)]
pub struct Scheduler {
    #[command(flatten)]
    listener: Listener,
}

impl Scheduler {
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        self.listener.flags(sources)
    }

    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let settings = &app.config.settings;
        let ground = tokio::select! {
            ground = Ground::shared(settings, Role::Scheduler) => ground?,
            () = signals.asked() => return Ok(()),
        };
        let serving = start::scheduler(settings, &ground, None, &signals).await?;
        app.out.line(format!(
            "Hostler's scheduler is listening on {}",
            serving.address
        ));
        hint_at_tokens(app, &ground.store).await?;
        serving.ended().await;
        Ok(())
    }
}
