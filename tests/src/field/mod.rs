//! A field of operations: one installation with its panels and processes, in a *run folder* that keeps
//! all that can be said about the run afterwards.
//!
//! | file | what |
//! |---|---|
//! | `client.jsonl` | what clients asked and were told, [`Platform`] |
//! | `panel-<server>.jsonl` | the panel's fsynced ledger of side effects |
//! | `panel-<server>.accounts.json`, `.traffic.json`, `.requests.jsonl` | the panel in the end, and what it was asked |
//! | `output/<role>-<n>.log` | everything that a process said |
//! | `secrets.txt` | secrets that must be nowhere: a name and a value a line |
//! | `database.url` | where the database is; SQLite lies in the folder |
//! | `pace` | the factor on all waiting |
//!
//! The checker ([`crate::check`]) decides from these, and nothing else, whether the promises were kept.

#![expect(
    clippy::expect_used,
    reason = "a run whose set-up fails must fail at once"
)]

mod drain;
mod platform;
mod process;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{Database, DatabaseConnection};
use serde::Serialize;
use simulator::{Options, PanelKind, Simulator};

use crate::installation::{Installation, free_port};
use crate::servers::{Kind, Redis, TestDatabase};

pub use drain::Unsettled;
pub use platform::{Answer, Platform};
pub use process::{Ended, Part, Process};

/// What a field is made of.
#[derive(Debug)]
pub struct Plan {
    /// The run folder: empty or not there yet.
    pub folder: PathBuf,
    /// The binary: [`crate::installation::binary`] or [`crate::installation::faulty_binary`].
    pub binary: PathBuf,
    /// The database.
    pub database: Kind,
    /// Whether there is a Redis (never for `serve`).
    pub redis: bool,
    /// The factor on all waiting.
    pub pace: f64,
    /// Servers by name, and how their panels behave; the ledger's place is filled in.
    pub panels: Vec<(&'static str, Options)>,
    /// Set for every process and command, `("RUST_LOG", "trace")`.
    pub environment: Vec<(String, String)>,
}

impl Plan {
    /// One panel of each kind (`cpanel`, `froxlor`), SQLite, no Redis, waiting fifty times faster.
    #[must_use]
    pub fn new(folder: &Path, binary: PathBuf) -> Self {
        let panels = PanelKind::ALL.map(|kind| {
            let name = match kind {
                PanelKind::Cpanel => "cpanel",
                PanelKind::Froxlor => "froxlor",
                PanelKind::HostBill => "hostbill",
            };
            (name, Options::new(kind))
        });
        Self {
            folder: folder.to_owned(),
            binary,
            database: Kind::Sqlite,
            redis: false,
            pace: 0.02,
            panels: panels.into(),
            environment: Vec::new(),
        }
    }
}

/// One server with its simulated panel.
#[derive(Debug)]
pub struct Server {
    /// Its name.
    pub name: &'static str,
    /// Its panel.
    pub panel: Simulator,
}

/// An installation with its panels and processes.
#[derive(Debug)]
pub struct Field {
    /// Its folder and commands.
    pub installation: Installation,
    /// Its database.
    pub database: TestDatabase,
    /// Its Redis.
    pub redis: Option<Redis>,
    /// Its servers.
    pub servers: Vec<Server>,
    /// A billing platform with every right but administration.
    pub platform: Platform,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    sql: DatabaseConnection,
    apis: Apis,
    started: Mutex<Vec<(Part, usize)>>,
}

/// Where the API processes are at the moment, by slot: a process that starts again gets another port.
#[derive(Debug, Clone, Default)]
pub(crate) struct Apis(Arc<Mutex<Vec<Option<String>>>>);

impl Apis {
    fn set(&self, slot: usize, address: Option<String>) {
        let mut apis = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if apis.len() <= slot {
            apis.resize(slot + 1, None);
        }
        apis[slot] = address;
    }

