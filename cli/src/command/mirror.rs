//! `hostler mirror`: the services that a HostBill bills for, made so here.
//!
//! HostBill stays as it is: its services are read by its Admin API, compared with the accounts here, and what
//! differs becomes a job. Nothing is remembered in between, so that it may be run at any time and any number of times.

mod here;
mod wish;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use entity::server;
use hosting::{PanelRules, generate_password};
use ipnet::IpNet;
use panels::{AdminApi, BilledLogin, BilledService, ServerSettings};
use scheduler::{Caller, registry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::App;
use crate::command::server::refused;
use crate::command::wait::Door;
use crate::config::read_text;
use crate::error::Failure;
use crate::start::Signals;
use here::Account;
use wish::{Wish, wish};

/// Make so what a HostBill bills for.
#[derive(Debug, Args)]
pub struct Mirror {
    /// HostBill's Admin API, https://host/admin/api.php
    #[arg(long)]
    url: String,
    /// The API id
    #[arg(long, value_name = "ID")]
    api_id: String,
    /// File with the API key (its first line)
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// HostBill's id of the server whose services these are
    #[arg(long, value_name = "ID")]
    hostbill_server: u32,
    /// The server here
    #[arg(long, value_name = "NAME")]
    server: String,
    /// The billing platform whose jobs these are
    #[arg(long, value_name = "NAME")]
    platform: String,
    /// A product of HostBill's that is called otherwise here; several
    #[arg(long, value_name = "PRODUCT=PACKAGE", value_parser = pair)]
    package: Vec<(String, String)>,
    /// Mail address for creates on panels that want one
    #[arg(long)]
    email: Option<String>,
    /// Trust this public key instead of the public authorities
    #[arg(long, value_name = "sha256/BASE64")]
    pin: Vec<String>,
    /// Private network that the address may lie in
    #[arg(long, value_name = "CIDR")]
    allow_network: Vec<IpNet>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Go on, looking each so many seconds
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be PRODUCT=PACKAGE".to_owned()),
    }
}

/// What was found about one service.
struct Line {
    service: BilledService,
    what: String,
    job: Option<String>,
    problem: Option<String>,
}

