//! The `hostler` command: one binary, one subcommand a role or an operator's task.

pub mod command;
pub mod config;
mod error;
pub mod keys;
pub mod output;
mod start;
pub mod telemetry;
pub mod time;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser};

pub use command::Command;
pub use error::Failure;

use config::{Config, LogFormat, Sources};
use output::Output;

/// The job-queue worker between billing platforms and hosting panels.
#[derive(Debug, Parser)]
#[command(
    name = "hostler",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Args {
    /// Configuration file [default: ./hostler.toml if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub config: Option<PathBuf>,
    /// Address of the database; also DATABASE_URL [default: SQLite in the data folder]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global")]
    pub database_url: Option<String>,
    /// Address of Redis; also REDIS_URL [default: none, rings stay in the process]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global")]
    pub redis_url: Option<String>,
    /// Accept an unencrypted redis:// beyond this machine
    #[arg(long, global = true, help_heading = "Global")]
    pub insecure_redis: bool,
    /// Folder of the SQLite file and the keys; also HOSTLER_DATA_DIR [default: ./hostler-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global")]
    pub data_dir: Option<PathBuf>,
    /// Shape of log lines
    #[arg(long, global = true, value_enum, help_heading = "Global")]
    pub log_format: Option<LogFormat>,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global")]
    pub verbose: u8,
    /// Log less; twice for errors alone
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose", help_heading = "Global")]
    pub quiet: u8,
    /// Print one JSON document instead of text
    #[arg(long, global = true, help_heading = "Global")]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command gets.
#[derive(Debug, Clone)]
pub struct App {
    /// The settings with their sources.
    pub config: Config,
    /// Where to print.
    pub out: Output,
}

/// Parses a command line, program name first, without running anything.
///
/// # Errors
/// What clap would print.
pub fn parse<I, T>(args: I) -> Result<Args, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    Args::try_parse_from(args)
}

/// The parser itself, for its help texts.
#[must_use]
pub fn parser() -> clap::Command {
    Args::command()
}

/// The process: TLS provider, threads, one command line, its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // First of all: whoever opens a TLS connection before this line would panic. One provider, ring.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: a TLS provider is installed already");
        return ExitCode::from(1);
    }
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(args));
            // A blocking read of standard input must not hold the end up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: no threads: {error}");
            ExitCode::from(1)
        }
    }
}

/// Runs one command line to its end and says the exit code: 0 done, 1 the work failed, 2 wrong usage or
/// configuration.
pub async fn run(args: Args) -> ExitCode {
    let out = Output::new(args.json);
    match begin(args, out).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Shown) {
                let text = telemetry::escaped(&failure.to_string());
                eprintln!("{} {text}", out.bad("error:"));
            }
            failure.code()
        }
    }
}

async fn begin(args: Args, out: Output) -> Result<(), Failure> {
    let sources = sources(&args);
    let config = config::load(&sources)?;
    telemetry::start(&config.settings.log)?;
    // On the heap: the futures of all commands together are deeper than the compiler follows.
    Box::pin(args.command.run(&App { config, out })).await
}

/// The environment and what the flags of this command line say.
fn sources(args: &Args) -> Sources {
    let level = match (args.verbose, args.quiet) {
        (0, 0) => args.command.usual_level(),
        (1, _) => Some("debug"),
        (2.., _) => Some("trace"),
        (_, 1) => Some("warn"),
        (_, _) => Some("error"),
    };
    let sources = Sources::of_this_process(args.config.clone())
        .flag("log.level", "-v, -q", level)
        .flag("log.format", "--log-format", args.log_format)
        .flag("database.url", "--database-url", args.database_url.as_ref())
        .flag("redis.url", "--redis-url", args.redis_url.as_ref())
        .flag(
            "redis.allow_plain",
            "--insecure-redis",
            args.insecure_redis.then_some(true),
        )
        .flag(
            "data_dir",
            "--data-dir",
            args.data_dir.as_ref().map(|dir| dir.display()),
        );
    args.command.flags(sources)
}
