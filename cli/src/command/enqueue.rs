//! `hostler enqueue`: a job, put in as the API does.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use jobs::{JobKind, new_public_id};
use serde_json::{Map, Value, json};

use super::wait::{Door, result, succeeded};
use crate::App;
use crate::error::Failure;
use crate::time::{future, stamp};

/// Put a job in, as the API does.
#[derive(Debug, Args)]
pub struct Enqueue {
    /// What to do: create, suspend, unsuspend, terminate, change_package, change_limits,
    /// change_password, login_url, get_stats, get_server_config, check_connection, list_accounts,
    /// unlock, move, vm_list, vm_get, vm_create, vm_start, vm_stop, vm_reboot, vm_rescue, vm_unrescue,
    /// vm_rebuild
    kind: JobKind,
    /// The server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// The account by its id here
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The account by the billing platform's id; for a create the one to remember
    #[arg(long, value_name = "REF")]
    reference: Option<String>,
    /// The account's login name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Its main domain
    #[arg(long)]
    domain: Option<String>,
    /// Its package
    #[arg(long)]
    package: Option<String>,
    /// The owner's mail address
    #[arg(long)]
    email: Option<String>,
    /// A limit: disk_mb, traffic_mb, email_accounts, databases, domains, subdomains or ftp_accounts,
    /// a number or `unlimited`
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    limit: Vec<(String, String)>,
    /// What only this server's panel wants
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    panel: Vec<(String, String)>,
    /// Give it an address of its own
    #[arg(long)]
    dedicated_ip: bool,
    /// For move: who it goes to
    #[arg(long)]
    target: Option<String>,
    /// Read the password from standard input (else a create generates one)
    #[arg(long)]
    password_stdin: bool,
    /// For get_stats: the month, in the panel's time zone
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    /// Why, for the history, and for the panel on a suspend
    #[arg(long)]
    reason: Option<String>,
    /// Not before: a time, or a span like 2h
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// The same key is the same job [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Tell this webhook
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
    /// Wait so long for its end; exit code 1 when it is not a good one
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl Enqueue {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let password = if self.password_stdin {
            Some(one_line("password-stdin")?)
        } else {
            None
        };
        let door = Door::open(app).await?;
        let now = door.store.now().await?;
        let accepted = door.put(self.body(password, now)?).await?;
        let id = accepted.job.public_id.clone();
        let Some(seconds) = self.wait else {
            app.out
                .json(&json!({ "id": id, "state": accepted.job.state, "new": accepted.new }));
            let known = if accepted.new {
                ""
            } else {
                " (the same request was accepted before)"
            };
            app.out.line(format!(
                "{id}{known}\n{}",
                app.out
                    .faint(&format!("`hostler job show {id}` follows it"))
            ));
            return Ok(());
        };
        let patience = Duration::from_secs(seconds);
        let ended = door.wait(&accepted.job, patience).await?;
        let shown = ended.as_ref().unwrap_or(&accepted.job);
        app.out.json(&json!({
            "id": id,
            "state": shown.state,
            "attempt": shown.attempt,
            "result": result(shown),
            "error": shown.error_code.as_ref().map(|code| json!({ "code": code, "message": shown.error_message })),
        }));
        let job = succeeded(&accepted.job, ended, patience)?;
        app.out.line(format!("{id}  {}", app.out.state(&job.state)));
        for (name, value) in result(&job).as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            app.out.fields(&[(name.as_str(), text)]);
        }
        Ok(())
    }

    /// The request as the API would get it.
    fn body(&self, password: Option<String>, now: i64) -> Result<Value, Failure> {
        let due_at = match &self.due {
            Some(text) => Some(stamp(
                future(text, now).map_err(|error| Failure::usage("due", error))?,
            )),
            None => None,
        };
        let key = self
            .idempotency_key
            .clone()
            .unwrap_or_else(|| format!("cli:{}", new_public_id()));
        let mut body = object([
            ("kind", Some(json!(self.kind.name()))),
            ("server", self.server.as_ref().map(|name| json!(name))),
            ("month", self.month.as_ref().map(|month| json!(month))),
            ("reason", self.reason.as_ref().map(|reason| json!(reason))),
            ("due_at", due_at.map(|at| json!(at))),
            ("webhook", self.webhook.as_ref().map(|name| json!(name))),
            ("idempotency_key", Some(json!(key))),
        ]);
        let account = self.account_body(password);
        if !account.is_empty() {
            body.insert("account".to_owned(), Value::Object(account));
        }
        Ok(Value::Object(body))
    }

    fn account_body(&self, password: Option<String>) -> Map<String, Value> {
        let limits: Map<String, Value> = self
            .limit
            .iter()
            .map(|(name, value)| {
                let number = value.parse::<u64>().map(|number| json!(number));
                (name.clone(), number.unwrap_or_else(|_| json!(value)))
            })
            .collect();
        let mut panel: Map<String, Value> = self
            .panel
            .iter()
            .map(|(name, value)| (name.clone(), scalar(value)))
            .collect();
        if let Some(target) = &self.target {
            panel.insert("target".to_owned(), json!(target));
        }
        let text = |value: &Option<String>| value.as_ref().map(|value| json!(value));
        object([
            ("id", text(&self.account)),
            ("reference", text(&self.reference)),
            ("username", text(&self.username)),
            ("domain", text(&self.domain)),
            ("package", text(&self.package)),
            ("email", text(&self.email)),
            ("password", password.map(|password| json!(password))),
            ("dedicated_ip", self.dedicated_ip.then_some(json!(true))),
            (
                "limits",
                (!limits.is_empty()).then_some(Value::Object(limits)),
            ),
            ("panel", (!panel.is_empty()).then_some(Value::Object(panel))),
        ])
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Numbers and booleans as themselves, everything else as text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_number() || value.is_boolean() => value,
        _ => json!(text),
    }
}

/// One line of standard input, for what must not stand on a command line.
pub(crate) fn one_line(field: &str) -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(field, error.to_string()))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    if line.is_empty() {
        Err(Failure::usage(field, "standard input is empty"))
    } else {
        Ok(line)
    }
}
