//! What becomes of attempts: outcomes, fences, crashed workers, and doubt.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::attempt;
use futures::future::join_all;
use jobs::store::{Claimed, Finish, Intent, JobError, Lost, Outcome, Report, Store, Writer};
use jobs::{JobSpec, JobState};
use sea_orm::{ActiveValue::Set, EntityTrait};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, held};

const HOUR: Duration = Duration::from_secs(3600);

fn sends(won: &Claimed) -> Intent {
    Intent {
        job_id: won.job.id,
        fence: won.job.fence,
        progress: None,
        sends: true,
    }
}

/// A world with that many accounts, each with one unlock to do.
async fn unlocks(db: &tests::servers::TestDatabase, many: usize) -> (World, Vec<i64>) {
    let world = World::new(db).await;
    world
        .change_server(world.server, |server| server.max_jobs = Set(100))
        .await;
    let mut ids = Vec::new();
    for number in 0..many {
        let account = world.account(&format!("user{number}")).await;
        ids.push(world.put(account, JobSpec::Unlock).await);
    }
    (world, ids)
}

/// Spoils the job's next outcome: the row of its attempt is there already.
async fn poison(store: &Store, won: &Claimed) {
    let row = attempt::ActiveModel {
        job_id: Set(won.job.id),
        fence: Set(won.job.fence),
        attempt: Set(1),
        started_at: Set(0),
        finished_at: Set(0),
        outcome: Set("planted".to_owned()),
        ..Default::default()
    };
    attempt::Entity::insert(row)
        .exec_without_returning(store.writer_connection())
        .await
        .expect("planted");
}

