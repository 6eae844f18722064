//! A private Redis.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use super::process::{self, Process, Recipe};

/// A private Redis server without persistence; ends with its handle or its process. It starts in
/// milliseconds, so every test has its own and may flush, hang or kill it.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts one on a Unix socket and a free port of the loopback.
    ///
    /// # Errors
    /// When Redis is not installed or does not start, with its own words.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more of Redis's own settings, as its command line takes them.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_with(settings: &[&str]) -> io::Result<Self> {
        let program = process::program("redis-server", &[PathBuf::from("/usr/bin")])?;
        let folder = process::folder("redis")?;
        let port = process::free_port()?;
        let socket = folder.join("socket").display().to_string();
        let inside = folder.display().to_string();
        let port_text = port.to_string();
        let command = [
            program.as_str(),
            "--port",
            &port_text,
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            &socket,
            "--dir",
            &inside,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let recipe = Recipe {
            command: command
                .iter()
                .chain(settings)
                .map(|word| (*word).to_owned())
                .collect(),
            user: None,
            signal: "KILL",
        };
        let process = Process::start(folder.clone(), recipe)?;
        let mut server = Self {
            process,
            folder,
            port,
        };
        server.wait()?;
        Ok(server)
    }

    /// Its address, by TCP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its address, by the Unix socket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.folder.join("socket").display())
    }

    /// Its port on the loopback, for a proxy in front of it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut would; all keys are lost.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Errors
    /// When it does not start, with its own words.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.process.start_again()?;
        self.wait()
    }

    /// Lets it hang: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it is gone.
    pub fn hang(&self) -> io::Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on after [`Redis::hang`].
    ///
    /// # Errors
    /// When it is gone.
    pub fn go_on(&self) -> io::Result<()> {
        self.process.signal("CONT")
    }

    fn wait(&mut self) -> io::Result<()> {
        let port = self.port;
        self.process.wait_until(|| answers(port).unwrap_or(false))
    }
}

fn answers(port: u16) -> io::Result<bool> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    connection.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    connection.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}
