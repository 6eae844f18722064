//! Workers that are lost: leases, fences, doubt, and jobs that kill.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use jobs::store::{Claimed, Finish, Intent, Outcome};
use jobs::{JobSpec, JobState};
use sea_orm::ActiveValue::Set;
use tests::on_every_database;
use tests::world::{NONE, World, done, ended};

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

on_every_database! {
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

    async fn no_change_leaves_after_its_lease(db: &TestDatabase) {
        let (world, ids) = unlocks(db, 1).await;
        let won = world.claim_one(ids[0]).await;
        let in_time = world.store.write_group(&[sends(&won)], &[]).await.expect("written");
        assert_eq!(in_time.stale, NONE);
        world.store.advance_clock(HOUR);
        let before = world.job(ids[0]).await;
        let late = world.store.write_group(&[sends(&won)], &[]).await.expect("written");
        assert_eq!(late.stale, ids, "nobody has the job yet, but anybody may take it");
        assert_eq!(world.job(ids[0]).await, before);
        let step = Intent { progress: Some(serde_json::json!({"created": true})), sends: false, ..sends(&won) };
        let written = world.store.write_group(&[step], &[]).await.expect("written");
        assert_eq!(written.stale, NONE, "what was done is worth keeping");
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
        assert_eq!((swept.rescued, &swept.parked[..]), (1, &[poison][..]));
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
}
