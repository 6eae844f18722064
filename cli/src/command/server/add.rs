//! `hostler server add` and `set`.

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Args;
use hosting::ServerName;
use ipnet::IpNet;
use panels::{DRIVERS, Driver, ServerSettings};
use scheduler::registry::{self, NewServer, ServerChange};
use secrecy::SecretString;
use serde_json::json;

use crate::App;
use crate::command::enqueue::one_line;
use crate::config::read_text;
use crate::error::Failure;
use crate::keys::Role;
use crate::start::{Patience, keyring, ledger};

/// Add a server.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name that jobs use for it
    name: ServerName,
    /// Its panel
    #[arg(long, value_parser = driver)]
    panel: &'static str,
    /// The panel's address, https
    #[arg(long)]
    url: String,
    /// The API user (WHM: root or a reseller; Froxlor: the API key; HostBill: the client's mail address)
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    secret: Secret,
    #[command(flatten)]
    trust: Trust,
    /// The panel's time zone: traffic months are the panel's
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    time_zone: Tz,
    /// What only this panel's driver knows (HostBill: auth=basic, vm_power=suspend, ...); several
    #[arg(long, value_name = "NAME=VALUE", value_parser = option)]
    option: Vec<(String, String)>,
    /// Most jobs on it at one time
    #[arg(long, value_name = "N", default_value_t = 4)]
    max_jobs: u16,
    /// Most terminations an hour before they are held; 0 = no guard
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_terminates: u16,
    /// When traffic is read: minutes after the panel's midnight
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    stats_at: u16,
}

/// Where the panel's secret comes from; never from the command line itself.
#[derive(Debug, Args)]
struct Secret {
    /// File with the token, key secret or password (its first line)
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Read the secret from standard input
    #[arg(long, conflicts_with = "secret_file")]
    secret_stdin: bool,
}

/// Which certificates and addresses are believed.
#[derive(Debug, Args)]
struct Trust {
    /// Trust this public key instead of the public authorities; several while keys change
    #[arg(long, value_name = "sha256/BASE64")]
    pin: Vec<String>,
    /// Trust these authorities instead of the public ones, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Private network that the address may lie in; others are refused
    #[arg(long, value_name = "CIDR")]
    allow_network: Vec<IpNet>,
}

fn driver(text: &str) -> Result<&'static str, String> {
    let found = DRIVERS.iter().find(|driver| driver.name == text);
    found.map(|driver| driver.name).ok_or_else(|| {
        let known: Vec<&str> = DRIVERS.iter().map(|driver| driver.name).collect();
        format!("known are {}", known.join(", "))
    })
}

fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

impl Secret {
    fn read(&self) -> Result<Option<SecretString>, Failure> {
        let text = match &self.secret_file {
            Some(file) => read_text("secret-file", file)?
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            None if self.secret_stdin => one_line("secret-stdin")?,
            None => return Ok(None),
        };
        if text.is_empty() {
            Err(Failure::usage("secret-file", "its first line is empty"))
        } else {
            Ok(Some(SecretString::from(text)))
        }
    }
}

impl Trust {
    fn ca_pem(&self) -> Result<Option<String>, Failure> {
        self.ca
            .as_ref()
            .map(|file| read_text("ca", file))
            .transpose()
    }
}

