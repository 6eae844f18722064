//! The nightly traffic, by worker processes on each database: twice in a row, twice at once, and killed
//! between two chunks. The sums in SQL are the panel's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use entity::{account, usage_day, usage_ledger, usage_month};
use jobs::store::Store;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
};
use simulator::{Growth, Options, PanelKind, Simulator};
use tests::installation::{Installation, Role};
use tests::servers::{Kind, TestDatabase};

const PACE: f64 = 0.02;
/// More than two chunks of the ledger.
const ACCOUNTS: u32 = 2_100;

struct Stage {
    database: TestDatabase,
    installation: Installation,
    panel: Simulator,
    store: Store,
}

async fn stage(kind: Kind) -> Stage {
    let database = TestDatabase::migrated(kind).await;
    let installation = Installation::new(&database, None, PACE);
    let panel = simulator::start(Options {
        accounts: ACCOUNTS,
        growth: Growth::Daily,
        ..Options::new(PanelKind::Cpanel)
    })
    .await
    .unwrap();
    installation.add_server("web1", "cpanel", &panel);
    let store = database.store().await;
    Stage {
        database,
        installation,
        panel,
        store,
    }
}

async fn worker(stage: &Stage) -> Role {
    stage
        .installation
        .start(&["worker"], "jobs at one time")
        .await
}

/// The booked totals by login name, as the months, the ledger and the days tell them; all must agree.
async fn booked(stage: &Stage, month: &str) -> BTreeMap<String, u64> {
    let reader = stage.store.reader();
    let names: BTreeMap<i64, String> = account::Entity::find()
        .all(reader)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.id, row.username))
        .collect();
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for row in usage_ledger::Entity::find()
        .filter(usage_ledger::Column::Month.eq(month))
        .all(reader)
        .await
        .unwrap()
    {
        assert!(row.delta_bytes >= 0, "a delta is never negative");
        *sums.entry(row.account_id).or_default() += row.delta_bytes;
    }
    let months = usage_month::Entity::find()
        .filter(usage_month::Column::Month.eq(month))
        .all(reader)
        .await
        .unwrap();
    let mut days: BTreeMap<i64, i64> = BTreeMap::new();
    for row in usage_day::Entity::find().all(reader).await.unwrap() {
        assert!(row.date.starts_with(month), "{}", row.date);
        *days.entry(row.account_id).or_default() += row.bytes;
    }
    for row in &months {
        assert_eq!(
            days.get(&row.account_id).copied().unwrap_or(0),
            row.total_bytes,
            "the days of {}",
            names[&row.account_id]
        );
        assert_eq!(
            sums.get(&row.account_id).copied().unwrap_or(0),
            row.total_bytes,
            "{}",
            names[&row.account_id]
        );
    }
    months
        .iter()
        .map(|row| {
            (
                names[&row.account_id].clone(),
                u64::try_from(row.total_bytes).unwrap(),
            )
        })
        .collect()
}

fn on_the_panel(stage: &Stage, month: &str) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = stage
        .panel
        .accounts()
        .into_iter()
        .map(|account| (account.username, 0))
        .collect();
    for row in stage.panel.all_traffic() {
        if row.month == month && !row.deleted {
            *sums.entry(row.username).or_default() += row.bytes;
        }
    }
    sums
}

async fn entries(stage: &Stage) -> usize {
    usage_ledger::Entity::find()
        .all(stage.store.reader())
        .await
        .unwrap()
        .len()
}

fn sync(stage: &Stage) -> std::process::Command {
    stage
        .installation
        .command(&["traffic", "sync", "--server", "web1", "--wait"])
}

