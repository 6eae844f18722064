//! `hostler simulate`: a pretend panel to develop against.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use simulator::{FaultPlan, Growth, Latency, Options, PanelKind, Simulator};

use crate::App;
use crate::error::Failure;
use crate::start::Signals;

/// Pretend to be a panel, to develop against.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Which panel: cpanel, froxlor or hostbill
    #[arg(value_parser = panel)]
    panel: PanelKind,
    /// Address and port; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Accounts that exist already at the start
    #[arg(long, value_name = "N", default_value_t = 0)]
    accounts: u32,
    /// File of everything that was changed on the panel, one JSON object a line
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Plan of faults, TOML or JSON
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Names, sizes and traffic are drawn from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Take as long as a real panel, times this (0.01 = a hundredth); without it answers come at once
    #[arg(long, value_name = "SCALE")]
    latency: Option<f64>,
    /// Where the panel's API secret is written for `server add --secret-file` [default: in the data folder]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

fn panel(text: &str) -> Result<PanelKind, String> {
    text.parse().map_err(|_| {
        let known = PanelKind::ALL.iter().chain(&[PanelKind::HostBill]);
        let known: Vec<String> = known.map(ToString::to_string).collect();
        format!("known are {}", known.join(", "))
    })
}

impl Simulate {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let simulator = simulator::start(self.options()?)
            .await
            .map_err(|error| Failure::usage("listen", error.to_string()))?;
        let name = format!("sim-{}", simulator.kind());
        let secret_file = match &self.secret_file {
            Some(file) => file.clone(),
            None => app.config.settings.data_dir.join(format!("{name}.secret")),
        };
        crate::keys::write_secret(&secret_file, simulator.secret())?;
        let add = add_line(&name, &simulator, &secret_file);
        app.out.json(&json!({
            "panel": simulator.kind().to_string(),
            "url": simulator.url(),
            "user": simulator.user(),
            "pin": simulator.pin(),
            "secret_file": secret_file.display().to_string(),
            "server_add": add,
        }));
        app.out.line(format!(
            "A simulated {} is listening on {} with {} accounts. Add it as a server:\n\n  {add}\n\nCtrl-C ends it.",
            simulator.kind(),
            simulator.url(),
            simulator.accounts().len(),
        ));
        signals.asked().await;
        simulator.stop().await;
        Ok(())
    }

    fn options(&self) -> Result<Options, Failure> {
        let faults = match &self.faults {
            Some(file) => Some(
                FaultPlan::read(file)
                    .map_err(|error| Failure::usage("faults", error.to_string()))?,
            ),
            None => None,
        };
        let latency = match self.latency {
            None => Latency::None,
            Some(scale) if (0.0..=10.0).contains(&scale) => Latency::Realistic { scale },
            Some(_) => {
                return Err(Failure::usage(
                    "latency",
                    "must be a number between 0 and 10",
                ));
            }
        };
        Ok(Options {
            listen: self.listen,
            accounts: self.accounts,
            ledger: self.ledger.clone(),
            faults,
            seed: self.seed,
            latency,
            growth: Growth::Daily,
            ..Options::new(self.panel)
        })
    }
}

/// The command that registers this simulator as a server.
fn add_line(name: &str, simulator: &Simulator, secret_file: &std::path::Path) -> String {
    let networks = if simulator.address().ip().is_ipv6() {
        "::1/128"
    } else {
        "127.0.0.0/8"
    };
    format!(
        "hostler server add {name} --panel {} --url {} --user {} --pin {} --allow-network {networks} --secret-file {}",
        simulator.kind(),
        simulator.url(),
        simulator.user(),
        simulator.pin(),
        secret_file.display(),
    )
}