    /// One of those that are there, for the n-th request.
    fn pick(&self, n: usize) -> Option<String> {
        let apis = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there: Vec<&String> = apis.iter().flatten().collect();
        (!there.is_empty()).then(|| there[n % there.len()].clone())
    }
}

impl Field {
    /// Makes the folder, the database, the panels and the installation; no process runs yet.
    pub async fn new(plan: Plan) -> Self {
        let folder = plan.folder;
        for name in ["output", "installation"] {
            std::fs::create_dir_all(folder.join(name)).expect("the run folder can be made");
        }
        let folder = folder.canonicalize().expect("the run folder is there");
        let database = match plan.database {
            Kind::Sqlite => TestDatabase::sqlite_in(&folder).await,
            other => TestDatabase::migrated(other).await,
        };
        let redis = plan.redis.then(|| Redis::start().expect("Redis starts"));
        let installation = Installation::in_folder(
            &folder.join("installation"),
            plan.binary,
            &database,
            redis.as_ref().map(Redis::url),
            plan.pace,
        );
        let mut servers = Vec::new();
        for (name, mut options) in plan.panels {
            options.ledger = Some(folder.join(format!("panel-{name}.jsonl")));
            let kind = options.panel.to_string();
            let panel = simulator::start(options)
                .await
                .expect("a panel can be simulated");
            installation.add_server(name, &kind, &panel);
            let numbers = ["--nightly", "false", "--max-terminates", "0"];
            installation.hostler(&[&["server", "set", name][..], &numbers].concat());
            servers.push(Server { name, panel });
        }
        let scopes = ["create", "suspend", "terminate", "change"];
        let token = installation.token(&[&scopes[..], &["read", "traffic", "operate"]].concat());
        let apis = Apis::default();
        let platform = Platform::new(apis.clone(), &token, &folder.join("client.jsonl"));
        let sql = Database::connect(&database.url)
            .await
            .expect("the database can be reached");
        let field = Self {
            installation,
            database,
            redis,
            servers,
            platform,
            folder,
            environment: plan.environment,
            sql,
            apis,
            started: Mutex::default(),
        };
        field.write("database.url", field.database.url.as_bytes());
        field.write("pace", plan.pace.to_string().as_bytes());
        field.note_secret("api_token", &token);
        for server in &field.servers {
            field.note_secret(&format!("panel_{}", server.name), server.panel.secret());
        }
        field
    }

    /// The run folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The panel of that server.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn panel(&self, server: &str) -> &Simulator {
        let found = self.servers.iter().find(|found| found.name == server);
        &found.expect("a server of this field").panel
    }

    /// A connection to the database, for questions.
    #[must_use]
    pub fn sql(&self) -> &DatabaseConnection {
        &self.sql
    }

    /// Adds a secret that must not be found anywhere. It has no blanks or line ends.
    pub fn note_secret(&self, name: &str, value: &str) {
        let file = self.folder.join("secrets.txt");
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(file)
            .expect("the run folder can be written");
        file.write_all(format!("{name} {value}\n").as_bytes())
            .expect("the run folder can be written");
    }

    /// Starts a process of that part and waits until it is ready, or has ended. Environment variables
    /// given here come on top of the plan's.
    pub async fn start(&self, part: Part, environment: &[(&str, &str)]) -> Process {
        let (mut process, address) = self.spawn(part, environment);
        if process.is_ready().await && part.has_api() {
            self.apis.set(process.slot(), address);
        }
        process
    }

    /// Starts a process and does not wait; requests find it when [`Field::start`] would have returned.
    fn spawn(&self, part: Part, environment: &[(&str, &str)]) -> (Process, Option<String>) {
        let number = self.number(part);
        let listen = format!("127.0.0.1:{}", free_port());
        let args: Vec<&str> = match part {
            Part::Worker => vec!["worker"],
            Part::Scheduler => vec!["scheduler", "--listen", &listen],
            Part::Serve => vec!["serve", "--listen", &listen],
        };
        let mut command = self.installation.command(&args);
        let ours = self.environment.iter();
        command.envs(ours.map(|(name, value)| (name.as_str(), value.as_str())));
        command.envs(environment.iter().copied());
        let file = self
            .folder
            .join("output")
            .join(format!("{}-{number}.log", part.name()));
        let process = Process::spawn(command, part, number, &file);
        (process, part.has_api().then(|| format!("http://{listen}")))
    }

    fn number(&self, part: Part) -> usize {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let before = started.iter().filter(|(other, _)| *other == part).count();
        started.push((part, before + 1));
        before + 1
    }

    /// Kills a process with signal 9 and waits until it is gone.
    pub async fn kill(&self, process: &mut Process) {
        self.apis.set(process.slot(), None);
        process.kill().await;
    }

    /// Waits until every job is terminal or waits for a person; returns how long that took.
    ///
    /// # Errors
    /// The jobs that were not, after `limit`.
    pub async fn drain(&self, limit: Duration) -> Result<Duration, Vec<Unsettled>> {
        drain::drain(&self.sql, limit).await
    }

    /// Writes down how the panels are now. Call it when nothing runs any more.
    pub fn note_panels(&self) {
        for Server { name, panel } in &self.servers {
            let lines: Vec<u8> = panel.requests().iter().flat_map(line).collect();
            self.write(
                &format!("panel-{name}.accounts.json"),
                &json(&panel.accounts()),
            );
            self.write(
                &format!("panel-{name}.traffic.json"),
                &json(&panel.all_traffic()),
            );
            self.write(&format!("panel-{name}.requests.jsonl"), &lines);
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).expect("the run folder can be written");
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain values")
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain values");
    line.push(b'\n');
    line
}
