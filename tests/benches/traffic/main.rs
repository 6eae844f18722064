//! The nightly run at scale, as ratios in one run: accounts a second against the row-by-row loop of the usual
//! billing system and against what the database itself can write; the curve over the size of a server; the
//! peak memory of the worker; and what reading a report costs.
//!
//! `cargo bench --package tests --bench traffic -- --help`. Absolute rates belong to the machine; read the
//! ratios. The databases keep what they commit (fsync) unless `--fast` is given.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run must say so"
)]

mod panel;
mod rivals;
mod stage;

use std::time::{Duration, Instant};

use clap::Parser;
use sea_orm::{ConnectionTrait, Database};
use tests::servers::{Durability, Kind, MariaDb, Postgres, TestDatabase};

use stage::{Server, Stage};

#[derive(Parser)]
struct Arguments {
    /// Servers that are read at once.
    #[arg(long, default_value_t = 16)]
    servers: usize,
    /// Accounts of each.
    #[arg(long, default_value_t = 1000)]
    accounts: usize,
    /// Accounts that the row-by-row loop gets through.
    #[arg(long, default_value_t = 1000)]
    rows: usize,
    /// How often each is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long the slow panel takes for each answer, in milliseconds.
    #[arg(long, default_value_t = 100)]
    delay: u64,
    /// Sizes of the one large server of the curve.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    curve: Vec<usize>,
    /// sqlite, postgres, mariadb.
    #[arg(long, value_delimiter = ',', default_value = "postgres,mariadb,sqlite")]
    databases: Vec<String>,
    /// Databases that do not wait for the disk.
    #[arg(long)]
    fast: bool,
    /// Be the panel; for the program itself.
    #[arg(long, hide = true)]
    panel: bool,
    /// What cargo says.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if arguments.panel {
        runtime.block_on(panel::serve());
        return;
    }
    reading(arguments.accounts.max(1000));
    for name in &arguments.databases {
        runtime.block_on(on_database(&arguments, name));
    }
}

async fn on_database(arguments: &Arguments, name: &str) {
    let durability = match arguments.fast {
        true => Durability::Fast,
        false => Durability::Full,
    };
    match name {
        "postgres" => {
            let server = Postgres::start(durability).unwrap();
            compare(
                arguments,
                TestDatabase::at(server.url("postgres"), Kind::Postgres).await,
            )
            .await;
        }
        "mariadb" => {
            let server = MariaDb::start(durability).unwrap();
            let admin = Database::connect(server.url("mysql")).await.unwrap();
            let create = "CREATE DATABASE bench CHARACTER SET utf8mb4";
            admin.execute_unprepared(create).await.unwrap();
            compare(
                arguments,
                TestDatabase::at(server.url("bench"), Kind::MariaDb).await,
            )
            .await;
        }
        "sqlite" => compare(arguments, TestDatabase::migrated(Kind::Sqlite).await).await,
        other => panic!("no database is called {other}"),
    }
}

async fn compare(arguments: &Arguments, database: TestDatabase) {
    let mut stage = Stage::new(database).await;
    let mut servers = Vec::new();
    for number in 0..arguments.servers {
        servers.push(stage.add(number, arguments.accounts).await);
    }
    stage.rest().await;
    let fill = stage.night(&servers, Duration::ZERO).await;
    let all: usize = servers.iter().map(|one| one.accounts).sum();
    println!(
        "\n{:?}: {} servers of {} accounts, all figures new each time",
        stage.kind,
        servers.len(),
        arguments.accounts
    );
    println!(
        "  first night of a month\t{:.0} accounts/s",
        rate(all, fill)
    );
    for delay in [Duration::ZERO, Duration::from_millis(arguments.delay)] {
        rounds(arguments, &mut stage, &servers, delay).await;
    }
    stage.check(&servers).await;
    for (place, size) in arguments.curve.iter().enumerate() {
        curve(arguments, &mut stage, arguments.servers + place, *size).await;
    }
}

/// What reading one report costs: its rows in place, and by way of a tree of values.
fn reading(accounts: usize) {
    let report = panel::report(u64::try_from(accounts).unwrap());
    let report = report.as_bytes();
    let (mut placed, mut tree) = (Vec::new(), Vec::new());
    for _ in 0..31 {
        let begun = Instant::now();
        assert_eq!(panels::fuzzing::whm_traffic(report).unwrap(), accounts);
        placed.push(rate(accounts, begun.elapsed()));
        let begun = Instant::now();
        assert_eq!(
            panels::fuzzing::whm_traffic_by_tree(report).unwrap(),
            accounts
        );
        tree.push(rate(accounts, begun.elapsed()));
    }
    let (placed, tree) = (median(placed), median(tree));
    println!(
        "reading showbw of {accounts} accounts, {} bytes a row",
        report.len() / accounts
    );
    println!(
        "  rows in place\t{:.2} us a row\t{:.1} times as fast as a tree of values",
        1e6 / placed,
        placed / tree
    );
    println!("  tree of values\t{:.2} us a row", 1e6 / tree);
}

/// The three ways by turns, and the middle of each.
async fn rounds(arguments: &Arguments, stage: &mut Stage, servers: &[Server], delay: Duration) {
    let (mut ours, mut loops, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let all: usize = servers.iter().map(|one| one.accounts).sum();
    for _ in 0..arguments.rounds {
        stage.rest().await;
        ours.push(rate(all, stage.night(servers, delay).await));
        stage.rest().await;
        let (rows, took) = rivals::row_loop(stage, servers, arguments.rows, delay).await;
        loops.push(rate(rows, took));
        stage.rest().await;
        let (rows, took) = rivals::bulk_limit(stage, servers).await;
        limits.push(rate(rows, took));
    }
    let (ours, loops, limits) = (median(ours), median(loops), median(limits));
    println!(
        "  panel answers after {} ms, middle of {}:",
        delay.as_millis(),
        arguments.rounds
    );
    println!(
        "    hostler\t{ours:.0} accounts/s\t{:.1} times the row loop\t{:.0} % of the limit",
        ours / loops,
        100.0 * ours / limits
    );
    println!("    row loop\t{loops:.0} accounts/s");
    println!("    bulk limit\t{limits:.0} accounts/s");
}

/// One server of that size: two nights, the second of which is told.
async fn curve(arguments: &Arguments, stage: &mut Stage, number: usize, size: usize) {
    let server = [stage.add(number, size).await];
    stage.rest().await;
    stage.night(&server, Duration::ZERO).await;
    let mut rates = Vec::new();
    let (mut before, mut peak) = (0, 0);
    for _ in 0..arguments.rounds {
        stage.rest().await;
        before = forget_peak();
        rates.push(rate(size, stage.night(&server, Duration::ZERO).await));
        peak = memory("VmHWM:").max(peak);
    }
    stage.check(&server).await;
    let rate = median(rates);
    println!(
        "  one server of {size}\t{rate:.0} accounts/s\t{:.1} us an account\tpeak {peak} MB, {before} MB before",
        1e6 / rate
    );
}

#[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
fn rate(accounts: usize, took: Duration) -> f64 {
    accounts as f64 / took.as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Lets this process's peak memory begin from now; how much it has now, in MB.
fn forget_peak() -> u64 {
    // Where the kernel does not have it, the peak is the whole run's.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS:")
}

/// A line of this process's memory, in MB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|one| one.strip_prefix(line));
    let kb = found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}
