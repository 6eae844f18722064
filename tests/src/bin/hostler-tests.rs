//! Long runs and their judge: `hostler-tests kill`, `hostler-tests check FOLDER`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tests::check;
use tests::installation::binary;
use tests::kill::{self, Run};
use tests::servers::Kind;

/// Long runs of the reliability tests, and the checker of what they leave behind.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decide from a run folder whether every promise was kept
    Check {
        /// The run folder
        folder: PathBuf,
    },
    /// Kill processes at random moments while jobs flow; the binary is HOSTLER_BIN
    Kill {
        /// How many kills
        #[arg(long, default_value_t = 50)]
        kills: usize,
        /// How many jobs
        #[arg(long, default_value_t = 500)]
        jobs: usize,
        /// What chance is drawn from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// On SQLite everything is one process
        #[arg(long, default_value = "sqlite")]
        database: Database,
        /// With a Redis
        #[arg(long)]
        redis: bool,
        /// The run folder, which stays; else one in /tmp, which stays when a promise was broken
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
    Mariadb,
}

#[tokio::main]
async fn main() -> ExitCode {
    let told = match Line::parse().command {
        Command::Check { folder } => judge(&folder).await,
        Command::Kill {
            kills,
            jobs,
            seed,
            database,
            redis,
            folder,
        } => {
            let (place, passing) = place(folder);
            let run = Run {
                kills,
                jobs,
                seed,
                database: match database {
                    Database::Sqlite => Kind::Sqlite,
                    Database::Postgres => Kind::Postgres,
                    Database::Mariadb => Kind::MariaDb,
                },
                redis,
                binary: binary(),
                folder: place,
                settles_in: std::time::Duration::from_secs(60),
            };
            let told = random_kills(&run).await;
            if told == Ok(true) && passing {
                let _ = std::fs::remove_dir_all(&run.folder);
            } else {
                println!("the run folder is {}", run.folder.display());
            }
            told
        }
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("hostler-tests: {why}");
            ExitCode::from(2)
        }
    }
}

/// The run folder, and whether it may go when all is well.
fn place(folder: Option<PathBuf>) -> (PathBuf, bool) {
    match folder {
        Some(folder) => (folder, false),
        None => {
            let name = format!("hostler-run-{}", std::process::id());
            (std::env::temp_dir().join(name), true)
        }
    }
}

async fn judge(folder: &std::path::Path) -> Result<bool, String> {
    let violations = check::check(folder).await?;
    for violation in &violations {
        println!("{violation}");
    }
    println!("{} violations", violations.len());
    Ok(violations.is_empty())
}

async fn random_kills(run: &Run) -> Result<bool, String> {
    let outcome = kill::run(run).await?;
    for violation in &outcome.violations {
        println!("{violation}");
    }
    for job in &outcome.unsettled {
        println!("not at rest: {job}");
    }
    println!("{}", outcome.summary);
    Ok(outcome.is_good())
}
