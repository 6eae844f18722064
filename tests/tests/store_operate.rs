//! What people do to an account's line, and what time does: cancel, replay, jobs for later, repair.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hosting::PackageName;
use jobs::store::{Cancelled, Finish, NewJob, Outcome, Replayed};
use jobs::{JobSpec, JobState};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, held};

const HOUR: Duration = Duration::from_secs(3600);

fn package(name: &str) -> JobSpec {
    JobSpec::ChangePackage {
        package: PackageName::try_from(name.to_owned()).expect("a package"),
    }
}

async fn later(world: &World, account: i64, spec: JobSpec) -> i64 {
    let now = world.store.now().await.expect("answered");
    let job = NewJob {
        due_at: Some(now + 3_600_000),
        ..world.change(account, spec)
    };
    world.submit(job).await.job.id
}

on_every_database! {
    async fn cancelling_the_head_promotes_and_the_middle_does_not(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(world.put(account, JobSpec::Unlock).await);
        }
        let (cancelled, rings) = world.store.cancel(ids[1], "op", Some("why")).await.expect("answered");
        assert_eq!((cancelled, rings.len()), (Cancelled::Done, 0));
        assert_eq!(world.ready().await, [ids[0]]);
        let (cancelled, rings) = world.store.cancel(ids[0], "op", None).await.expect("answered");
        assert_eq!(cancelled, Cancelled::Done);
        assert_eq!(rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [ids[2]]);
        let won = world.claim_one(ids[2]).await;
        let (refused, _) = world.store.cancel(ids[2], "op", None).await.expect("answered");
        assert!(matches!(refused, Cancelled::Refused(_)), "it runs");
        world.finish(&[ended(&won, done())]).await;
        let (refused, _) = world.store.cancel(ids[2], "op", None).await.expect("answered");
        assert!(matches!(refused, Cancelled::Refused(_)), "it is done");
        assert_eq!(world.ready().await, [ids[3]]);
        let events = world.store.events(ids[1]).await.expect("answered");
        assert_eq!((events[0].event.as_str(), events[0].reason.as_deref()), ("cancelled", Some("why")));
    }

    async fn a_job_in_doubt_is_not_cancelled_while_it_is_looked_up(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::Suspend).await;
        let won = world.claim_one(id).await;
        let doubt = Outcome::LookAgain { after: Duration::from_secs(15) };
        world.finish(&[Finish { in_doubt: true, ..ended(&won, doubt) }]).await;
        let (refused, _) = world.store.cancel(id, "op", None).await.expect("answered");
        assert!(matches!(refused, Cancelled::Refused(_)));
    }

    async fn cancelled_at_the_moment_of_its_claim_it_is_one_or_the_other(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(100)).await;
        let other = db.store().await;
        for number in 0..15 {
            let account = world.account(&format!("user{number}")).await;
            let id = world.put(account, JobSpec::Unlock).await;
            let ids = [id];
            let (won, cancelled) = tokio::join!(other.claim(&ids, "worker-2"), world.store.cancel(id, "op", None));
            let won = won.expect("answered").len() == 1;
            let cancelled = cancelled.expect("answered").0 == Cancelled::Done;
            assert!(won != cancelled, "won: {won}, cancelled: {cancelled}");
            let wanted = if won { JobState::Running } else { JobState::Cancelled };
            assert_eq!(world.state(id).await, wanted);
        }
    }

    async fn superseded_at_the_moment_of_its_claim_it_is_one_or_the_other(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(100)).await;
        let other = db.store().await;
        for number in 0..15 {
            let account = world.account(&format!("user{number}")).await;
            let suspend = world.put(account, JobSpec::Suspend).await;
            let unsuspend = [world.change(account, JobSpec::Unsuspend)];
            let ids = [suspend];
            let (won, submitted) = tokio::join!(other.claim(&ids, "worker-2"), world.store.submit(&unsuspend));
            let newer = submitted.expect("answered").0[0].as_ref().expect("accepted").job.id;
            let won = won.expect("answered").len() == 1;
            let row = world.job(suspend).await;
            let wanted = if won { ("running", None) } else { ("cancelled", Some("superseded")) };
            assert_eq!((row.state.as_str(), row.error_code.as_deref()), wanted);
            assert_eq!(world.won(&[newer]).await.len(), usize::from(!won));
        }
    }

    async fn a_replay_opens_the_same_row_in_its_old_place(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let gold = world.put(account, package("gold")).await;
        world.run(gold, Outcome::Failed).await;
        let silver = world.put(account, package("silver")).await;
        let before = world.job(gold).await;
        assert_eq!(world.store.replay_would(&before, false).await.expect("answered"), Replayed::Reopened);
        let (replayed, rings) = world.store.replay(gold, "op", "mended", false).await.expect("answered");
        assert_eq!(replayed, Replayed::Reopened);
        assert_eq!(rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [gold]);
        assert_eq!(world.ready().await, [gold], "before the younger one, which nobody had begun");
        let row = world.job(gold).await;
        assert_eq!((row.attempt, row.tries, &row.idem_key), (1, 0, &before.idem_key));
        world.run(gold, done()).await;
        assert_eq!(world.job(gold).await.attempt, 2);
        assert_eq!(world.ready().await, [silver]);
    }

    async fn a_replay_waits_for_the_one_that_runs(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let first = world.put(account, JobSpec::Unlock).await;
        let second = world.put(account, JobSpec::Unlock).await;
        let third = world.put(account, JobSpec::Unlock).await;
        world.run(first, Outcome::Failed).await;
        let running = world.claim_one(second).await;
        let (refused, _) = world.store.replay(first, "op", "why", false).await.expect("answered");
        assert!(matches!(refused, Replayed::Refused(ref why) if why.contains("overtaken")), "{refused:?}");
        let (replayed, rings) = world.store.replay(first, "op", "why", true).await.expect("answered");
        assert_eq!((replayed, rings), (Replayed::Reopened, vec![]));
        assert_eq!(world.won(&[first]).await, NONE, "one at a time");
        let report = world.finish(&[ended(&running, done())]).await;
        assert_eq!(report.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [first]);
        world.run(first, done()).await;
        assert_eq!(world.ready().await, [third]);
    }

    async fn an_overtaken_job_is_replayed_by_force_alone(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let suspend = world.put(account, JobSpec::Suspend).await;
        world.run(suspend, held()).await;
        let unsuspend = world.put(account, JobSpec::Unsuspend).await;
        world.run(unsuspend, done()).await;
        let (refused, rings) = world.store.replay(suspend, "op", "why", false).await.expect("answered");
        assert!(matches!(refused, Replayed::Refused(_)));
        assert_eq!((rings, world.state(suspend).await), (vec![], JobState::Held));
        let (forced, _) = world.store.replay(suspend, "op", "why", true).await.expect("answered");
        assert_eq!(forced, Replayed::Reopened);
        world.run(suspend, done()).await;
        let (refused, _) = world.store.replay(suspend, "op", "why", true).await.expect("answered");
        assert!(matches!(refused, Replayed::Refused(_)), "what has succeeded is done");
    }

    async fn a_cancelled_job_and_one_without_account_can_be_replayed(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let unlock = world.put(account, JobSpec::Unlock).await;
        world.store.cancel(unlock, "op", None).await.expect("answered");
        world.store.replay(unlock, "op", "after all", false).await.expect("answered");
        let check = tests::world::job(JobSpec::CheckConnection, Some(world.server), jobs::store::Target::Nobody);
        let check = world.submit(check).await.job.id;
        world.run(check, Outcome::Failed).await;
        let (_, rings) = world.store.replay(check, "op", "again", false).await.expect("answered");
        assert_eq!(rings.len(), 1);
        let mut won = world.won(&[unlock, check]).await;
        won.sort_unstable();
        assert_eq!(won, [unlock, check]);
    }

    async fn a_job_for_later_blocks_nobody_until_it_joins(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let scheduled = later(&world, account, package("gold")).await;
        let unlock = world.put(account, JobSpec::Unlock).await;
        assert_eq!(world.ready().await, [unlock]);
        assert_eq!(world.waits_for(scheduled).await, Some("not_due"));
        assert_eq!(world.store.join_lines(100).await.expect("answered").joined, 0);
        world.store.advance_clock(2 * HOUR);
        let running = world.claim_one(unlock).await;
        let swept = world.store.join_lines(100).await.expect("answered");
        assert_eq!((swept.joined, swept.rings.len()), (1, 0), "it stands behind the one that runs");
        let report = world.finish(&[ended(&running, done())]).await;
        assert_eq!(report.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [scheduled]);
        assert_eq!(world.won(&[scheduled]).await, [scheduled]);
    }

    async fn a_job_for_later_that_is_alone_is_rung_when_it_joins(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let scheduled = later(&world, account, JobSpec::Suspend).await;
        world.store.advance_clock(2 * HOUR);
        let swept = world.store.join_lines(100).await.expect("answered");
        assert_eq!(swept.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [scheduled]);
        assert_eq!(world.store.join_lines(100).await.expect("answered").joined, 0, "once");
    }

    async fn a_terminate_for_later_takes_changes_back_when_it_joins(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let gold = world.put(account, package("gold")).await;
        let terminate = later(&world, account, JobSpec::Terminate).await;
        let unlock = world.put(account, JobSpec::Unlock).await;
        assert_eq!(world.state(gold).await, JobState::Queued, "not yet");
        world.store.advance_clock(2 * HOUR);
        world.store.join_lines(100).await.expect("answered");
        assert_eq!(world.state(gold).await, JobState::Cancelled);
        assert_eq!(world.state(unlock).await, JobState::Queued, "it is younger than the terminate");
        assert_eq!(world.ready().await, [terminate]);
    }

    async fn a_terminate_takes_back_what_is_scheduled(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let scheduled = later(&world, account, package("gold")).await;
        let terminate = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.state(scheduled).await, JobState::Cancelled);
        world.store.advance_clock(2 * HOUR);
        assert_eq!(world.store.join_lines(100).await.expect("answered").joined, 0);
        assert_eq!(world.ready().await, [terminate]);
    }

    async fn a_scheduled_job_can_be_cancelled(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let scheduled = later(&world, account, JobSpec::Suspend).await;
        world.store.cancel(scheduled, "op", None).await.expect("answered");
        world.store.advance_clock(2 * HOUR);
        assert_eq!(world.store.join_lines(100).await.expect("answered").joined, 0);
        assert_eq!(world.ready().await, NONE);
    }

    async fn repair_gives_a_broken_line_its_head_and_no_other(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bcme) = (world.account("acme").await, world.account("bcme").await);
        let mut ids = Vec::new();
        for account in [acme, acme, bcme, bcme] {
            ids.push(world.put(account, JobSpec::Unlock).await);
        }
        let mut broken = world.job(ids[0]).await.into_active_model();
        broken.head_of = Set(None);
        broken.ready_lane = Set(None);
        broken.update(world.store.writer_connection()).await.expect("broken");
        assert_eq!(world.ready().await, [ids[2]]);
        let mended = world.store.repair().await.expect("answered");
        assert_eq!(mended.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [ids[0]]);
        assert_eq!(world.store.repair().await.expect("answered"), []);
        assert_eq!(world.ready().await, [ids[0], ids[2]]);
    }
}