async fn twice_and_at_once(kind: Kind) {
    let stage = stage(kind).await;
    let mut first = worker(&stage).await;
    let month = stage.panel.month();
    stage
        .installation
        .hostler(&["account", "import", "--server", "web1"]);
    assert!(sync(&stage).status().unwrap().success());
    assert_eq!(booked(&stage, &month).await, on_the_panel(&stage, &month));
    let before = entries(&stage).await;
    assert!(sync(&stage).status().unwrap().success());
    assert_eq!(
        entries(&stage).await,
        before,
        "the second run books nothing"
    );

    // Now two at once, on two workers, with something new to book for each account.
    for account in stage.panel.accounts() {
        stage
            .panel
            .add_traffic(&account.username, &month, 1_048_576);
    }
    let mut second = worker(&stage).await;
    let mut runs: Vec<_> = (0..2).map(|_| sync(&stage).spawn().unwrap()).collect();
    for run in &mut runs {
        assert!(run.wait().unwrap().success());
    }
    assert_eq!(booked(&stage, &month).await, on_the_panel(&stage, &month));
    println!(
        "{kind:?}: {} accounts, {before} entries after the first run, {} after two at once",
        stage.panel.accounts().len(),
        entries(&stage).await
    );
    assert_eq!(entries(&stage).await, 2 * before);
    assert_eq!((first.stop().await, second.stop().await), (0, 0));
    stage.database.remove().await;
}

/// The worker is killed while its second chunk waits for an account that somebody else has locked, so
/// that the first chunk is committed and the others are not.
async fn killed_between_chunks(kind: Kind) {
    let stage = stage(kind).await;
    let mut doomed = worker(&stage).await;
    let month = stage.panel.month();
    stage
        .installation
        .hostler(&["account", "import", "--server", "web1"]);
    let lock = stage.store.begin().await.unwrap();
    let last = account::Entity::find()
        .order_by_desc(account::Column::Id)
        .lock(LockType::Update)
        .one(&lock)
        .await
        .unwrap();
    assert!(last.is_some());
    let mut run = sync(&stage).spawn().unwrap();
    let committed = loop {
        let committed = entries(&stage).await;
        if committed > 0 {
            break committed;
        }
        tokio::task::yield_now().await;
    };
    doomed.kill().await;
    lock.rollback().await.unwrap();
    let mut other = worker(&stage).await;
    assert!(run.wait().unwrap().success());
    assert_eq!(booked(&stage, &month).await, on_the_panel(&stage, &month));
    println!(
        "{kind:?}: killed after {committed} of {} entries",
        entries(&stage).await
    );
    assert!(
        committed < entries(&stage).await,
        "it was killed between chunks"
    );
    assert_eq!(other.stop().await, 0);
    stage.database.remove().await;
}

/// How many of this PostgreSQL database's transactions wait for another's lock.
async fn waiting(stage: &Stage) -> i64 {
    let text = "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let reader = stage.store.reader();
    let statement = Statement::from_string(reader.get_database_backend(), text);
    let row = reader.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// The month is closed while a night that began before books it: the night sees that, and the closed totals
/// stay. On PostgreSQL, where a night reads its months without a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_while_it_is_booked_on_postgres() {
    let stage = stage(Kind::Postgres).await;
    let mut worker = worker(&stage).await;
    let month = stage.panel.month();
    stage
        .installation
        .hostler(&["account", "import", "--server", "web1"]);
    assert!(sync(&stage).status().unwrap().success());
    let before = booked(&stage, &month).await;
    for account in stage.panel.accounts() {
        stage
            .panel
            .add_traffic(&account.username, &month, 1_048_576);
    }
    let closing = stage.store.begin().await.unwrap();
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::ClosedAt, Expr::value(1_i64))
        .exec(&closing)
        .await
        .unwrap();
    let mut run = sync(&stage).spawn().unwrap();
    while waiting(&stage).await == 0 {
        tokio::task::yield_now().await;
    }
    closing.commit().await.unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(
        booked(&stage, &month).await,
        before,
        "closed totals have changed"
    );
    let months = usage_month::Entity::find().all(stage.store.reader()).await;
    for month in months.unwrap() {
        assert_eq!((month.late_bytes, month.closed_at), (1_048_576, Some(1)));
    }
    assert_eq!(worker.stop().await, 0);
    stage.database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_in_a_row_and_twice_at_once_on_sqlite() {
    twice_and_at_once(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_in_a_row_and_twice_at_once_on_postgres() {
    twice_and_at_once(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_in_a_row_and_twice_at_once_on_mariadb() {
    twice_and_at_once(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_chunks_on_postgres() {
    killed_between_chunks(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_chunks_on_mariadb() {
    killed_between_chunks(Kind::MariaDb).await;
}
