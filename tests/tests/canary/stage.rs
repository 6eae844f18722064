//! An installation whose every secret is known to the scanner, and everything that was heard of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use simulator::{Options, PanelKind, Simulator};
use tests::canary::Canaries;
use tests::client::Client;
use tests::installation::{Installation, Role, Said, binary, faulty_binary, free_port};
use tests::servers::{self, Kind, Redis, TestDatabase};

use crate::receiver::Receiver;

/// Faster than in production, and the deadlines still hold on a busy machine.
const PACE: f64 = 0.02;
pub(crate) const DATABASE_PASSWORD: &str = "Pl4nted-database-Pw-Aa1Zq7";
pub(crate) const REDIS_PASSWORD: &str = "Pl4nted-doorbell-Pw-Bb2Xk9";
/// No secret: it stands where it may be seen, and must be found there.
pub(crate) const PLANTED: &str = "pl4nted0where0it0is0seen";
/// Our own levels and those of every library that we use.
const LEVEL: &str = "trace,sqlx=trace,sea_orm=trace,sea_orm_migration=trace,hyper=trace,hyper_util=trace,h2=trace,rustls=trace,reqwest=trace,redis=trace,tower=trace,apalis=trace,apalis_core=trace";

/// Which processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// One for everything, on SQLite.
    Serve,
    /// Scheduler and worker, on PostgreSQL and Redis.
    Apart,
}

pub(crate) struct Stage {
    pub(crate) installation: Installation,
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) receiver: Receiver,
    pub(crate) panels: Vec<(&'static str, Simulator)>,
    pub(crate) canaries: Canaries,
    pub(crate) planted: Canaries,
    pub(crate) kinds: BTreeSet<String>,
    /// A name for the place, and all of it.
    pub(crate) heard: Vec<(String, Vec<u8>)>,
    database: TestDatabase,
    redis: Option<Redis>,
    roles: Vec<Role>,
    folder: tempfile::TempDir,
}

async fn redis_with_password() -> Redis {
    let server = Redis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut set = redis::cmd("CONFIG");
    set.arg(&["SET", "requirepass", REDIS_PASSWORD]);
    set.exec_async(&mut connection).await.unwrap();
    server
}

fn redis_url(server: &Redis) -> String {
    format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{}/", server.port())
}

