//! Redis answers, and refuses: full, read-only, another password, a foreign key under our name.

use crate::bell::{Bell, PASSWORD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_while_redis_refuses() {
    let mut bell = Bell::new().await;

    bell.command("CONFIG SET maxmemory 1").await;
    bell.round("full").await;
    assert!(!bell.is_up().await);
    bell.scheduler().says("Redis refuses RPUSH").await;
    let said = bell.scheduler().said().join("\n");
    assert!(said.contains("OOM"), "{said}");
    bell.command("CONFIG SET maxmemory 0").await;
    bell.is_up_again("full").await;

    bell.command("REPLICAOF 127.0.0.1 1").await;
    bell.round("copy").await;
    assert!(!bell.is_up().await);
    bell.command("REPLICAOF NO ONE").await;
    bell.is_up_again("copy").await;

    bell.command("ACL SETUSER hostler resetpass >another").await;
    bell.command("CLIENT KILL USER hostler").await;
    bell.round("pass").await;
    assert!(!bell.is_up().await);
    bell.command(&format!("ACL SETUSER hostler resetpass >{PASSWORD}"))
        .await;
    bell.is_up_again("pass").await;

    bell.command("ACL SETUSER hostler -rpush -blmpop").await;
    bell.round("right").await;
    assert!(!bell.is_up().await);
    bell.command("ACL SETUSER hostler +rpush +blmpop").await;
    bell.is_up_again("right").await;

    for (round, foreign) in [
        ("text", "SET {hostler}:interactive text"),
        ("hash", "HSET {hostler}:interactive a 1"),
        ("zset", "ZADD {hostler}:interactive 1 a"),
    ] {
        bell.command("DEL {hostler}:interactive").await;
        bell.command(foreign).await;
        bell.round(round).await;
        assert!(!bell.is_up().await, "{foreign}");
    }
    bell.command("DEL {hostler}:interactive").await;
    bell.is_up_again("own").await;
    bell.end().await;
}
