//! One process of the installation, and the file that gets all it says.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything in one, with the API.
    Serve,
    /// The API, the clock, the top-up.
    Scheduler,
    /// Takes jobs out.
    Worker,
}

impl Part {
    /// The command's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Part::Serve => "serve",
            Part::Scheduler => "scheduler",
            Part::Worker => "worker",
        }
    }

    /// Whether clients can ask it.
    #[must_use]
    pub const fn has_api(self) -> bool {
        !matches!(self, Part::Worker)
    }

    /// What it says when it is ready.
    const fn ready(self) -> &'static str {
        match self {
            Part::Worker => "jobs at one time",
            Part::Serve | Part::Scheduler => "listening on",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal: 9 for a kill, 6 for an abort.
    Signal(i32),
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or(0)),
        }
    }
}

/// A process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: tokio::process::Child,
    part: Part,
    number: usize,
    output: PathBuf,
    ready: watch::Receiver<bool>,
}

impl Process {
    pub(super) fn spawn(command: Command, part: Part, number: usize, output: &Path) -> Self {
        let mut child = tokio::process::Command::from(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let file = File::options().create(true).append(true).open(output);
        let file = Arc::new(Mutex::new(file.expect("the run folder can be written")));
        let (said, ready) = watch::channel(false);
        let said = Arc::new(said);
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        tokio::spawn(keep(
            stdout,
            Arc::clone(&file),
            Arc::clone(&said),
            part.ready(),
        ));
        tokio::spawn(keep(stderr, file, said, part.ready()));
        Self {
            child,
            part,
            number,
            output: output.to_owned(),
            ready,
        }
    }

    /// What it is.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Which one of its part, from 1; an API process has its place under this number.
    pub(super) const fn slot(&self) -> usize {
        self.number
    }

    /// Its process id; 0 when it is gone.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// The file with all it has said.
    #[must_use]
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Waits until it is ready; `false` = it has ended before.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.ready.wait_for(|ready| *ready).await.is_ok()
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> Ended {
        let status = self.child.wait().await;
        // Its last words are in the file when nobody holds the other end any more.
        while self.ready.changed().await.is_ok() {}
        Ended::of(status.expect("a child can be waited for"))
    }

    /// How it has ended, if it has.
    pub fn has_ended(&mut self) -> Option<Ended> {
        self.child.try_wait().ok().flatten().map(Ended::of)
    }

    /// Kills it with signal 9 and waits until it is gone. Nothing happens to one that is gone already.
    pub(super) async fn kill(&mut self) {
        let _ = self.child.start_kill();
        self.ended().await;
    }

    /// Sends a signal by name: `TERM`, `STOP`, `CONT`.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "a running process takes a signal"
        );
    }

    /// Asks it to stop and waits; returns how it ended.
    pub async fn stop(&mut self) -> Ended {
        if self.has_ended().is_none() {
            self.signal("TERM");
        }
        self.ended().await
    }
}

/// Writes down what a process says, line by line.
async fn keep(
    from: impl AsyncRead + Unpin,
    to: Arc<Mutex<File>>,
    said: Arc<watch::Sender<bool>>,
    ready: &'static str,
) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut file = to.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
            .expect("the run folder can be written");
        drop(file);
        if String::from_utf8_lossy(&line).contains(ready) {
            said.send_replace(true);
        }
    }
}
