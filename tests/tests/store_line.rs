//! An account's line: what blocks it, what passes, and what people do to it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hosting::PackageName;
use jobs::store::{Cancelled, Finish, Intent, NewJob, Outcome, Replayed};
use jobs::{AccountState, JobSpec, JobState};
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

/// A create that was accepted, with a suspend and an unlock behind it: (account, the three jobs).
async fn create_and_two_more(world: &World) -> (i64, [i64; 3]) {
    let create = world.submit(world.create("acme")).await.job;
    let account = create.account_id.expect("an account");
    let suspend = world.put(account, JobSpec::Suspend).await;
    let unlock = world.put(account, JobSpec::Unlock).await;
    (account, [create.id, suspend, unlock])
}

on_every_database! {
    async fn the_end_of_a_job_promotes_the_next(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, unlock]) = create_and_two_more(&world).await;
        assert_eq!(world.won(&[unlock, suspend]).await, NONE, "behind the create");
        let report = world.run(create, done()).await;
        assert_eq!(report.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [suspend]);
        assert_eq!(world.account_state(account).await, AccountState::Active);
        assert_eq!(world.won(&[unlock]).await, NONE);
        world.run(suspend, Outcome::Retry { after: Duration::ZERO }).await;
        assert_eq!(world.won(&[unlock]).await, NONE, "a retrying job keeps its place");
        world.run(suspend, done()).await;
        assert_eq!(world.ready().await, [unlock]);
    }

    async fn a_failed_change_blocks_nobody(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let first = world.put(account, package("gold")).await;
        let second = world.put(account, JobSpec::Unlock).await;
        let third = world.put(account, JobSpec::Suspend).await;
        world.run(first, Outcome::Failed).await;
        assert_eq!(world.ready().await, [second]);
        world.run(second, held()).await;
        assert_eq!(world.ready().await, [third]);
        assert_eq!(world.state(second).await, JobState::Held);
        assert_eq!(world.account_state(account).await, AccountState::Active);
    }

    async fn a_change_held_in_doubt_blocks_its_account(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let first = world.put(account, package("gold")).await;
        let second = world.put(account, JobSpec::Unlock).await;
        let won = world.claim_one(first).await;
        world.finish(&[Finish { in_doubt: true, ..ended(&won, held()) }]).await;
        assert_eq!(world.ready().await, NONE);
        assert_eq!(world.waits_for(second).await, Some("earlier_job"));
        let terminate = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.won(&[terminate]).await, NONE, "a terminate does not pass it");
        let (cancelled, rings) = world.store.cancel(first, "op", None).await.expect("answered");
        assert_eq!(cancelled, Cancelled::Done, "a person may decide");
        assert_eq!(rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [terminate]);
        assert_eq!(world.state(second).await, JobState::Cancelled, "superseded by the terminate");
    }

    async fn a_failed_create_keeps_what_is_behind_it_waiting(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, unlock]) = create_and_two_more(&world).await;
        let report = world.run(create, Outcome::Failed).await;
        assert_eq!(report.rings, []);
        assert_eq!(world.account_state(account).await, AccountState::Failed);
        assert_eq!(world.ready().await, NONE);
        for id in [suspend, unlock] {
            assert_eq!(world.waits_for(id).await, Some("earlier_job"));
        }
        let waiting = world.store.waiting_for(&[world.job(suspend).await]).await.expect("answered");
        let on = waiting[&suspend].job_id.clone();
        assert_eq!(on, Some(world.job(create).await.public_id), "the create is named");
        assert_eq!(world.store.repair().await.expect("answered"), [], "nothing is broken");
    }

    async fn a_replayed_create_lets_the_line_go_on(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, unlock]) = create_and_two_more(&world).await;
        world.run(create, Outcome::Failed).await;
        let (replayed, rings) = world.store.replay(create, "op", "mended", false).await.expect("answered");
        assert_eq!((replayed, rings.len()), (Replayed::Reopened, 1));
        world.run(create, done()).await;
        assert_eq!(world.account_state(account).await, AccountState::Active);
        world.run(suspend, done()).await;
        world.run(unlock, done()).await;
    }

    async fn another_create_goes_before_what_waits_behind_a_failed_one(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, _]) = create_and_two_more(&world).await;
        world.run(create, Outcome::Failed).await;
        let again = world.submit(world.create("acme")).await.job;
        assert_eq!(again.account_id, Some(account));
        assert_eq!(world.ready().await, [again.id]);
        assert_eq!(world.account_state(account).await, AccountState::Requested);
        world.run(again.id, done()).await;
        assert_eq!(world.ready().await, [suspend]);
    }

    async fn a_terminate_passes_a_failed_create(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, unlock]) = create_and_two_more(&world).await;
        world.run(create, Outcome::Failed).await;
        let terminate = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.ready().await, [terminate]);
        for id in [suspend, unlock] {
            assert_eq!(world.state(id).await, JobState::Cancelled);
        }
        world.run(terminate, done()).await;
        assert_eq!(world.account_state(account).await, AccountState::Terminated);
    }

    async fn a_terminate_that_waited_passes_when_the_create_fails(db: &TestDatabase) {
        let world = World::new(db).await;
        let create = world.submit(world.create("acme")).await.job;
        let account = create.account_id.expect("an account");
        let terminate = world.put(account, JobSpec::Terminate).await;
        let unlock = world.put(account, JobSpec::Unlock).await;
        assert_eq!(world.ready().await, [create.id]);
        world.run(create.id, Outcome::Failed).await;
        assert_eq!(world.ready().await, [terminate]);
        assert_eq!(world.state(unlock).await, JobState::Queued, "it came after the terminate");
    }

    async fn a_held_create_blocks_even_a_terminate(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, _]) = create_and_two_more(&world).await;
        world.run(create, held()).await;
        let terminate = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.ready().await, NONE);
        assert_eq!(world.waits_for(terminate).await, Some("earlier_job"));
        assert_eq!(world.state(suspend).await, JobState::Cancelled);
        let (cancelled, _) = world.store.cancel(create, "op", None).await.expect("answered");
        assert_eq!(cancelled, Cancelled::Done);
        assert_eq!(world.account_state(account).await, AccountState::Failed);
        assert_eq!(world.ready().await, [terminate]);
    }

    async fn a_newer_change_takes_back_its_opposite(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let gold = world.put(account, package("gold")).await;
        let suspend = world.put(account, JobSpec::Suspend).await;
        let unsuspend = world.put(account, JobSpec::Unsuspend).await;
        let taken_back = world.job(suspend).await;
        assert_eq!(taken_back.state, "cancelled");
        assert_eq!(taken_back.error_code.as_deref(), Some("superseded"));
        let events = world.store.events(suspend).await.expect("answered");
        assert_eq!(events[0].event, "superseded");
        assert_eq!(world.state(unsuspend).await, JobState::Queued, "and still runs");
        let again = world.put(account, JobSpec::Suspend).await;
        assert_eq!(world.state(unsuspend).await, JobState::Cancelled);
        world.run(gold, done()).await;
        assert_eq!(world.ready().await, [again]);
    }

    async fn what_has_begun_is_not_taken_back(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let running = world.put(account, JobSpec::Suspend).await;
        let won = world.claim_one(running).await;
        let unsuspend = world.put(account, JobSpec::Unsuspend).await;
        assert_eq!(world.state(running).await, JobState::Running);
        assert_eq!(world.job(running).await.error_code, None);
        world.finish(&[ended(&won, Outcome::Retry { after: Duration::ZERO })]).await;
        let terminate = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.state(running).await, JobState::Retrying, "it was claimed before");
        assert_eq!(world.state(unsuspend).await, JobState::Cancelled);
        world.run(running, done()).await;
        assert_eq!(world.ready().await, [terminate]);
    }

    async fn a_head_taken_back_makes_the_next_ready(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let suspend = world.put(account, JobSpec::Suspend).await;
        let (answers, rings) = world.store.submit(&[world.change(account, JobSpec::Unsuspend)]).await.expect("answered");
        let unsuspend = answers[0].as_ref().expect("accepted").job.id;
        assert_eq!(rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [unsuspend]);
        assert_eq!(world.won(&[suspend, unsuspend]).await, [unsuspend]);
    }

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

    async fn an_intent_keeps_the_place_in_the_line(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let first = world.put(account, JobSpec::Suspend).await;
        let second = world.put(account, JobSpec::Unlock).await;
        let won = world.claim_one(first).await;
        let intent = Intent { job_id: first, fence: won.job.fence, progress: None, sends: true };
        let report = world.store.write_group(&[intent], &[]).await.expect("written");
        assert_eq!((report.stale, report.rings), (vec![], vec![]));
        assert_eq!(world.won(&[first, second]).await, NONE);
    }
}