on_every_database! {
    async fn outcomes_are_written_as_they_were(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 7).await;
        let won = world.claim(&ids).await;
        let soon = Duration::from_secs(60);
        let outcomes = [
            Outcome::Succeeded { already_so: true, result: Some(serde_json::json!({"a": "ü"})) },
            Outcome::Retry { after: soon },
            Outcome::Later { after: soon },
            Outcome::LookAgain { after: soon },
            held(),
            Outcome::Failed,
            Outcome::Returned,
        ];
        let finishes: Vec<Finish> = won.iter().zip(outcomes).map(|(won, outcome)| ended(won, outcome)).collect();
        let report = world.finish(&finishes).await;
        let mut rows = Vec::new();
        for id in &ids {
            rows.push(world.job(*id).await);
        }
        let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        assert_eq!(states, ["succeeded", "retrying", "retrying", "retrying", "held", "failed", "retrying"]);
        let tries: Vec<i32> = rows.iter().map(|row| row.tries).collect();
        assert_eq!(tries, [1, 1, 0, 0, 1, 1, 0], "waiting and looking use no try");
        let now = world.store.now().await.expect("answered");
        for row in &rows[1..4] {
            assert!((now + 50_000..=now + 60_000).contains(&row.due_at), "{row:?}");
        }
        assert_eq!(rows[0].result.as_deref(), Some(r#"{"a":"ü"}"#));
        assert_eq!(rows[3].looks, 1);
        assert_eq!(rows[4].hold_code.as_deref(), Some("test"));
        let mut settled = report.settled.clone();
        settled.sort_unstable();
        assert_eq!(settled, [ids[0], ids[4], ids[5]]);
        assert_eq!(report.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [ids[6]]);
        assert!(rows.iter().all(|row| row.lease_until.is_none() && row.owner.is_none()));
        let mut outcomes = Vec::new();
        for id in &ids {
            let attempts = world.store.attempts(*id).await.expect("answered");
            assert_eq!((attempts.len(), attempts[0].attempt, attempts[0].fence), (1, 1, 1));
            outcomes.push(attempts[0].outcome.clone());
        }
        assert_eq!(outcomes, ["already_so", "retry", "later", "look_again", "held", "failed", "returned"]);
    }

    async fn the_errors_of_one_group_stay_with_their_jobs(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 3).await;
        let won = world.claim(&ids).await;
        let error = |code: &str| JobError {
            class: "rejected".into(),
            code: code.into(),
            message: "m".repeat(3000),
            detail: Some(serde_json::json!({"status": 500})),
        };
        let finishes = [
            Finish { error: Some(error("first")), ..ended(&won[0], Outcome::Failed) },
            Finish { error: None, ..ended(&won[1], Outcome::Failed) },
            Finish { error: Some(error("third")), ..ended(&won[2], Outcome::Failed) },
        ];
        world.finish(&finishes).await;
        let mut codes = Vec::new();
        for id in &ids {
            codes.push(world.job(*id).await.error_code);
        }
        assert_eq!(codes, [Some("first".to_owned()), None, Some("third".to_owned())]);
        let row = world.job(ids[0]).await;
        assert_eq!(row.error_message.map(|text| text.len()), Some(1000), "cut to what fits");
        let attempt = world.store.attempts(ids[2]).await.expect("answered").remove(0);
        assert_eq!(attempt.detail.as_deref(), Some(r#"{"status":500}"#));
    }

    async fn a_large_group_is_written_at_once(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(1000)).await;
        let mut batch = Vec::new();
        for number in 0..200 {
            let account = world.account(&format!("user{number}")).await;
            batch.extend((0..2).map(|_| world.change(account, JobSpec::Unlock)));
        }
        let ids: Vec<i64> = world.submit_all(&batch).await.iter().map(|s| s.job.id).collect();
        let won = world.claim(&ids).await;
        assert_eq!(won.len(), 200);
        let finishes: Vec<Finish> = won
            .iter()
            .enumerate()
            .map(|(index, won)| {
                let after = Duration::from_millis(index as u64 + 1);
                ended(won, if index % 3 == 0 { Outcome::Retry { after } } else { done() })
            })
            .collect();
        let report = world.finish(&finishes).await;
        assert_eq!(report.stale, NONE);
        assert_eq!(report.settled.len(), 133);
        assert_eq!(report.rings.len(), 133, "one new head for each that ended");
    }

    async fn progress_is_kept_for_the_next_attempt(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        let won = world.claim_one(ids[0]).await;
        let step = Intent {
            progress: Some(serde_json::json!({"created": true})),
            sends: false,
            ..sends(&won)
        };
        world.store.write_group(&[step, sends(&won)], &[]).await.expect("written");
        let row = world.job(ids[0]).await;
        assert_eq!((row.phase.as_deref(), row.progress.as_deref()), (Some("sent"), Some(r#"{"created":true}"#)));
        world.finish(&[ended(&won, Outcome::Later { after: Duration::ZERO })]).await;
        let next = world.claim_one(ids[0]).await;
        assert_eq!(next.job.progress.as_deref(), Some(r#"{"created":true}"#));
        assert_eq!(next.job.phase, None);
    }

    async fn a_row_that_spoils_its_group_spoils_nothing_else(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 9).await;
        let won = world.claim(&ids).await;
        poison(&world.store, &won[4]).await;
        let group: Vec<Finish> = won.iter().map(|won| ended(won, done())).collect();
        assert!(world.store.write_group(&[], &group).await.is_err());
        for id in &ids {
            assert_eq!(world.state(*id).await, JobState::Running, "all or nothing");
        }
        let reports = Arc::new(Mutex::new(Vec::<Report>::new()));
        let kept = Arc::clone(&reports);
        let writer = Writer::start(world.store.clone(), move |report| {
            kept.lock().expect("no panic").push(report);
        });
        let answers = join_all(group.into_iter().map(|finish| writer.finish(finish))).await;
        let lost: Vec<usize> = (0..9).filter(|&index| answers[index] == Err(Lost)).collect();
        assert_eq!(lost, [4]);
        for (index, id) in ids.iter().enumerate() {
            let wanted = if index == 4 { JobState::Running } else { JobState::Succeeded };
            assert_eq!(world.state(*id).await, wanted);
        }
        let settled: usize = reports.lock().expect("no panic").iter().map(|report| report.settled.len()).sum();
        assert_eq!(settled, 8);
    }

    async fn the_writer_tells_who_has_lost_a_job(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 2).await;
        let won = world.claim(&ids).await;
        let writer = Writer::start(world.store.clone(), |_| ());
        assert_eq!(writer.intend(sends(&won[0])).await, Ok(()));
        world.store.advance_clock(HOUR);
        assert_eq!(world.finish(&[ended(&won[0], done())]).await.stale, NONE);
        world.store.rescue(10).await.expect("answered");
        assert_eq!(writer.intend(sends(&won[1])).await, Err(Lost), "it must not send");
        assert_eq!(writer.finish(ended(&won[1], done())).await, Err(Lost));
        assert_eq!(world.state(ids[1]).await, JobState::Retrying);
    }
}
