//! Runs a command with a private PostgreSQL and MariaDB beside it: `hostler-test-servers COMMAND...`.
//!
//! A test runner that starts a process for each test would otherwise start both for each test.

use std::process::{Command, ExitCode};

use tests::servers::{Durability, MARIADB, MariaDb, POSTGRES, Postgres};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hostler-test-servers: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> std::io::Result<ExitCode> {
    let mut line = std::env::args_os().skip(1);
    let Some(program) = line.next() else {
        return Err(std::io::Error::other("give the command to run"));
    };
    let postgres = Postgres::start(Durability::Fast)?;
    let mariadb = MariaDb::start(Durability::Fast)?;
    let status = Command::new(program)
        .args(line)
        .env(POSTGRES, postgres.address())
        .env(MARIADB, mariadb.address())
        .status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
