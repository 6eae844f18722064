//! What others put into our lists: forged, giant and repeated entries.

use jobs::JobSpec;
use jobs::store::Target;
use tests::world::job;

use crate::bell::Bell;

const LISTS: [&str; 2] = ["{hostler}:interactive", "{hostler}:bulk"];

async fn push(bell: &Bell, list: &str, entry: &[u8]) {
    let mut push = redis::cmd("RPUSH");
    push.arg(list).arg(entry);
    push.query_async::<i64>(&mut bell.admin().await)
        .await
        .unwrap();
}

/// Until the worker has taken everything out of the lists.
async fn drained(bell: &Bell) {
    let mut admin = bell.admin().await;
    for list in LISTS {
        loop {
            let length: u64 = redis::cmd("LLEN")
                .arg(list)
                .query_async(&mut admin)
                .await
                .unwrap();
            if length == 0 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_giant_entries_start_nothing_and_stop_nothing() {
    let mut bell = Bell::new().await;
    let ended = bell.submit("first", 1).await;
    bell.all_succeed(&ended).await;
    // Jobs that must not start because somebody rings: one for later, one that has ended, one of the other lane.
    let store = bell.database.store().await;
    let mut later = job(JobSpec::CheckConnection, Some(1), Target::Nobody);
    later.due_at = Some(store.now().await.unwrap() + 3_600_000);
    let (answers, _) = store.submit(&[later]).await.unwrap();
    let later = answers[0].as_ref().unwrap().job.id;
    let ended = store.job(&ended[0]).await.unwrap().unwrap().id;
    let entries = [
        b"-1".to_vec(),
        b"0".to_vec(),
        b"999999999".to_vec(),
        i64::MAX.to_string().into_bytes(),
        b"99999999999999999999".to_vec(),
        b"1; DROP TABLE job".to_vec(),
        Vec::new(),
        vec![0xff, 0xfe, 0x00, 0xc3, 0x28],
        later.to_string().into_bytes(),
        ended.to_string().into_bytes(),
        vec![b'7'; 100 * 1024 * 1024],
    ];
    for list in LISTS {
        for entry in &entries {
            push(&bell, list, entry).await;
        }
    }
    drained(&bell).await;
    bell.round("after").await;
    let row = store.job_by_row(later).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.attempt), ("queued", 0));
    let first = store.job_by_row(ended).await.unwrap().unwrap();
    assert_eq!((first.state.as_str(), first.attempt), ("succeeded", 1));
    bell.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_rung_a_thousand_times_runs_once() {
    let mut bell = Bell::new().await;
    bell.slow(1);
    let id = bell.submit("often", 1).await.remove(0);
    bell.panel.wait_for_call("createacct", 1).await;
    let store = bell.database.store().await;
    let row = store.job(&id).await.unwrap().unwrap().id;
    for list in LISTS {
        let mut push = redis::cmd("RPUSH");
        push.arg(list).arg(vec![row; 1_000]);
        push.query_async::<i64>(&mut bell.admin().await)
            .await
            .unwrap();
    }
    drained(&bell).await;
    bell.all_succeed(&[id]).await;
    let row = store.job_by_row(row).await.unwrap().unwrap();
    assert_eq!((row.attempt, row.fence), (1, 1));
    bell.end().await;
}
