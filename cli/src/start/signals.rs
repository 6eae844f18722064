//! SIGTERM and SIGINT: the first asks for an orderly end, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Failure;

/// Whether this process was asked to end. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    asked: watch::Receiver<bool>,
    ask: watch::Sender<bool>,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (ask, asked) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let tell = ask.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(
                "Stopping: running jobs are finished first; a second signal stops at once"
            );
            let _ = tell.send(true);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!(
                "Stopped at once; what was running is looked at again after the next start"
            );
            std::process::exit(130);
        });
        Ok(Self { asked, ask })
    }

    /// Ends as soon as somebody asked.
    pub(crate) fn asked(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut asked = self.asked.clone();
        async move {
            let _ = asked.wait_for(|asked| *asked).await;
        }
    }

    /// Asks for an end, as a signal does.
    pub(crate) fn ask(&self) {
        let _ = self.ask.send(true);
    }
}
