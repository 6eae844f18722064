//! A scheduler and a worker on one database, each with a proxy of its own in front of it, and a panel.

use std::collections::BTreeMap;
use std::process::Command;

use entity::{attempt, job};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use simulator::{Fault, Options, PanelKind, Reply, Simulator, overlapping};
use tests::client::Client;
use tests::installation::{Installation, Role, free_port};
use tests::proxy::{Mode, Proxy};
use tests::servers::{Kind, TestDatabase};
use tests::stand::{assert_no_panic, create};

const PACE: f64 = 0.02;

/// See the module.
pub(crate) struct Ledger {
    pub(crate) database: TestDatabase,
    /// Between the API process and the database.
    pub(crate) api_way: Proxy,
    /// Between the worker and the database.
    pub(crate) worker_way: Proxy,
    pub(crate) client: Client,
    pub(crate) panel: Simulator,
    pub(crate) roles: [Role; 2],
    created: usize,
}

impl Ledger {
    pub(crate) async fn new(kind: Kind) -> Self {
        let database = TestDatabase::migrated(kind).await;
        let api_way = Proxy::before(database.port()).await;
        let worker_way = Proxy::before(database.port()).await;
        let installation = Installation::new(&database, None, PACE);
        let panel = simulator::start(Options::new(PanelKind::Cpanel))
            .await
            .unwrap();
        installation.add_server("web1", "cpanel", &panel);
        let quiet = ["--nightly", "false", "--max-terminates", "0"];
        installation.hostler(&[&["server", "set", "web1"][..], &quiet].concat());
        let scopes = ["create", "terminate", "change", "read", "operate"];
        let token = installation.token(&scopes);
        let listen = format!("127.0.0.1:{}", free_port());
        let through = |mut command: Command, way: &Proxy| {
            command.env("DATABASE_URL", database.through(way.port()));
            command.env("HOSTLER_DATABASE__PATIENCE_SECONDS", "2");
            command
        };
        let scheduler = installation.command(&["scheduler", "--listen", &listen]);
        let worker = installation.command(&["worker"]);
        let (scheduler, worker) = tokio::join!(
            Installation::run(through(scheduler, &api_way), "listening on"),
            Installation::run(through(worker, &worker_way), "jobs at one time"),
        );
        Self {
            client: Client::new(format!("http://{listen}"), &token),
            database,
            api_way,
            worker_way,
            panel,
            roles: [scheduler, worker],
            created: 0,
        }
    }

    /// Both ways to the database.
    pub(crate) fn set(&self, mode: Mode) {
        self.api_way.set(mode);
        self.worker_way.set(mode);
    }

    /// A login name that was not used yet; the first eight characters differ.
    pub(crate) fn name(&mut self) -> String {
        self.created += 1;
        format!("site{:03}", self.created)
    }

    /// Asks for it, with the same key again and again until it is promised; nothing but a promise or a
    /// refusal to promise is ever answered.
    pub(crate) async fn promised(&self, key: &str, body: &Value) -> String {
        loop {
            let (status, answer) = self.client.post("/v1/jobs", key, body).await;
            match status {
                202 | 200 => return answer["id"].as_str().unwrap().to_owned(),
                status => assert_eq!(status, 503, "{answer}"),
            }
        }
    }

    /// Waits for the job's end through answers of 503; it must be a success.
    pub(crate) async fn succeeds(&self, id: &str) {
        loop {
            let path = format!("/v1/jobs/{id}?wait=60");
            let (status, job) = self.client.get(&path).await;
            match job["state"].as_str().unwrap_or_default() {
                "succeeded" => return,
                "failed" | "held" | "cancelled" => panic!("{job:#}"),
                _ => assert!(status == 200 || status == 503, "{status} {job}"),
            }
        }
    }

    pub(crate) async fn create(&mut self) -> (String, String) {
        let name = self.name();
        let id = self.promised(&name, &create("web1", &name)).await;
        (name, id)
    }

    pub(crate) async fn terminate(&self, name: &str) -> String {
        let account = json!({ "reference": format!("billing:web1-{name}") });
        let body = json!({ "kind": "terminate", "server": "web1", "account": account });
        self.promised(&format!("end-{name}"), &body).await
    }

    /// The next creates take a while on the panel.
    pub(crate) fn slow(&self, calls: usize) {
        let late = Fault::on("createacct").reply(Reply::Late { ms: 1_000 });
        self.panel.faults().add(late.times(calls as u64));
    }

    /// How many such requests the panel has had, by account.
    pub(crate) fn calls(&self, call: &str) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for seen in self.panel.requests() {
            if seen.call == call {
                let name = seen.username.unwrap_or_default();
                *calls.entry(name).or_default() += 1;
            }
        }
        calls
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let (status, answer) = self.client.get("/readyz").await;
        assert!(status == 200 || status == 503, "{status} {answer}");
        status == 200
    }

    /// Ends it all. Each account was made by one call, each call had its committed intent, and each job ended
    /// once.
    pub(crate) async fn end(mut self) {
        for role in &mut self.roles {
            let code = role.stop().await;
            assert_no_panic(role);
            assert_eq!(code, 0, "{:#?}", role.said());
        }
        let made = self.calls("createacct");
        assert_eq!(made.len(), self.created, "each account was asked for");
        assert!(made.values().all(|calls| *calls == 1), "{made:?}");
        let ended = self.calls("removeacct");
        assert!(ended.values().all(|calls| *calls == 1), "{ended:?}");
        assert_eq!(overlapping(&self.panel.ledger()), []);
        self.every_call_was_intended(made.len() + ended.len()).await;
        self.database.remove().await;
    }

    async fn every_call_was_intended(&self, calls: usize) {
        let store = self.database.store().await;
        let jobs = job::Entity::find().all(store.reader()).await.unwrap();
        let changing = ["create", "terminate"];
        let jobs: BTreeMap<i64, &job::Model> = jobs
            .iter()
            .filter(|job| changing.contains(&job.kind.as_str()))
            .map(|job| (job.id, job))
            .collect();
        assert_eq!(jobs.len(), calls, "one key, one job; one job, one call");
        let attempts = attempt::Entity::find().all(store.reader()).await.unwrap();
        let sent = attempts
            .iter()
            .filter(|row| jobs.contains_key(&row.job_id) && row.sent_at.is_some());
        assert!(sent.count() >= calls, "no call without its intent");
        let done = attempts.iter().filter(|row| {
            jobs.contains_key(&row.job_id)
                && ["succeeded", "already_so"].contains(&row.outcome.as_str())
        });
        assert_eq!(done.count(), jobs.len(), "each ended once");
    }
}
