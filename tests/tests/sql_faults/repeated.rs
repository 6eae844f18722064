//! Deadlocks, serialization failures and lock waits in the middle of transactions: the whole transaction is
//! repeated, and no panel call with it.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use simulator::{Fault, PanelKind, Reply};
use tests::servers::Kind;
use tests::stand::Stand;

use crate::ledger::Ledger;

/// Every fifth statement that writes a job or an attempt fails so, in turns. Sequences are not rolled back.
const POSTGRES: [&str; 4] = [
    "CREATE SEQUENCE planted",
    "CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$
     DECLARE n bigint := nextval('planted');
     BEGIN
       IF n % 5 = 0 THEN
         RAISE EXCEPTION 'planted' USING ERRCODE = (ARRAY['40P01', '40001', '55P03'])[1 + (n / 5) % 3];
       END IF;
       RETURN NULL;
     END $$",
    "CREATE TRIGGER plant BEFORE INSERT OR UPDATE ON job FOR EACH STATEMENT EXECUTE FUNCTION plant()",
    "CREATE TRIGGER plant BEFORE INSERT ON attempt FOR EACH STATEMENT EXECUTE FUNCTION plant()",
];

/// The same; the engine of the counter knows no transactions.
const MARIADB: [&str; 6] = [
    "CREATE TABLE planted (n BIGINT NOT NULL) ENGINE=MyISAM",
    "INSERT INTO planted VALUES (0)",
    "CREATE PROCEDURE plant() BEGIN
       UPDATE planted SET n = n + 1;
       IF (SELECT n % 10 FROM planted) = 0 THEN
         SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'planted';
       ELSEIF (SELECT n % 10 FROM planted) = 5 THEN
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'planted';
       END IF;
     END",
    "CREATE TRIGGER plant_in BEFORE INSERT ON job FOR EACH ROW CALL plant()",
    "CREATE TRIGGER plant_up BEFORE UPDATE ON job FOR EACH ROW CALL plant()",
    "CREATE TRIGGER plant_at BEFORE INSERT ON attempt FOR EACH ROW CALL plant()",
];

async fn run(connection: &DatabaseConnection, statements: &[&str]) {
    for sql in statements {
        connection.execute_unprepared(sql).await.unwrap();
    }
}

async fn number(connection: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

async fn transactions_are_repeated(kind: Kind, plant: &[&str], count: &str) {
    let mut ledger = Ledger::new(kind).await;
    let connection = Database::connect(&ledger.database.url).await.unwrap();
    run(&connection, plant).await;
    // One at a time, so that a transaction has fewer writes than there are between two failures.
    for _ in 0..8 {
        let (name, id) = ledger.create().await;
        ledger.succeeds(&id).await;
        let id = ledger.terminate(&name).await;
        ledger.succeeds(&id).await;
    }
    let planted = number(&connection, count).await;
    println!("{kind:?}: {planted} transactions failed and were repeated, 16 jobs done");
    assert!(planted > 10, "{planted}");
    connection.close().await.unwrap();
    ledger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_deadlocks_serialization_failures_and_lock_waits() {
    let count = "SELECT last_value / 5 AS n FROM planted";
    transactions_are_repeated(Kind::Postgres, &POSTGRES, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_deadlocks_and_lock_waits() {
    let count = "SELECT CAST(n DIV 5 AS SIGNED) AS n FROM planted";
    transactions_are_repeated(Kind::MariaDb, &MARIADB, count).await;
}

/// Somebody else holds SQLite's one write lock while a call ends and another job comes in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_sqlite_is_waited_for() {
    let stand = Stand::new(&[("web1", PanelKind::Cpanel)], &[]).await;
    let panel = stand.panel("web1");
    let late = Fault::on("createacct").reply(Reply::Late { ms: 500 });
    panel.faults().add(late);
    let first = stand.create("web1", "first").await;
    panel.wait_for_effects(1).await;
    let mut options = sea_orm::ConnectOptions::new(stand.database.url.clone());
    options.max_connections(1);
    let other = Database::connect(options).await.unwrap();
    run(&other, &["BEGIN IMMEDIATE"]).await;
    let second = stand.create("web1", "second");
    let release = async {
        // As long as the API needs for a few answers that write nothing.
        for _ in 0..20 {
            assert_eq!(stand.client.get("/v1/servers").await.0, 200);
        }
        run(&other, &["ROLLBACK"]).await;
    };
    let (second, ()) = tokio::join!(second, release);
    for id in [first, second] {
        let job = stand.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    let requests = panel.requests();
    let creates = requests.iter().filter(|seen| seen.call == "createacct");
    assert_eq!(creates.count(), 2, "no call was made twice");
    other.close().await.unwrap();
    stand.end().await;
}
