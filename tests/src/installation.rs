//! An installation of Hostler as an operator runs it: the built binary, its data folder, its processes.
//!
//! The binary is the one in `HOSTLER_BIN`, or `target/debug/hostler` beside this package; the test command
//! builds it first, so that no stale one is tested.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot start what it tests must fail at once; the binary's place comes from the test run"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use simulator::Simulator;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

use crate::servers::TestDatabase;

/// One installation: a folder with keys, a database, perhaps Redis.
#[derive(Debug)]
pub struct Installation {
    folder: Folder,
    binary: PathBuf,
    database_url: String,
    redis_url: Option<String>,
    pace: f64,
}

/// Where an installation lives.
#[derive(Debug)]
enum Folder {
    /// Gone with it.
    Passing(tempfile::TempDir),
    /// Left behind.
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Folder::Passing(folder) => folder.path(),
            Folder::Kept(folder) => folder,
        }
    }
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// What a command that was run by hand said.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        said(output)
    }

    /// The JSON document that it printed.
    ///
    /// # Panics
    /// When it printed none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.out, self.err))
    }
}

/// Where the binary is.
#[must_use]
pub fn binary() -> PathBuf {
    built("HOSTLER_BIN", "hostler", "cargo build --package cli")
}

/// Where the binary with failpoints and seeded bugs is.
#[must_use]
pub fn faulty_binary() -> PathBuf {
    built(
        "HOSTLER_FAULTY_BIN",
        "hostler-faulty",
        "cargo build --package cli --features faults --bin hostler-faulty",
    )
}

fn built(variable: &str, name: &str, how: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug");
    let path = target.join(name);
    assert!(path.exists(), "build the binary first: {how}");
    path
}

impl Installation {
    /// A new one on that (migrated) database: keys made, nothing running.
    #[must_use]
    pub fn new(database: &TestDatabase, redis_url: Option<String>, pace: f64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = Folder::Passing(folder);
        Self::with_keys(folder, binary(), database, redis_url, pace)
    }

    /// The same in a folder that stays, of another binary.
    #[must_use]
    pub fn in_folder(
        folder: &Path,
        binary: PathBuf,
        database: &TestDatabase,
        redis_url: Option<String>,
        pace: f64,
    ) -> Self {
        let folder = Folder::Kept(folder.to_owned());
        Self::with_keys(folder, binary, database, redis_url, pace)
    }

    fn with_keys(
        folder: Folder,
        binary: PathBuf,
        database: &TestDatabase,
        redis_url: Option<String>,
        pace: f64,
    ) -> Self {
        let this = Self {
            folder,
            binary,
            database_url: database.url.clone(),
            redis_url,
            pace,
        };
        this.hostler(&["keys", "init"]);
        this
    }

    /// The installation's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with this installation's environment and those arguments.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("HOSTLER_DATA_DIR", self.folder.path().join("data"))
            .env("HOSTLER_TIMING__PACE", self.pace.to_string())
            .env("HOSTLER_API__RATE_PER_SECOND", "10000")
            .env("DATABASE_URL", &self.database_url)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        match &self.redis_url {
            Some(url) => command.env("REDIS_URL", url),
            None => command.env_remove("REDIS_URL"),
        };
        command
    }

    /// Runs a command to its end, whatever it says.
    #[must_use]
    pub fn try_hostler(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().expect("the binary can be run"))
    }

    /// Runs a command that must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn hostler(&self, args: &[&str]) -> Said {
        let said = self.try_hostler(args);
        assert_eq!(said.code, 0, "hostler {args:?}: {}{}", said.out, said.err);
        said
    }

    /// Registers a simulated panel under that name.
    pub fn add_server(&self, name: &str, panel: &str, simulator: &Simulator) {
        let secret = self.folder.path().join(format!("{name}.secret"));
        std::fs::write(&secret, simulator.secret()).expect("a file can be written");
        let (url, pin, user) = (
            simulator.url(),
            simulator.pin(),
            simulator.user().to_owned(),
        );
        let secret = secret
            .to_str()
            .expect("a temporary path is text")
            .to_owned();
        self.hostler(&[
            "server",
            "add",
            name,
            "--panel",
            panel,
            "--url",
            &url,
            "--user",
            &user,
            "--secret-file",
            &secret,
            "--pin",
            &pin,
            "--allow-network",
            "127.0.0.0/8",
            "--max-jobs",
            "8",
        ]);
    }

    /// Makes a platform and a token of it with these scopes; returns the token.
    ///
    /// # Panics
    /// When the command prints no token.
    #[must_use]
    pub fn token(&self, scopes: &[&str]) -> String {
        self.hostler(&["platform", "add", "billing"]);
        self.another_token("test", scopes)
    }

    /// One more token of that platform, with these scopes.
    ///
    /// # Panics
    /// When the command prints no token.
    #[must_use]
    pub fn another_token(&self, name: &str, scopes: &[&str]) -> String {
        let mut args = vec![
            "--json",
            "token",
            "create",
            "--platform",
            "billing",
            "--name",
            name,
        ];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        let said = self.hostler(&args).json();
        said["token"]
            .as_str()
            .expect("a token is printed once")
            .to_owned()
    }

    /// Starts a role and waits until it says that it is ready, which is a line that holds `ready`.
    pub async fn start(&self, args: &[&str], ready: &str) -> Role {
        Self::run(self.command(args), ready).await
    }

    /// The same for a command that was changed on its way.
    pub async fn run(command: Command, ready: &str) -> Role {
        let mut command = tokio::process::Command::from(command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, changed) = watch::channel(0_usize);
        let seen = Arc::new(seen);
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        tokio::spawn(hear(stdout, Arc::clone(&lines), Arc::clone(&seen)));
        tokio::spawn(hear(stderr, Arc::clone(&lines), seen));
        let mut role = Role {
            child,
            lines,
            changed,
        };
        role.says(ready).await;
        role
    }
}

/// Collects what a process says, line by line.
async fn hear(
    from: impl AsyncRead + Unpin,
    lines: Arc<Mutex<Vec<String>>>,
    seen: Arc<watch::Sender<usize>>,
) {
    let mut reader = BufReader::new(from).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        seen.send_replace(lines.len());
    }
}

fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A running role; killed when dropped.
#[derive(Debug)]
pub struct Role {
    child: tokio::process::Child,
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<usize>,
}

impl Role {
    /// Waits until it has said a line that holds `words`.
    ///
    /// # Panics
    /// When it ends without.
    pub async fn says(&mut self, words: &str) {
        while !self.said().iter().any(|line| line.contains(words)) {
            assert!(
                self.changed.changed().await.is_ok(),
                "it ended without `{words}`: {:#?}",
                self.said()
            );
        }
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Kills it with signal 9 and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child
            .kill()
            .await
            .expect("a running process can be killed");
    }

    /// Asks it to stop (signal 15) and waits; returns its exit code.
    pub async fn stop(&mut self) -> i32 {
        let id = self.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(
            asked.is_ok_and(|status| status.success()),
            "a running process can be asked to stop"
        );
        self.child
            .wait()
            .await
            .ok()
            .and_then(|status| status.code())
            .unwrap_or(-1)
    }
}

/// A free port of 127.0.0.1.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port can be had");
    listener
        .local_addr()
        .expect("a listener has an address")
        .port()
}
