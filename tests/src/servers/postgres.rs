//! A private PostgreSQL.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::Durability;
use super::process::{self, Process, Recipe};

const USER: &str = "postgres";

/// A private PostgreSQL server; ends with its handle or its process.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
    bin: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts a server on it, on a Unix socket and a free port of the loopback.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start, with its own words.
    pub fn start(durability: Durability) -> io::Result<Self> {
        let bin = bin()?;
        let folder = process::folder("pg")?;
        process::give_to(USER, &folder)?;
        let data = folder.join("data").display().to_string();
        let initdb = bin.join("initdb").display().to_string();
        let made = [
            initdb.as_str(),
            "--pgdata",
            &data,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--username=postgres",
            "--no-sync",
        ];
        process::run_as(USER, &made.map(String::from), &folder)?;
        let port = process::free_port()?;
        let mut command = vec![
            bin.join("postgres").display().to_string(),
            "-D".into(),
            data,
            "-p".into(),
            port.to_string(),
        ];
        let mut settings = vec![
            format!("unix_socket_directories={}", folder.display()),
            "listen_addresses=127.0.0.1".into(),
            "max_connections=300".into(),
            "shared_buffers=64MB".into(),
        ];
        if durability == Durability::Fast {
            settings.extend(
                [
                    "fsync=off",
                    "full_page_writes=off",
                    "synchronous_commit=off",
                ]
                .map(String::from),
            );
        }
        for setting in settings {
            command.extend(["-c".into(), setting]);
        }
        let recipe = Recipe {
            command,
            user: Some(USER),
            // Immediate shutdown: no checkpoint, but its shared memory is given back.
            signal: "QUIT",
        };
        let process = Process::start(folder.clone(), recipe)?;
        let mut server = Self {
            process: Some(process),
            folder,
            port,
            bin,
        };
        server.wait()?;
        Ok(server)
    }

    /// The server that somebody else keeps running, by its [`Postgres::address`].
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        let (folder, port) = address.rsplit_once(':')?;
        Some(Self {
            process: None,
            folder: folder.into(),
            port: port.parse().ok()?,
            bin: PathBuf::new(),
        })
    }

    /// `socket folder:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.folder.display(), self.port)
    }

    /// The address of one of its databases, by the Unix socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display();
        let port = self.port;
        format!("postgres://postgres@localhost:{port}/{database}?host={folder}")
    }

    /// The same over TCP, through `port` (the server's own, or a proxy's in front of it).
    #[must_use]
    pub fn tcp_url(&self, database: &str, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Its port on the loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When it is not ours, or gone already.
    pub fn kill(&mut self) -> io::Result<()> {
        self.own()?.kill()
    }

    /// Starts it again on the same data, socket and port.
    ///
    /// # Errors
    /// When it does not start, with its own words.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.own()?.start_again()?;
        self.wait()
    }

    fn own(&mut self) -> io::Result<&mut Process> {
        self.process
            .as_mut()
            .ok_or_else(|| io::Error::other("this server belongs to the whole test run"))
    }

    fn wait(&mut self) -> io::Result<()> {
        let ready = self.bin.join("pg_isready");
        let folder = self.folder.clone();
        let port = self.port.to_string();
        self.own()?.wait_until(|| {
            Command::new(&ready)
                .arg("-q")
                .arg("-h")
                .arg(&folder)
                .args(["-p", &port])
                .status()
                .is_ok_and(|status| status.success())
        })
    }
}

/// The folder of the newest installed version's programs.
fn bin() -> io::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|folders| {
            folders
                .flatten()
                .map(|folder| folder.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.sort_by_key(|path| {
        path.parent()
            .and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok())
    });
    versions.reverse();
    if let Some(bin) = versions
        .into_iter()
        .find(|bin| bin.join("initdb").is_file())
    {
        return Ok(bin);
    }
    let initdb = PathBuf::from(process::program("initdb", &[])?);
    let real = initdb.canonicalize()?;
    Ok(real.parent().map(PathBuf::from).unwrap_or_default())
}