impl Mirror {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let api = AdminApi::new(&self.settings()?).map_err(|error| refused(&error))?;
        let door = Door::open(app).await?;
        let platform_id = registry::platform_named(&door.store, &self.platform).await?;
        let caller = Caller {
            platform_id,
            actor: format!("mirror:{}", self.platform),
            ..Caller::operator("mirror")
        };
        let Some(seconds) = self.every else {
            let lines = self.once(&api, &door, &caller).await?;
            return show(app, &lines);
        };
        let mut timer = tokio::time::interval(Duration::from_secs(seconds.max(5)));
        let work = async {
            loop {
                timer.tick().await;
                match self.once(&api, &door, &caller).await {
                    Ok(lines) => show(app, &lines)?,
                    // HostBill or the ledger is away: the next look finds the same.
                    Err(error) => app.out.line(error.to_string()),
                }
            }
        };
        tokio::select! {
            ended = work => ended,
            () = signals.asked() => Ok(()),
        }
    }

    fn settings(&self) -> Result<ServerSettings, Failure> {
        let key = read_text("key-file", &self.key_file)?;
        let key = key.lines().next().unwrap_or_default().trim().to_owned();
        Ok(ServerSettings {
            name: "hostbill".to_owned(),
            url: self.url.clone(),
            user: Some(self.api_id.clone()),
            secret: key.into(),
            pins: self.pin.clone(),
            ca_pem: None,
            allow_networks: self.allow_network.clone(),
            time_zone: chrono_tz::Tz::UTC,
            options: Default::default(),
        })
    }

    async fn once(
        &self,
        api: &AdminApi,
        door: &Door,
        caller: &Caller,
    ) -> Result<Vec<Line>, Failure> {
        let server = registry::server_named(&door.store, &self.server).await?;
        let services = api
            .services(&self.hostbill_server.to_string())
            .await
            .map_err(|error| Failure::work(format!("{error}: {}", error.detail())))?;
        let mut lines = Vec::new();
        for service in services {
            lines.push(self.mirror(api, door, caller, &server, service).await?);
        }
        Ok(lines)
    }

    async fn mirror(
        &self,
        api: &AdminApi,
        door: &Door,
        caller: &Caller,
        server: &server::Model,
        service: BilledService,
    ) -> Result<Line, Failure> {
        let reference = format!("hostbill:{}", service.id);
        let account = Account::find(&door.store, caller.platform_id, &reference).await?;
        let package = self.package_of(&service.product);
        let wished = wish(&service.status, &package, account.here());
        let mut line = Line {
            what: wished.to_string(),
            job: None,
            problem: account.stuck.clone(),
            service,
        };
        let Some(kind) = wished.kind() else {
            return Ok(line);
        };
        if line.problem.is_some() || self.dry_run {
            return Ok(line);
        }
        let mut asked = json!({"reference": reference});
        match wished {
            Wish::Create(package) => {
                if let Err(why) = self
                    .fill(api, server, &line.service, package, &mut asked)
                    .await
                {
                    line.problem = Some(why);
                    return Ok(line);
                }
            }
            Wish::ChangePackage(package) => asked["package"] = json!(package),
            _ => {}
        }
        // The same wish after the same history is the same job, however often it is looked.
        let key = format!("mirror:{}:{kind}:{}", line.service.id, account.history);
        let mut body = json!({"kind": kind, "account": asked, "idempotency_key": key});
        if kind == "create" {
            body["server"] = json!(server.name);
        }
        match door.put_as(caller, body).await {
            Ok(accepted) => line.job = Some(accepted.job.public_id),
            Err(error) => line.problem = Some(error.to_string()),
        }
        Ok(line)
    }

    fn package_of(&self, product: &str) -> String {
        let mapped = self.package.iter().find(|(name, _)| name == product);
        mapped
            .map_or(product, |(_, package)| package.as_str())
            .to_owned()
    }

    /// Name and password are kept by HostBill before anything is asked for here: what is lost then is only a job.
    async fn fill(
        &self,
        api: &AdminApi,
        server: &server::Model,
        service: &BilledService,
        package: &str,
        asked: &mut Value,
    ) -> Result<(), String> {
        let kept = api
            .login(&service.id)
            .await
            .map_err(|error| error.to_string())?;
        let rules: PanelRules =
            serde_json::from_str(&server.rules).map_err(|error| error.to_string())?;
        let login = complete(&kept, &rules, &service.id)?;
        if kept.username != login.username
            || kept.password.expose_secret() != login.password.expose_secret()
        {
            let kept = api.keep_login(&service.id, &login).await;
            kept.map_err(|error| error.to_string())?;
        }
        asked["username"] = json!(login.username);
        asked["password"] = json!(login.password.expose_secret());
        asked["domain"] = json!(service.domain);
        asked["package"] = json!(package);
        if let Some(email) = &self.email {
            asked["email"] = json!(email);
        }
        Ok(())
    }
}

/// What is missing by the panel's rules: a name from HostBill's id, and a generated password.
fn complete(kept: &BilledLogin, rules: &PanelRules, service: &str) -> Result<BilledLogin, String> {
    let username = if kept.username.is_empty() {
        let id = service
            .parse()
            .map_err(|_| "the service's id is none".to_owned())?;
        rules.username_for(id)?.to_string()
    } else {
        kept.username.clone()
    };
    let password = if kept.password.expose_secret().is_empty() {
        // Of the thread's own generator, which is a cryptographic one.
        let draw = |below| rand::random_range(0..below);
        SecretString::from(generate_password(&rules.password, draw))
    } else {
        kept.password.clone()
    };
    Ok(BilledLogin { username, password })
}

fn show(app: &App, lines: &[Line]) -> Result<(), Failure> {
    let json: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "service": line.service.id, "domain": line.service.domain, "status": line.service.status,
                "what": line.what, "job": line.job, "problem": line.problem,
            })
        })
        .collect();
    app.out.json(&json);
    let rows = lines
        .iter()
        .filter(|line| line.what != "nothing" || line.problem.is_some())
        .map(|line| {
            let told = line.problem.as_ref().or(line.job.as_ref());
            vec![
                line.service.id.clone(),
                line.service.domain.clone(),
                line.service.status.clone(),
                line.what.clone(),
                told.cloned().unwrap_or_default(),
            ]
        })
        .collect();
    let columns = ["service", "domain", "status", "do", "job or problem"];
    app.out
        .table(&columns, rows, "All services are as they should be.");
    Ok(())
}
