//! Long runs and their judge: `hostler-tests kill`, `hostler-tests traffic`, `hostler-tests check FOLDER`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tests::check;
use tests::failpoints;
use tests::installation::binary;
use tests::kill::{self, Run};
use tests::nights;
use tests::openapi;
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
    /// Draw nights of readings, faults and corrections, and compare the books with an ideal observer's
    Traffic {
        /// How many sequences of 60 nights
        #[arg(long, default_value_t = 20_000)]
        sequences: u64,
        /// What the first one is drawn from; the next from the next number
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Sequences at one time [default: as many as there are processors]
        #[arg(long)]
        threads: Option<usize>,
    },
    /// Check the API's description against the running server; the binary is HOSTLER_BIN
    Api {
        /// The program `schemathesis`
        #[arg(long)]
        schemathesis: PathBuf,
        /// On which database
        #[arg(long, default_value = "sqlite")]
        database: Database,
        /// What chance is drawn from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Most requests that are made up for an operation in a phase
        #[arg(long, default_value_t = 50)]
        examples: u32,
        /// The folder in which the report stays
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Abort the process at every failpoint, with every kind of job and driver that can reach it; the binary is
    /// HOSTLER_FAULTY_BIN
    Failpoints {
        /// On which database
        #[arg(long, default_value = "sqlite")]
        database: Database,
        /// Only every n-th case from the i-th on, `i/n`, i from 1
        #[arg(long, default_value = "1/1", value_parser = shard)]
        shard: (usize, usize),
        /// Installations that share the cases
        #[arg(long, default_value_t = 4)]
        lanes: usize,
        /// The run folder, which stays; else one in /tmp, which stays when a promise was broken
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

/// `i/n`, i from 1 to n.
fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text
        .split_once('/')
        .and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i, n)),
        _ => Err("must be i/n, like 1/4".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
    Mariadb,
}

impl From<Database> for Kind {
    fn from(database: Database) -> Self {
        match database {
            Database::Sqlite => Kind::Sqlite,
            Database::Postgres => Kind::Postgres,
            Database::Mariadb => Kind::MariaDb,
        }
    }
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
                database: database.into(),
                redis,
                binary: binary(),
                folder: place,
                settles_in: std::time::Duration::from_secs(60),
            };
            let told = random_kills(&run).await;
            tidy(&run.folder, passing && told == Ok(true));
            told
        }
        Command::Traffic {
            sequences,
            seed,
            threads,
        } => Ok(tokio::task::block_in_place(|| {
            nights_of_traffic(seed, sequences, threads)
        })),
        Command::Api {
            schemathesis,
            database,
            seed,
            examples,
            folder,
        } => {
            described(&openapi::Run {
                database: database.into(),
                schemathesis,
                seed,
                examples,
                folder,
            })
            .await
        }
        Command::Failpoints {
            database,
            shard: (part, of),
            lanes,
            folder,
        } => {
            let (place, passing) = place(folder);
            let cases = failpoints::every_nth(&failpoints::all(), part - 1, of);
            let told = every_failpoint(failpoints::Run {
                folder: place.clone(),
                database: database.into(),
                cases,
                lanes,
            })
            .await;
            tidy(&place, passing && told);
            Ok(told)
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

/// Removes the run folder, or says where it is.
fn tidy(folder: &std::path::Path, may_go: bool) {
    if may_go {
        let _ = std::fs::remove_dir_all(folder);
    } else {
        println!("the run folder is {}", folder.display());
    }
}

fn nights_of_traffic(seed: u64, sequences: u64, threads: Option<usize>) -> bool {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match nights::sequences(seed, sequences, threads.unwrap_or_else(processors), || {}) {
        Ok(seen) => {
            println!(
                "{seen}, from seed {seed}: equal to the byte, and nothing for `verify` to find"
            );
            true
        }
        Err(wrong) => {
            println!("seed {}, night {}: {}", wrong.seed, wrong.night, wrong.what);
            println!(
                "again: hostler-tests traffic --sequences 1 --seed {}",
                wrong.seed
            );
            false
        }
    }
}

async fn described(run: &openapi::Run) -> Result<bool, String> {
    let report = openapi::run(run).await?;
    if !report.passed {
        println!("{}", report.said);
    }
    println!("{report}");
    println!("on {:?}, seed {}", run.database, run.seed);
    for operation in report.never_good() {
        println!("never answered 2xx: {operation}");
    }
    Ok(report.is_good())
}

async fn every_failpoint(run: failpoints::Run) -> bool {
    let many = run.cases.len();
    println!("{many} cases on {:?}", run.database);
    let report = run.go().await;
    println!("{report}");
    for failure in &report.failures {
        println!("{failure}");
    }
    report.failures.is_empty() && report.aborted.len() == many
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
