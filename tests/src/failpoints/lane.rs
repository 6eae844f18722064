//! One installation on its way through the cases, a process each.

mod end;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use entity::job;
use jobs::JobKind;
use jobs::faults::Point;
use jobs::store::Store;
use sea_orm::{EntityTrait, QueryOrder, QuerySelect};
use serde_json::{Value, json};
use simulator::{Options, PanelKind};

use super::case::{Case, Mode};
use super::jobs_of::{Accounts, Asked};
use super::{Report, night, receiver};
use crate::field::{Ended, Field, Part, Plan, Process};
use crate::installation::faulty_binary;
use crate::servers::Kind;

/// The factor on all waiting: leases of some ten seconds, calls that may take seconds.
const PACE: f64 = 0.01;
/// A process that has not aborted by then will not.
const PATIENCE: Duration = Duration::from_secs(90);
/// Everything is at rest by then.
const DRAIN: Duration = Duration::from_secs(180);
/// Who gets the accounts that are moved: on cPanel by name, on Froxlor by id.
const NEW_OWNER: &str = "partner";

struct Lane {
    field: Field,
    store: Store,
    log: PathBuf,
    accounts: Accounts,
    admin: String,
    /// What was asked for and not answered.
    unanswered: Vec<Asked>,
    number: usize,
    report: Report,
}

pub(super) async fn run(folder: PathBuf, database: Kind, cases: Vec<Case>) -> Report {
    let mut lane = Lane::new(&folder, database, &cases).await;
    for case in cases {
        match lane.case(case).await {
            Ok(()) => lane.report.aborted.push(case),
            Err(why) => lane.report.failures.push(format!("{case}: {why}")),
        }
    }
    lane.finish().await;
    lane.report
}

fn panels(cases: &[Case]) -> Vec<(&'static str, Options)> {
    let uses = |driver: &str| {
        let of = cases.iter().filter(|case| case.driver == driver);
        let accounts = of.filter(|case| case.kind.has_account()).count();
        u32::try_from(accounts).unwrap_or(u32::MAX)
    };
    let with = |panel, accounts| Options {
        accounts,
        free_ips: 200,
        ..Options::new(panel)
    };
    vec![
        ("cpanel", with(PanelKind::Cpanel, uses("cpanel"))),
        ("froxlor", with(PanelKind::Froxlor, uses("froxlor"))),
        ("cpanel2", with(PanelKind::Cpanel, 6)),
        ("froxlor2", with(PanelKind::Froxlor, 6)),
    ]
}

impl Lane {
    async fn new(folder: &Path, database: Kind, cases: &[Case]) -> Self {
        let ca = folder.join("receiver.pem");
        std::fs::create_dir_all(folder).expect("the run folder can be made");
        let url = receiver::start(&ca).await;
        let variables = [
            ("HOSTLER_WORKER__WEBHOOK_CA", ca.display().to_string()),
            (
                "HOSTLER_WORKER__WEBHOOK_NETWORKS",
                r#"["127.0.0.0/8"]"#.to_owned(),
            ),
        ];
        let plan = Plan {
            database,
            pace: PACE,
            panels: panels(cases),
            environment: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..Plan::new(folder, faulty_binary())
        };
        let field = Field::new(plan).await;
        let add = ["webhook", "add", "main", "--platform", "billing", "--url"];
        field.installation.hostler(&[&add[..], &[&url]].concat());
        let admin = field
            .panel("froxlor")
            .froxlor(|froxlor| froxlor.add_admin(NEW_OWNER));
        let known = ["cpanel", "froxlor"].map(|name| {
            let unsuspends = cases
                .iter()
                .filter(|case| case.kind == JobKind::Unsuspend && case.driver == name);
            (name, field.panel(name), unsuspends.count())
        });
        let mut lane = Self {
            store: field.database.store().await,
            log: field.folder().join("failpoints.log"),
            accounts: Accounts::of(&known),
            admin: admin.unwrap_or_default().to_string(),
            field,
            unanswered: Vec::new(),
            number: 0,
            report: Report::default(),
        };
        lane.report.folders.push(lane.field.folder().to_owned());
        lane.prepare().await;
        lane
    }