impl Stage {
    pub(crate) async fn new(roles: Roles) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (kind, binary) = match roles {
            Roles::Serve => (Kind::Sqlite, faulty_binary()),
            Roles::Apart => (Kind::Postgres, binary()),
        };
        let mut database = TestDatabase::migrated(kind).await;
        let with_password = format!("postgres:{DATABASE_PASSWORD}@");
        database.url = database.url.replace("postgres@", &with_password);
        let redis = match roles {
            Roles::Serve => None,
            Roles::Apart => Some(redis_with_password().await),
        };
        let place = folder.path().join("installation");
        std::fs::create_dir(&place).unwrap();
        let receiver = Receiver::start().await;
        settings(&place, &receiver);
        let url = redis.as_ref().map(redis_url);
        let installation = Installation::in_folder(&place, binary, &database, url, PACE);
        let mut stage = Self {
            client: Client::new("http://127.0.0.1:1", "none"),
            base: String::new(),
            installation,
            receiver,
            panels: Vec::new(),
            canaries: Canaries::default(),
            planted: Canaries::default(),
            kinds: BTreeSet::new(),
            heard: Vec::new(),
            database,
            redis,
            roles: Vec::new(),
            folder,
        };
        stage.planted.add("the planted text", PLANTED, "nobody");
        stage
            .canaries
            .add("the database's password", DATABASE_PASSWORD, "postgres");
        stage
            .canaries
            .add("Redis' password", REDIS_PASSWORD, "default");
        stage.note_keys();
        stage.add_panels().await;
        stage.start(roles).await;
        stage
    }

    fn note_keys(&mut self) {
        let keys = self.installation.folder().join("data/keys");
        for file in std::fs::read_dir(keys).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".pub") {
                let key = std::fs::read_to_string(&path).unwrap();
                self.canaries.add(&name, key.trim(), "");
            }
        }
    }

    async fn add_panels(&mut self) {
        for (name, kind) in [
            ("web1", PanelKind::Cpanel),
            ("web2", PanelKind::Froxlor),
            (PLANTED, PanelKind::Cpanel),
        ] {
            let panel = simulator::start(Options::new(kind)).await.unwrap();
            self.installation
                .add_server(name, &kind.to_string(), &panel);
            self.installation.hostler(&[
                "server",
                "set",
                name,
                "--nightly",
                "false",
                "--max-terminates",
                "0",
            ]);
            self.canaries
                .add("a panel's secret", panel.secret(), panel.user());
            self.panels.push((name, panel));
        }
    }

    async fn start(&mut self, roles: Roles) {
        let scopes = [
            "create",
            "suspend",
            "terminate",
            "change",
            "read",
            "traffic",
            "operate",
        ];
        let token = self.installation.token(&scopes);
        self.canaries.add("the API token", &token, "billing");
        let hook = [
            "webhook",
            "add",
            "main",
            "--platform",
            "billing",
            "--url",
            &self.receiver.url,
            "--json",
        ];
        let key = self.installation.hostler(&hook).json();
        self.canaries
            .add("the webhook's key", key["key"].as_str().unwrap(), "");
        let listen = format!("127.0.0.1:{}", free_port());
        let lines: &[&[&str]] = match roles {
            Roles::Serve => &[&["serve", "--listen", &listen]],
            Roles::Apart => &[&["scheduler", "--listen", &listen], &["worker"]],
        };
        for line in lines {
            let ready = if line[0] == "worker" {
                "jobs at one time"
            } else {
                "listening on"
            };
            self.roles.push(self.installation.start(line, ready).await);
        }
        self.base = format!("http://{listen}");
        self.client = Client::new(&self.base, &token);
    }

    pub(crate) fn panel(&self, server: &str) -> &Simulator {
        &self
            .panels
            .iter()
            .find(|(name, _)| *name == server)
            .unwrap()
            .1
    }

    pub(crate) fn hear(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.heard.push((place.to_owned(), bytes.into()));
    }

    /// Runs a command and keeps what it says.
    pub(crate) fn command(&mut self, args: &[&str]) -> Said {
        let said = self.installation.try_hostler(args);
        self.hear(&args.join(" "), format!("{}\n{}", said.out, said.err));
        said
    }

    /// Runs a job to its end and keeps what is answered.
    pub(crate) async fn job(&mut self, key: &str, body: &Value) -> Value {
        let bodies = [(key.to_owned(), body.clone())];
        self.jobs(&bodies).await.remove(0)
    }

    /// The same with several at once; in the order in which they came to rest.
    pub(crate) async fn jobs(&mut self, bodies: &[(String, Value)]) -> Vec<Value> {
        let mut running = FuturesUnordered::new();
        for (key, body) in bodies {
            let (status, answer) = self.client.post("/v1/jobs", key, body).await;
            self.hear(&format!("POST /v1/jobs {status}"), answer.to_string());
            assert!(status == 202 || status == 200, "{answer} for {body}");
            let (client, id) = (
                self.client.clone(),
                answer["id"].as_str().unwrap().to_owned(),
            );
            running.push(async move { client.settled(&id).await });
        }
        let mut done = Vec::new();
        while let Some(job) = running.next().await {
            self.kinds.insert(job["kind"].as_str().unwrap().to_owned());
            self.hear("GET /v1/jobs/ settled", job.to_string());
            // The gate that it closed would keep the others waiting.
            if job["state"] == "held" {
                let server = job["server"].as_str().unwrap().to_owned();
                self.command(&["server", "check", &server]);
            }
            done.push(job);
        }
        done
    }

    /// What a job hands out, which becomes one more secret.
    pub(crate) async fn fetch_secret(&mut self, job: &Value) {
        let path = format!("/v1/jobs/{}/secret", job["id"].as_str().unwrap());
        let (status, secret) = self.client.post(&path, "secret", &json!({})).await;
        assert_eq!(status, 200, "{job}");
        for field in ["password", "url"] {
            if let Some(text) = secret[field].as_str() {
                self.canaries
                    .add(&format!("a {field} that was handed out"), text, "generated");
            }
        }
    }

    /// Ends the processes and keeps what they have said.
    pub(crate) async fn stop(&mut self) {
        let hooks = self.receiver.got(1).await;
        for hook in hooks {
            self.hear("webhook", hook);
        }
        let mut all = String::new();
        for mut role in std::mem::take(&mut self.roles) {
            assert_eq!(role.stop().await, 0);
            all.push_str(&role.said().join("\n"));
        }
        assert!(
            all.contains(" TRACE ") || all.contains(" DEBUG "),
            "they say all that they can"
        );
        self.hear("output", all);
    }

    /// The bytes of the SQLite file and its log, or the dump of a database with all its tables; and every
    /// other file of the installation that is not there to hold a secret.
    pub(crate) async fn database_bytes(&mut self) {
        for path in files(self.folder.path()) {
            self.hear(&path.display().to_string(), std::fs::read(&path).unwrap());
        }
        if self.database.kind == Kind::Sqlite {
            let url = self.database.url.trim_start_matches("sqlite:").to_owned();
            let file = PathBuf::from(url.split('?').next().unwrap());
            for path in files(file.parent().unwrap()) {
                self.hear("sqlite", std::fs::read(path).unwrap());
            }
            return;
        }
        let (folder, port) = servers::postgres()
            .address()
            .rsplit_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let name = database_name(&self.database.url);
        let dump = std::process::Command::new(pg_dump())
            .args([
                "-h",
                &folder,
                "-p",
                &port,
                "-U",
                "postgres",
                "--inserts",
                &name,
            ])
            .output()
            .unwrap();
        assert!(dump.status.success(), "{dump:?}");
        self.hear("postgres dump", dump.stdout);
    }

    /// Every key of Redis, as text where it is a list and as it lies in memory.
    pub(crate) async fn redis_bytes(&mut self) {
        let Some(server) = &self.redis else { return };
        let client = redis::Client::open(redis_url(server)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut push = redis::cmd("RPUSH");
        push.arg(&["planted", PLANTED]);
        push.exec_async(&mut connection).await.unwrap();
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .unwrap();
        let mut heard = Vec::new();
        for key in keys {
            let dumped: Vec<u8> = redis::cmd("DUMP")
                .arg(&key)
                .query_async(&mut connection)
                .await
                .unwrap();
            let items: redis::RedisResult<Vec<Vec<u8>>> = redis::cmd("LRANGE")
                .arg(&key)
                .arg(0)
                .arg(-1)
                .query_async(&mut connection)
                .await;
            heard.push([key, dumped, items.unwrap_or_default().join(&b' ')].join(&b' '));
        }
        for bytes in heard {
            self.hear("redis", bytes);
        }
    }
}

fn settings(folder: &Path, receiver: &Receiver) {
    std::fs::write(folder.join("receiver.pem"), &receiver.certificate_pem).unwrap();
    let text = format!(
        "[log]\nlevel = \"{LEVEL}\"\n[worker]\nwebhook_networks = [\"127.0.0.0/8\"]\nwebhook_ca = \"receiver.pem\"\n"
    );
    std::fs::write(folder.join("hostler.toml"), text).unwrap();
}

fn database_name(url: &str) -> String {
    let path = url.split('?').next().unwrap();
    path.rsplit_once('/').unwrap().1.to_owned()
}

fn pg_dump() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join("bin/pg_dump"))
        .collect();
    found.sort();
    found.pop().unwrap()
}

/// The files of the folder, but for the keys and what operators are told to put into files.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let end = path
            .extension()
            .and_then(|end| end.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if path.file_name().unwrap() != "keys" {
                found.extend(files(&path));
            }
        } else if end != "secret" {
            found.push(path);
        }
    }
    found
}
