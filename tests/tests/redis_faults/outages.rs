//! Redis is emptied, restarted, paused, stopped; it hangs behind its connection.

use tests::proxy::Mode;

use crate::bell::Bell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_through_a_redis_that_is_flushed_restarted_paused_and_stopped() {
    let mut bell = Bell::new().await;
    assert!(bell.is_up().await, "its few rights are enough");

    let ids = bell.submit("flush", 6).await;
    bell.command("FLUSHALL").await;
    bell.all_succeed(&ids).await;

    let ids = bell.submit("again", 6).await;
    bell.redis.kill().unwrap();
    bell.redis.start_again().unwrap();
    bell.all_succeed(&ids).await;

    // Calls are running when Redis falls silent: they end as calls do.
    bell.slow(2);
    let calls = bell.calls();
    let ids = bell.submit("short", 4).await;
    bell.panel.wait_for_call("createacct", calls + 1).await;
    bell.command("CLIENT PAUSE 1500 ALL").await;
    bell.all_succeed(&ids).await;

    bell.slow(2);
    let calls = bell.calls();
    let ids = bell.submit("long", 4).await;
    bell.panel.wait_for_call("createacct", calls + 1).await;
    bell.command("CLIENT PAUSE 30000 ALL").await;
    bell.all_succeed(&ids).await;
    bell.round("pause").await;
    bell.redis.kill().unwrap();
    bell.redis.start_again().unwrap();

    bell.slow(2);
    let calls = bell.calls();
    let ids = bell.submit("stop", 4).await;
    bell.panel.wait_for_call("createacct", calls + 1).await;
    bell.redis.hang().unwrap();
    bell.all_succeed(&ids).await;
    bell.round("still").await;
    bell.redis.go_on().unwrap();
    bell.is_up_again("well").await;
    bell.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_while_the_way_to_redis_hangs_is_reset_or_refused() {
    let mut bell = Bell::new().await;
    for (round, mode) in [
        ("hang", Mode::Hang),
        ("reset", Mode::Reset),
        ("shut", Mode::Refuse),
    ] {
        bell.slow(1);
        let calls = bell.calls();
        let ids = bell.submit(round, 3).await;
        bell.panel.wait_for_call("createacct", calls + 1).await;
        bell.proxy.set(mode);
        bell.all_succeed(&ids).await;
        bell.round(round).await;
        assert!(!bell.is_up().await, "{mode:?}");
        bell.proxy.set(Mode::Pass);
        bell.is_up_again(round).await;
    }
    bell.end().await;
}
