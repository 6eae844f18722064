//! A private MariaDB.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::Durability;
use super::process::{self, Process, Recipe};

const USER: &str = "mysql";

/// A private MariaDB server; ends with its handle or its process.
#[derive(Debug)]
pub struct MariaDb {
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
}

impl MariaDb {
    /// Makes a data folder and starts a server on it, on a Unix socket and a free port of the loopback.
    ///
    /// # Errors
    /// When MariaDB is not installed or does not start, with its own words.
    pub fn start(durability: Durability) -> io::Result<Self> {
        let sbin = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/libexec")];
        let server = process::program("mariadbd", &sbin)?;
        let install = process::program("mariadb-install-db", &[PathBuf::from("/usr/bin")])?;
        let folder = process::folder("my")?;
        process::give_to(USER, &folder)?;
        let data = format!("--datadir={}", folder.join("data").display());
        let made = [
            install.as_str(),
            "--no-defaults",
            &data,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ];
        process::run_as(USER, &made.map(String::from), &folder)?;
        let port = process::free_port()?;
        let mut command: Vec<String> = vec![
            server,
            "--no-defaults".into(),
            data,
            format!("--socket={}", folder.join("socket").display()),
            format!("--port={port}"),
        ];
        let settings = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=500",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
        ];
        command.extend(settings.map(String::from));
        if durability == Durability::Fast {
            command.extend(
                [
                    "--innodb-flush-log-at-trx-commit=0",
                    "--skip-innodb-doublewrite",
                ]
                .map(String::from),
            );
        }
        let recipe = Recipe {
            command,
            user: Some(USER),
            signal: "KILL",
        };
        let process = Process::start(folder.clone(), recipe)?;
        let mut server = Self {
            process: Some(process),
            folder,
            port,
        };
        server.wait()?;
        Ok(server)
    }

    /// The server that somebody else keeps running, by its [`MariaDb::address`].
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        let (folder, port) = address.rsplit_once(':')?;
        Some(Self {
            process: None,
            folder: folder.into(),
            port: port.parse().ok()?,
        })
    }

    /// `folder of the socket:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.folder.display(), self.port)
    }

    /// The address of one of its databases, by the Unix socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.join("socket");
        format!(
            "mysql://root@localhost/{database}?socket={}",
            socket.display()
        )
    }

    /// The same over TCP, through `port` (the server's own, or a proxy's in front of it).
    #[must_use]
    pub fn tcp_url(&self, database: &str, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/{database}?ssl-mode=disabled")
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
        let admin = process::program("mariadb-admin", &[PathBuf::from("/usr/bin")])?;
        let socket = format!("--socket={}", self.folder.join("socket").display());
        self.own()?.wait_until(|| {
            Command::new(&admin)
                .args(["--no-defaults", &socket, "--user=root", "ping"])
                .output()
                .is_ok_and(|output| output.status.success())
        })
    }
}
