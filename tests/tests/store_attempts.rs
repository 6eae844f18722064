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

/// Leaves a job behind as a worker does that is gone, and lets the sweep find it.
async fn lose(world: &World, id: i64, intent: bool) {
    let won = world.claim_one(id).await;
    if intent {
        world
            .store
            .write_group(&[sends(&won)], &[])
            .await
            .expect("written");
    }
    world.store.advance_clock(HOUR);
    assert_eq!(world.store.rescue(100).await.expect("answered").rescued, 1);
    world.store.advance_clock(HOUR);
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

    async fn a_stale_fence_changes_nothing(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        let old = world.claim_one(ids[0]).await;
        world.store.advance_clock(HOUR);
        assert_eq!(world.store.rescue(10).await.expect("answered").rescued, 1);
        let before = world.job(ids[0]).await;
        assert!(before.fence > old.job.fence, "stale from the rescue on, not from the next claim");
        let late = world.store.write_group(&[sends(&old)], &[ended(&old, done())]).await.expect("written");
        assert_eq!(late.stale, [ids[0], ids[0]]);
        assert_eq!(world.job(ids[0]).await, before);
        world.store.advance_clock(HOUR);
        let new = world.claim_one(ids[0]).await;
        assert_eq!(world.finish(&[ended(&old, Outcome::Failed)]).await.stale, ids);
        assert_eq!(world.finish(&[ended(&new, done())]).await.stale, NONE);
        assert_eq!(world.finish(&[ended(&new, done())]).await.stale, ids, "nobody finishes twice");
        let outcomes: Vec<String> = world.store.attempts(ids[0]).await.expect("answered").into_iter().map(|a| a.outcome).collect();
        assert_eq!(outcomes, ["lost", "succeeded"]);
    }

    async fn a_late_outcome_is_good_while_nobody_else_has_the_job(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        let won = world.claim_one(ids[0]).await;
        world.store.advance_clock(HOUR);
        assert_eq!(world.finish(&[ended(&won, done())]).await.stale, NONE);
        assert_eq!(world.store.rescue(10).await.expect("answered").rescued, 0);
        assert_eq!(world.state(ids[0]).await, JobState::Succeeded);
    }

    async fn rescue_and_a_late_finish_never_both_count(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 30).await;
        let won = world.claim(&ids).await;
        world.store.advance_clock(HOUR);
        let finisher = db.store().await;
        let finish = async {
            let mut stale = Vec::new();
            for won in won.chunks(3) {
                let group: Vec<Finish> = won.iter().map(|won| ended(won, done())).collect();
                stale.extend(finisher.write_group(&[], &group).await.expect("written").stale);
            }
            stale
        };
        let rescue = async {
            let mut rescued = 0;
            for _ in 0..10 {
                rescued += world.store.rescue(5).await.expect("answered").rescued;
                tokio::task::yield_now().await;
            }
            rescued
        };
        let (stale, rescued) = tokio::join!(finish, rescue);
        assert_eq!(stale.len(), rescued);
        for id in ids {
            let wanted = if stale.contains(&id) { JobState::Retrying } else { JobState::Succeeded };
            assert_eq!(world.state(id).await, wanted);
            assert_eq!(world.store.attempts(id).await.expect("answered").len(), 1);
        }
    }

    async fn a_living_lease_is_left_alone(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        let won = world.claim_one(ids[0]).await;
        let left = won.job.lease_until.expect("a lease") - won.claimed_at;
        assert!(left > 300_000, "longer than an attempt may take");
        world.store.advance_clock(Duration::from_secs(300));
        assert_eq!(world.store.rescue(10).await.expect("answered").rescued, 0);
    }

    async fn a_worker_lost_before_it_sent_leaves_no_doubt(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        lose(&world, ids[0], false).await;
        let row = world.job(ids[0]).await;
        assert_eq!((row.doubt_since, row.worker_deaths, row.tries), (None, 1, 0));
        assert_eq!(row.state, "retrying");
        assert_eq!(world.won(&ids).await, ids);
    }

    async fn a_worker_lost_after_it_sent_leaves_doubt(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        lose(&world, ids[0], true).await;
        let row = world.job(ids[0]).await;
        let attempt = world.store.attempts(ids[0]).await.expect("answered").remove(0);
        assert!(attempt.sent_at.is_some());
        assert_eq!(row.doubt_since, attempt.sent_at, "in doubt since the request left");
        let looking = world.claim_one(ids[0]).await;
        assert_eq!((looking.job.phase.as_deref(), looking.job.sent_at), (None, None));
        assert_eq!(looking.job.doubt_since, attempt.sent_at, "the next worker is told");
        let look = Finish { in_doubt: true, ..ended(&looking, Outcome::LookAgain { after: Duration::ZERO }) };
        world.finish(&[look]).await;
        assert_eq!(world.job(ids[0]).await.doubt_since, attempt.sent_at, "the clock of the settle time runs on");
        world.run(ids[0], done()).await;
        let row = world.job(ids[0]).await;
        assert_eq!((row.doubt_since, row.looks), (None, 0));
    }

    async fn a_doubt_survives_the_loss_of_the_worker_that_looked(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        lose(&world, ids[0], true).await;
        let since = world.job(ids[0]).await.doubt_since;
        lose(&world, ids[0], false).await;
        assert!(since.is_some());
        assert_eq!(world.job(ids[0]).await.doubt_since, since);
    }

    async fn a_second_request_restarts_the_settle_time(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        lose(&world, ids[0], true).await;
        let since = world.job(ids[0]).await.doubt_since;
        let won = world.claim_one(ids[0]).await;
        world.store.write_group(&[sends(&won)], &[]).await.expect("written");
        let look = Finish { in_doubt: true, ..ended(&won, Outcome::LookAgain { after: Duration::ZERO }) };
        world.finish(&[look]).await;
        assert!(world.job(ids[0]).await.doubt_since > since);
    }

    async fn a_reader_is_never_in_doubt(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::LoginUrl).await;
        lose(&world, id, true).await;
        assert_eq!(world.job(id).await.doubt_since, None);
    }

    async fn the_third_lost_worker_parks_the_job_and_others_pass(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let poison = world.put(account, JobSpec::Suspend).await;
        let behind = world.put(account, JobSpec::Unlock).await;
        for _ in 0..2 {
            lose(&world, poison, false).await;
        }
        world.claim_one(poison).await;
        world.store.advance_clock(HOUR);
        let swept = world.store.rescue(10).await.expect("answered");
        assert_eq!((swept.rescued, swept.parked), (1, 1));
        assert_eq!(swept.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [behind]);
        let row = world.job(poison).await;
        assert_eq!((row.state.as_str(), row.hold_code.as_deref()), ("held", Some("poison")));
        assert_eq!((row.attempt, row.worker_deaths), (3, 3));
        assert_eq!(world.ready().await, [behind]);
        world.run(behind, done()).await;
        world.store.replay(poison, "op", "mended", true).await.expect("answered");
        assert_eq!(world.job(poison).await.worker_deaths, 0);
        world.run(poison, done()).await;
        assert_eq!(world.store.attempts(poison).await.expect("answered").len(), 4);
    }

    async fn a_job_parked_in_doubt_keeps_its_account_waiting(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let poison = world.put(account, JobSpec::Suspend).await;
        let behind = world.put(account, JobSpec::Unlock).await;
        lose(&world, poison, true).await;
        lose(&world, poison, false).await;
        lose(&world, poison, false).await;
        assert_eq!(world.state(poison).await, JobState::Held);
        assert_eq!(world.ready().await, NONE);
        assert_eq!(world.waits_for(behind).await, Some("earlier_job"));
    }

    async fn a_panic_counts_as_a_death(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::Suspend).await;
        let behind = world.put(account, JobSpec::Unlock).await;
        for _ in 0..2 {
            world.run(id, Outcome::Died).await;
            assert_eq!(world.state(id).await, JobState::Retrying);
            world.store.advance_clock(HOUR);
        }
        world.run(id, Outcome::Died).await;
        let row = world.job(id).await;
        assert_eq!((row.state.as_str(), row.hold_code.as_deref(), row.tries), ("held", Some("poison"), 0));
        assert_eq!(world.ready().await, [behind]);
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
        world.store.advance_clock(HOUR);
        let writer = Writer::start(world.store.clone(), |_| ());
        assert_eq!(writer.intend(sends(&won[0])).await, Ok(()));
        assert_eq!(world.finish(&[ended(&won[0], done())]).await.stale, NONE);
        world.store.rescue(10).await.expect("answered");
        assert_eq!(writer.intend(sends(&won[1])).await, Err(Lost), "it must not send");
        assert_eq!(writer.finish(ended(&won[1], done())).await, Err(Lost));
        assert_eq!(world.state(ids[1]).await, JobState::Retrying);
    }
}