    /// Takes over the accounts that are there, and suspends those that are to be unsuspended.
    async fn prepare(&mut self) {
        let mut process = self.field.start(Part::Serve, &[]).await;
        for server in ["cpanel", "froxlor"] {
            let body = json!({"kind": "list_accounts", "server": server, "import": true});
            self.accepted(&format!("list-{server}"), &body).await;
            let body = json!({"kind": "get_server_config", "server": server});
            self.accepted(&format!("config-{server}"), &body).await;
        }
        self.drained().await;
        for (server, name) in self.accounts.to_suspend() {
            let body = json!({"kind": "suspend", "server": server, "account": {"username": name}});
            self.accepted(&format!("prepare-{server}-{name}"), &body)
                .await;
        }
        self.drained().await;
        process.stop().await;
        self.field.kill(&mut process).await;
    }

    async fn accepted(&self, key: &str, body: &Value) {
        let answer = self.field.platform.submit(key, body).await;
        assert!(answer.id().is_some(), "{body}: {answer:?}");
    }

    async fn drained(&mut self) {
        if let Err(left) = self.field.drain(DRAIN).await {
            let some: Vec<_> = left.iter().take(5).collect();
            let why = format!("{} jobs did not come to rest: {some:?}", left.len());
            self.report.failures.push(why);
        }
    }

    /// Starts a process with that armed.
    async fn generation(&mut self, part: Part, armed: &str) -> Process {
        self.report.generations += 1;
        let log = self.log.display().to_string();
        let variables = [
            ("HOSTLER_FAILPOINT", armed),
            ("HOSTLER_FAILPOINT_LOG", &log),
        ];
        self.field.start(part, &variables).await
    }

    /// Waits until it has aborted.
    async fn aborts(&mut self, mut process: Process) -> Result<(), String> {
        let ended = tokio::time::timeout(PATIENCE, process.ended()).await;
        self.field.kill(&mut process).await;
        let said = || {
            let said = std::fs::read_to_string(process.output()).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            format!("{}: {last:?}", process.output().display())
        };
        match ended {
            Ok(Ended::Signal(6)) => Ok(()),
            Ok(other) => Err(format!("the process ended as {other:?}; {}", said())),
            Err(_) => Err(format!("the process did not abort; {}", said())),
        }
    }

    async fn newest_job(&self) -> i64 {
        let newest: Option<i64> = job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .order_by_desc(job::Column::Id)
            .into_tuple()
            .one(self.field.sql())
            .await
            .expect("answered");
        newest.unwrap_or(0)
    }

    async fn case(&mut self, case: Case) -> Result<(), String> {
        self.number += 1;
        let after = self.newest_job().await;
        let point = case.point.name();
        let armed = format!("{point}:{}>{after}", case.kind);
        match case.point {
            Point::ReturnBegun | Point::Returned => {
                let armed = format!("claimed:{}>{after}!term,{armed}", case.kind);
                self.submitted(case, &armed).await
            }
            Point::RescueWritten | Point::Rescued => {
                let before = match case.mode {
                    Mode::Clean => "claimed",
                    Mode::Applied | Mode::NotApplied => "answered",
                };
                let first = format!("{before}:{}>{after}", case.kind);
                self.submitted(case, &first).await?;
                let process = self.generation(Part::Serve, &armed).await;
                self.aborts(process).await
            }
            Point::TopUpPicked | Point::TopUpRung => {
                if case.kind == JobKind::Create {
                    self.leases_end(case.driver).await?;
                }
                self.left_unrung(case, after).await?;
                // Alone: a worker would be faster than the top-up.
                let armed = format!("{point}>{after}");
                let process = self.generation(Part::Scheduler, &armed).await;
                self.aborts(process).await
            }
            Point::JoinWritten | Point::Joined => self.scheduled(case, &armed).await,
            Point::CancelWritten | Point::Cancelled => {
                self.operated(case, &armed, &["cancel"]).await
            }
            Point::ReplayWritten | Point::Replayed => {
                self.operated(case, &armed, &["cancel", "replay"]).await
            }
            Point::NightBegun | Point::NightAsked | Point::NightSet => self.night(case).await,
            Point::NightMarked | Point::IntentBegun | Point::IntentWritten
                if case.kind == JobKind::GetStats =>
            {
                night::make_due(self.field.sql(), &[case.driver], self.number).await;
                let process = self.generation(Part::Serve, &armed).await;
                self.aborts(process).await?;
                self.night_ends(1).await
            }
            _ => self.submitted(case, &armed).await,
        }
    }
}