impl Add {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let secret = self.secret.read()?.ok_or_else(|| {
            Failure::usage(
                "secret-file",
                "give the panel's secret with --secret-file FILE or --secret-stdin",
            )
        })?;
        let driver = by_name(self.panel)?;
        let new = NewServer {
            user: self.user,
            pins: self.trust.pin.clone(),
            ca_pem: self.trust.ca_pem()?,
            allow_networks: self.trust.allow_network,
            time_zone: self.time_zone,
            options: self.option.into_iter().collect(),
            stats_at: self.stats_at,
            max_jobs: self.max_jobs,
            max_terminates: self.max_terminates,
            ..NewServer::new(self.name, (driver.rules)(), &self.url, secret)
        };
        // The driver's own look at address, user, pins and certificates; nothing is sent.
        panels::open(driver.name, settings(&new)).map_err(|error| refused(&error))?;
        let keys = keyring(&app.config.settings, Role::Operator)?;
        let store = ledger(&app.config.settings, Patience::None).await?;
        let row = registry::add_server(&store, &keys, new).await?;
        app.out.json(&json!({
            "name": row.name,
            "panel": row.panel,
            "url": row.url,
            "next": format!("hostler server check {}", row.name),
        }));
        app.out.line(format!(
            "Added {} ({}). Next, with a worker running (`hostler serve` or `hostler worker`):\n\n  hostler server check {}\n  hostler server packages {}",
            row.name, driver.title, row.name, row.name
        ));
        Ok(())
    }
}

fn by_name(name: &str) -> Result<&'static Driver, Failure> {
    DRIVERS
        .iter()
        .find(|driver| driver.name == name)
        .ok_or_else(|| Failure::usage("panel", format!("there is no driver `{name}`")))
}

fn settings(new: &NewServer) -> ServerSettings {
    ServerSettings {
        name: new.name.to_string(),
        url: new.url.clone(),
        user: new.user.clone(),
        secret: new.secret.clone(),
        pins: new.pins.clone(),
        ca_pem: new.ca_pem.clone(),
        allow_networks: new.allow_networks.clone(),
        time_zone: new.time_zone,
        options: new.options.clone(),
    }
}

/// What the driver says of the settings, which an operator may read.
pub(in crate::command) fn refused(error: &panels::PanelError) -> Failure {
    use std::error::Error as _;
    let why = error
        .source()
        .map_or_else(|| error.to_string(), |detail| format!("{error} ({detail})"));
    Failure::usage("server", why)
}

/// Change a server's address, secret, pins or numbers.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The server
    name: String,
    /// The panel's address, https
    #[arg(long)]
    url: Option<String>,
    /// The API user
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    secret: Secret,
    #[command(flatten)]
    trust: Trust,
    /// The panel's time zone
    #[arg(long, value_name = "TZ")]
    time_zone: Option<Tz>,
    /// What only this panel's driver knows; those that are given are all that it has
    #[arg(long, value_name = "NAME=VALUE", value_parser = option)]
    option: Vec<(String, String)>,
    /// Most jobs on it at one time
    #[arg(long, value_name = "N")]
    max_jobs: Option<u16>,
    /// Most terminations an hour before they are held; 0 = no guard
    #[arg(long, value_name = "N")]
    max_terminates: Option<u16>,
    /// When traffic is read: minutes after the panel's midnight
    #[arg(long, value_name = "MINUTES")]
    stats_at: Option<u16>,
    /// Whether the nightly reading visits it
    #[arg(long, value_name = "true|false")]
    nightly: Option<bool>,
}

impl Set {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let change = ServerChange {
            url: self.url,
            user: self.user.map(Some),
            secret: self.secret.read()?,
            ca_pem: self.trust.ca_pem()?.map(Some),
            pins: (!self.trust.pin.is_empty()).then_some(self.trust.pin),
            allow_networks: (!self.trust.allow_network.is_empty())
                .then_some(self.trust.allow_network),
            time_zone: self.time_zone,
            options: (!self.option.is_empty()).then(|| self.option.into_iter().collect()),
            stats_at: self.stats_at,
            max_jobs: self.max_jobs,
            max_terminates: self.max_terminates,
            enabled: self.nightly,
            rules: None,
        };
        let keys = keyring(&app.config.settings, Role::Operator)?;
        let store = ledger(&app.config.settings, Patience::None).await?;
        let row = registry::update_server(&store, &keys, &self.name, change).await?;
        app.out.json(&json!({ "name": row.name }));
        app.out.line(format!(
            "Changed {}. Next:\n\n  hostler server check {}",
            row.name, row.name
        ));
        Ok(())
    }
}
