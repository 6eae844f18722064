//! `hostler serve`: everything in one process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use jobs::store::Store;
use scheduler::registry;

use crate::App;
use crate::config::Sources;
use crate::error::Failure;
use crate::start::{Everything, Ground, Signals};

/// The listener's flags, the same wherever the API is served.
#[derive(Debug, Args)]
pub(crate) struct Listener {
    /// Address and port of the API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Certificate chain of the listener, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Accept a listener without TLS beyond this machine (a proxy in front does the TLS)
    #[arg(long)]
    insecure_listen: bool,
}

impl Listener {
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        sources
            .flag("api.listen", "--listen", self.listen)
            .flag("api.tls_cert", "--tls-cert", path(&self.tls_cert))
            .flag("api.tls_key", "--tls-key", path(&self.tls_key))
            .flag(
                "api.insecure_listen",
                "--insecure-listen",
                self.insecure_listen.then_some(true),
            )
    }
}

/// Run API, scheduler and worker in one process.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    listener: Listener,
    /// Jobs at one time
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
}

impl Serve {
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        self.listener
            .flags(sources)
            .flag("worker.concurrency", "--concurrency", self.concurrency)
    }

    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let settings = &app.config.settings;
        let ground = tokio::select! {
            ground = Ground::embedded(settings) => ground?,
            () = signals.asked() => return Ok(()),
        };
        let running = Everything::start(settings, &ground, &signals).await?;
        app.out.line(format!(
            "Hostler is listening on {}",
            running.serving.address
        ));
        hint_at_tokens(app, &ground.store).await?;
        running.ended().await
    }
}

/// Without a token nobody can ask for anything; none is made unasked.
pub(crate) async fn hint_at_tokens(app: &App, store: &Store) -> Result<(), Failure> {
    if registry::tokens(store, None).await?.is_empty() {
        app.out.line(
            "There is no API token yet. Make one:\n\n  hostler platform add billing\n  hostler token create --platform billing --name main --scope create --scope suspend --scope change --scope read\n",
        );
    }
    Ok(())
}
