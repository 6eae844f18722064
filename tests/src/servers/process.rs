//! A server as a private process, which never outlives the one who started it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts the server, and waits on a pipe that only its starter holds. However that one ends (also by
/// SIGKILL), the pipe ends with it: then the server is stopped and its folder removed. `keep` on the
/// pipe spares the folder.
const WATCHDOG: &str = r#"
folder=$1; signal=$2; shift 2
"$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
echo $server >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"
read -r word
kill -s "$signal" $server 2>/dev/null
wait $server
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// How a server is started and stopped.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Whom to run it as when we are root; database servers refuse root.
    pub(crate) user: Option<&'static str>,
    /// The signal that ends it at once.
    pub(crate) signal: &'static str,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    recipe: Recipe,
    folder: PathBuf,
    watchdog: Option<Child>,
}

impl Process {
    pub(crate) fn start(folder: PathBuf, recipe: Recipe) -> io::Result<Self> {
        let mut process = Self {
            recipe,
            folder,
            watchdog: None,
        };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it once more on what it left behind.
    pub(crate) fn start_again(&mut self) -> io::Result<()> {
        let _ = fs::remove_file(self.folder.join("pid"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&self.folder)
            .arg(self.recipe.signal)
            .args(as_user(self.recipe.user, &self.recipe.command))
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C and a test runner's kill go to our group; the watchdog has work to do after them.
            .process_group(0);
        self.watchdog = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until `ready` says so; an error shows the server's own words.
    pub(crate) fn wait_until(&mut self, ready: impl Fn() -> bool) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if ready() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let command = self.recipe.command.join(" ");
        Err(io::Error::other(format!(
            "`{command}` did not get ready; it said:\n{log}"
        )))
    }

    /// Ends it as a power cut would; what it left on disk stays.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let pid = fs::read_to_string(self.folder.join("pid"))?;
        run("kill", ["-s", "KILL", pid.trim()])?;
        self.let_go("keep\n")
    }

    /// Sends a signal to the server itself (`STOP` and `CONT` make it hang for a while).
    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let pid = fs::read_to_string(self.folder.join("pid"))?;
        run("kill", ["-s", name, pid.trim()]).map(drop)
    }

    fn let_go(&mut self, word: &str) -> io::Result<()> {
        let Some(mut watchdog) = self.watchdog.take() else {
            return Ok(());
        };
        if let Some(mut pipe) = watchdog.stdin.take() {
            pipe.write_all(word.as_bytes())?;
        }
        watchdog.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error here means that the watchdog is gone already, and with it the server.
        let _ = self.let_go("");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder with a short path (a Unix socket's path ends at 107 bytes) that every user can enter.
pub(crate) fn folder(name: &str) -> io::Result<PathBuf> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("hostler-{name}-"))
        .tempdir_in("/tmp")?
        .keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Makes `folder` belong to `user`, when we are root and can.
pub(crate) fn give_to(user: &str, folder: &Path) -> io::Result<()> {
    if we_are_root()? {
        let owner = format!("{user}:");
        run("chown", ["-R".as_ref(), owner.as_ref(), folder.as_os_str()])?;
    }
    Ok(())
}

/// Runs a command to its end, as `user` when we are root.
pub(crate) fn run_as(user: &'static str, command: &[String], inside: &Path) -> io::Result<()> {
    let mut line = as_user(Some(user), command).into_iter();
    let program = line.next().unwrap_or_default();
    let output = Command::new(program)
        .args(line)
        .current_dir(inside)
        .output()?;
    checked(&command.join(" "), &output).map(drop)
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}

/// The program's path: beside the usual ones, Debian keeps some in folders that are not in `PATH`.
pub(crate) fn program(name: &str, elsewhere: &[PathBuf]) -> io::Result<String> {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", name])
        .output()?;
    if found.status.success() {
        return Ok(String::from_utf8_lossy(&found.stdout).trim().to_owned());
    }
    let beside = elsewhere
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    beside
        .map(|path| path.display().to_string())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "`{name}` is needed for the tests and not installed; scripts/test installs it"
                ),
            )
        })
}

fn as_user(user: Option<&'static str>, command: &[String]) -> Vec<String> {
    let mut line = Vec::new();
    if let Some(user) = user
        && we_are_root().unwrap_or(false)
    {
        // Replaces itself by the server, so that the process id is the server's own.
        line.extend(["setpriv", "--init-groups"].map(String::from));
        line.extend([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--".to_owned(),
        ]);
    }
    line.extend(command.iter().cloned());
    line
}

fn we_are_root() -> io::Result<bool> {
    Ok(run("id", ["-u"])?.trim() == "0")
}

fn run<S: AsRef<std::ffi::OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> io::Result<String> {
    let output = Command::new(program).args(args).output()?;
    checked(program, &output)
}

fn checked(what: &str, output: &std::process::Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("`{what}` failed: {said}")))
}
