//! `hostler demo`: the main job on embedded parts.
//!
//! Set-up and printing only. The servers are simulated panels on loopback, the services are those of
//! `serve`, and every job comes in by `POST /v1/jobs` on the demo's own listener.

mod client;
mod report;
mod script;
mod stage;

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use tempfile::TempDir;

use crate::App;
use crate::config::{Settings, Sources};
use crate::error::Failure;
use crate::start::{Everything, Ground, Signals};
use client::Client;
use script::Show;
use stage::Stage;

/// Seventeen times faster than production: the longest wait on purpose is a create that never
/// answers, and then the time after which a change in doubt is surely over.
const PACE: f64 = 0.06;

/// Show the whole thing on simulated panels, then serve its API.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the run; exit code 0 only if everything ended as it should
    #[arg(long)]
    once: bool,
    /// Accounts to make, shared between both panels
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=500))]
    accounts: u32,
    /// Address and port of the API [default: any free port on 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

impl Demo {
    pub(crate) fn flags(&self, sources: Sources) -> Sources {
        sources.flag("api.listen", "--listen", self.listen)
    }

    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let (settings, folder) = self.settings(app)?;
        let ground = Ground::embedded(&settings).await?;
        let running = Everything::start(&settings, &ground, &signals).await?;
        let address = running.serving.address;
        let played = tokio::select! {
            played = self.play(app, &ground, address) => Some(played?),
            () = signals.asked() => None,
        };
        if let Some((ok, token)) = played {
            if self.once {
                signals.ask();
                running.ended().await?;
                drop(folder);
                return if ok { Ok(()) } else { Err(Failure::Shown) };
            }
            app.out.line(format!(
                "\nThe API goes on at http://{address}; its documents are at /openapi.json. For example:\n\n  curl -H 'Authorization: Bearer {token}' 'http://{address}/v1/jobs?limit=5'\n\nCtrl-C ends it."
            ));
        }
        running.ended().await?;
        drop(folder);
        Ok(())
    }

    /// The demo's own settings: embedded parts and a fast pace, whatever is configured for production.
    fn settings(&self, app: &App) -> Result<(Settings, Option<TempDir>), Failure> {
        let mut settings = app.config.settings.clone();
        settings.database.url = None;
        settings.redis.url = None;
        settings.timing.pace = PACE;
        settings.api.rate_per_second = 10_000;
        settings.api.listen = self
            .listen
            .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        settings.worker.grace_seconds = 5;
        // A folder from the environment or the file is the production's.
        let chosen = app
            .config
            .origins
            .iter()
            .any(|origin| origin.key == "data_dir" && origin.source.starts_with("flag"));
        if chosen {
            return Ok((settings, None));
        }
        let folder = tempfile::Builder::new().prefix("hostler-demo-").tempdir()?;
        settings.data_dir = folder.path().to_owned();
        Ok((settings, Some(folder)))
    }

    /// Plays it, prints it. Whether all went well, and a token for the API.
    async fn play(
        &self,
        app: &App,
        ground: &Ground,
        address: SocketAddr,
    ) -> Result<(bool, String), Failure> {
        let out = app.out;
        out.line(out.title("Hostler's demonstration"));
        let stage = Stage::set(ground, self.accounts).await?;
        let token = stage.token.clone();
        for panel in &stage.panels {
            out.line(format!(
                "{}: a simulated {} at {}",
                panel.server,
                panel.simulator.kind(),
                panel.simulator.url()
            ));
        }
        let client = Client::new(address, &token)?;
        let mut show = Show::new(out, client, &stage);
        show.play().await?;
        let report = report::Report::of(&show, &stage).await?;
        report.print(out);
        Ok((report.ok(), token))
    }
}
