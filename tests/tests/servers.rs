//! The private servers that the other tests stand on.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tests::servers::{Durability, MariaDb, Postgres, Redis};

async fn number(connection: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("a row");
    row.expect("one row").try_get("", "n").expect("a number")
}

async fn table_survives(mut kill: impl AsyncFnMut(), url: String) {
    let connection = Database::connect(&url).await.expect("reachable");
    connection
        .execute_unprepared("CREATE TABLE kept (n BIGINT)")
        .await
        .expect("a table");
    connection
        .execute_unprepared("INSERT INTO kept VALUES (7)")
        .await
        .expect("a row");
    connection.close().await.expect("closed");
    kill().await;
    let connection = Database::connect(&url).await.expect("reachable again");
    assert_eq!(number(&connection, "SELECT n FROM kept").await, 7);
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_what_was_committed() {
    let mut server = Postgres::start(Durability::Full).expect("PostgreSQL starts");
    let folder = server.address();
    let url = server.tcp_url("postgres", server.port());
    let kill = async || {
        server.kill().expect("it can be killed");
        server.start_again().expect("it starts again");
    };
    table_survives(kill, url).await;
    drop(server);
    let folder = folder.rsplit_once(':').expect("folder:port").0;
    assert!(!Path::new(folder).exists(), "its folder is gone");
}

#[tokio::test]
async fn a_killed_mariadb_comes_back_with_what_was_committed() {
    let mut server = MariaDb::start(Durability::Full).expect("MariaDB starts");
    let folder = server.address();
    let url = server.tcp_url("mysql", server.port());
    let kill = async || {
        server.kill().expect("it can be killed");
        server.start_again().expect("it starts again");
    };
    table_survives(kill, url).await;
    drop(server);
    let folder = folder.rsplit_once(':').expect("folder:port").0;
    assert!(!Path::new(folder).exists(), "its folder is gone");
}

#[tokio::test]
async fn a_redis_is_reached_by_socket_and_port_and_comes_back_empty() {
    let mut server = Redis::start().expect("Redis starts");
    for url in [server.url(), server.socket_url()] {
        let client = redis::Client::open(url).expect("a good address");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("reachable");
        let length: i64 = redis::cmd("RPUSH")
            .arg("list")
            .arg(1)
            .query_async(&mut connection)
            .await
            .expect("pushed");
        assert!(length > 0);
    }
    server.kill().expect("it can be killed");
    server.start_again().expect("it starts again");
    let client = redis::Client::open(server.url()).expect("a good address");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("reachable again");
    let length: i64 = redis::cmd("LLEN")
        .arg("list")
        .query_async(&mut connection)
        .await
        .expect("answered");
    assert_eq!(length, 0);
}
