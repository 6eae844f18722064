//! What a billing platform asks for in the course of two months, act by act.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hosting::Month;
use indicatif::{ProgressBar, ProgressStyle};
use jobs::new_public_id;
use serde_json::{Value, json};

use super::client::Client;
use super::stage::{Panel, Stage};
use crate::error::Failure;
use crate::output::{Output, cell};
use crate::time::now_ms;

/// An act that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(240);

/// A job that has come to rest.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) server: String,
    pub(super) username: Option<String>,
    pub(super) state: String,
    pub(super) attempts: u64,
    pub(super) error: Option<String>,
    pub(super) result: Value,
}

/// The demonstration while it runs.
pub(super) struct Show<'a> {
    pub(super) out: Output,
    pub(super) client: Client,
    stage: &'a Stage,
    run: String,
    asked: u32,
    pub(super) ended: Vec<Ended>,
    pub(super) months: [Month; 2],
    /// What the second reading of an unchanged month booked: must be nothing.
    pub(super) booked_twice: i64,
    /// Traffic of accounts right before they were terminated, as the panel had it: server, name, month.
    pub(super) last_traffic: Vec<(String, String, String, u64)>,
}

impl<'a> Show<'a> {
    pub(super) fn new(out: Output, client: Client, stage: &'a Stage) -> Self {
        let now = chrono::DateTime::from_timestamp_millis(now_ms()).unwrap_or_default();
        let this = Month::of(&now);
        Self {
            out,
            client,
            stage,
            run: new_public_id(),
            asked: 0,
            ended: Vec::new(),
            months: [this.previous(), this],
            booked_twice: 0,
            last_traffic: Vec::new(),
        }
    }

    /// All acts.
    pub(super) async fn play(&mut self) -> Result<(), Failure> {
        let stage = self.stage;
        self.act("Servers are checked", stage.panels.iter().flat_map(look))
            .await?;
        // Changes are asked for at once behind their creates: an account's jobs keep their order.
        self.act(
            "Customers order, change their minds, and do not pay",
            stage.panels.iter().flat_map(orders),
        )
        .await?;
        for (night, title) in ["Traffic is read in the first night", "And in the second"]
            .into_iter()
            .enumerate()
        {
            self.grow(night as u64 + 1);
            self.act(title, self.readings()).await?;
        }
        let before = self.ended.len();
        self.act(
            "The same night once more: nothing is booked twice",
            self.readings(),
        )
        .await?;
        self.booked_twice = self.ended[before..]
            .iter()
            .map(|job| job.result["booked_bytes"].as_i64().unwrap_or(0))
            .sum();
        self.grow(3);
        self.keep_last_traffic();
        self.act(
            "Bills are paid, contracts end with a last reading",
            stage.panels.iter().flat_map(endings),
        )
        .await?;
        self.act("Traffic is read in the last night", self.readings())
            .await
    }

    /// Puts the jobs in, then tells of each as it ends.
    async fn act(
        &mut self,
        title: &str,
        bodies: impl IntoIterator<Item = Value>,
    ) -> Result<(), Failure> {
        self.out.line(format!("\n{}", self.out.title(title)));
        let mut waiting = FuturesUnordered::new();
        for body in bodies {
            self.asked += 1;
            let key = format!("demo:{}:{}", self.run, self.asked);
            let job = self.client.put(&key, &body).await?;
            let id = job["id"].as_str().unwrap_or_default().to_owned();
            let client = self.client.clone();
            waiting.push(async move { client.rested(&id).await });
        }
        let bar = self.bar(waiting.len());
        let listen = async {
            while let Some(job) = waiting.next().await {
                let job = Ended::of(&job?);
                let line = self.told(&job);
                bar.suspend(|| self.out.line(line));
                bar.inc(1);
                self.ended.push(job);
            }
            Ok(())
        };
        let heard = tokio::time::timeout(PATIENCE, listen).await;
        bar.finish_and_clear();
        heard.unwrap_or_else(|_| {
            Err(Failure::work(format!(
                "jobs have not ended within {} s: {title}",
                PATIENCE.as_secs()
            )))
        })
    }

    fn bar(&self, jobs: usize) -> ProgressBar {
        if !self.out.is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(jobs as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} jobs  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn told(&self, job: &Ended) -> String {
        let name = job.username.as_deref().unwrap_or("");
        let tries = match job.attempts {
            0 | 1 => String::new(),
            more => format!(" after {more} attempts"),
        };
        let why = job
            .error
            .as_deref()
            .filter(|_| job.state != "succeeded")
            .map(|why| format!(": {}", cell(Some(why))))
            .unwrap_or_default();
        format!(
            "  {:17} {:10} {:10} {}{tries}{why}",
            job.kind,
            job.server,
            name,
            self.out.state(&job.state)
        )
    }

    /// One `get_stats` for each server and month.
    fn readings(&self) -> Vec<Value> {
        let mut bodies = Vec::new();
        for panel in &self.stage.panels {
            for month in self.months {
                bodies.push(json!({
                    "kind": "get_stats", "server": panel.server, "month": month.to_string(),
                }));
            }
        }
        bodies
    }

    /// Visitors come: more traffic on the panels, a different amount for each account and month.
    fn grow(&self, night: u64) {
        for panel in &self.stage.panels {
            for (at, name) in panel.users.iter().enumerate() {
                for (number, month) in self.months.iter().enumerate() {
                    let mib = (at as u64 + 3) * (17 + 8 * number as u64) * night;
                    let kib = at as u64 * 13 + night;
                    let bytes = (mib << 20) + (kib << 10);
                    panel.simulator.add_traffic(name, &month.to_string(), bytes);
                }
            }
        }
    }

    /// A panel may forget a removed account's traffic, so it is noted before.
    fn keep_last_traffic(&mut self) {
        for panel in &self.stage.panels {
            for name in ending(panel) {
                for month in self.months.map(|month| month.to_string()) {
                    let bytes = panel.simulator.traffic(name, &month);
                    self.last_traffic
                        .push((panel.server.clone(), name.clone(), month, bytes));
                }
            }
        }
    }
}

impl Ended {
    fn of(job: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            id: text(&job["id"]).unwrap_or_default(),
            kind: text(&job["kind"]).unwrap_or_default(),
            server: text(&job["server"]).unwrap_or_default(),
            username: text(&job["account"]["username"]),
            state: text(&job["state"]).unwrap_or_default(),
            attempts: job["attempt"].as_u64().unwrap_or(0),
            error: text(&job["error"]["message"]),
            result: job["result"].clone(),
        }
    }
}

fn look(panel: &Panel) -> Vec<Value> {
    ["check_connection", "get_server_config"]
        .map(|kind| json!({ "kind": kind, "server": panel.server }))
        .into()
}

fn about(panel: &Panel, kind: &str, name: &str, more: Value) -> Value {
    let mut account = json!({ "username": name });
    if let (Some(account), Value::Object(more)) = (account.as_object_mut(), more) {
        account.extend(more);
    }
    json!({ "kind": kind, "server": panel.server, "account": account })
}

/// A create for everybody, and a change for most.
fn orders(panel: &Panel) -> Vec<Value> {
    let mut bodies = Vec::new();
    for name in &panel.users {
        let more = json!({
            "reference": format!("demo:{}:{name}", panel.server),
            "domain": format!("{name}.example.com"),
            "email": format!("owner@{name}.example.com"),
            "package": "silver",
        });
        bodies.push(about(panel, "create", name, more));
    }
    for (at, name) in panel.users.iter().enumerate() {
        let change = match at % 6 {
            0 => about(panel, "suspend", name, json!({})),
            1 => about(panel, "change_package", name, json!({ "package": "gold" })),
            2 => about(
                panel,
                "change_limits",
                name,
                json!({ "limits": { "disk_mb": 3000 } }),
            ),
            3 => about(
                panel,
                "change_password",
                name,
                json!({ "password": "Corr3ct-H0rse-Batt3ry" }),
            ),
            5 => about(panel, "suspend", name, json!({})),
            _ => continue,
        };
        bodies.push(change);
    }
    bodies
}

/// Who leaves: one in six.
pub(super) fn ending(panel: &Panel) -> impl Iterator<Item = &String> {
    panel.users.iter().skip(4).step_by(6)
}

/// Who stays suspended: one in six.
pub(super) fn unpaid(panel: &Panel) -> impl Iterator<Item = &String> {
    panel.users.iter().skip(5).step_by(6)
}

fn endings(panel: &Panel) -> Vec<Value> {
    let mut bodies = Vec::new();
    for (at, name) in panel.users.iter().enumerate() {
        match at % 6 {
            0 => bodies.push(about(panel, "unsuspend", name, json!({}))),
            3 => bodies.push(about(panel, "login_url", name, json!({}))),
            4 => bodies.push(about(panel, "terminate", name, json!({}))),
            _ => {}
        }
    }
    bodies
}
