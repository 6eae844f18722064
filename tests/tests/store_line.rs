//! An account's line: what blocks it, what passes, and what people do to it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hosting::PackageName;
use jobs::store::{
    AccountChange, Cancelled, Finish, Intent, Outcome, Replayed, ServerEffect, Target,
};
use jobs::{AccountState, JobSpec, JobState};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, held, job};

fn package(name: &str) -> JobSpec {
    JobSpec::ChangePackage {
        package: PackageName::try_from(name.to_owned()).expect("a package"),
    }
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

    async fn behind_a_conflict_that_was_taken_back_only_a_way_out_runs(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, suspend, _]) = create_and_two_more(&world).await;
        let won = world.claim_one(create).await;
        let conflict = Finish {
            account: Some(AccountChange {
                state: Some(AccountState::Conflict),
                ..AccountChange::default()
            }),
            ..ended(&won, held())
        };
        world.finish(&[conflict]).await;
        let (done, rings) = world.store.cancel(create, "op", None).await.expect("cancelled");
        assert_eq!((done, rings.len()), (Cancelled::Done, 0));
        assert_eq!(world.won(&[suspend]).await, NONE);
        assert_eq!(world.account_state(account).await, AccountState::Failed);
        let end = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.ready().await, [end]);
    }

    async fn a_good_check_takes_up_nothing_that_was_overtaken(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let refused = || Outcome::Held { code: "panel_auth".to_owned() };
        let old = world.put(account, JobSpec::Suspend).await;
        world.run(old, refused()).await;
        let new = world.put(account, JobSpec::Unsuspend).await;
        world.run(new, done()).await;
        let last = world.put(account, JobSpec::Unlock).await;
        world.run(last, refused()).await;
        let check = world.submit(job(JobSpec::CheckConnection, Some(world.server), Target::Nobody)).await.job.id;
        let won = world.claim_one(check).await;
        let good = Finish {
            server: ServerEffect::Checked {
                version: None,
                rules: serde_json::json!({}),
                notes: serde_json::json!([]),
                max_creates: 2,
            },
            ..ended(&won, done())
        };
        world.finish(&[good]).await;
        assert_eq!(world.state(old).await, JobState::Held, "an unsuspend came after it");
        assert_eq!(world.state(last).await, JobState::Queued);
        assert_eq!(world.ready().await, [last]);
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

    async fn another_create_after_a_failed_one_may_have_another_domain_and_name(db: &TestDatabase) {
        let world = World::new(db).await;
        let (account, [create, ..]) = create_and_two_more(&world).await;
        let neighbour = world.submit(world.create("other")).await.job;
        let renamed = |name: &str| {
            let mut job = world.create(name);
            if let Target::New { reference, .. } = &mut job.target {
                *reference = "billing:acme".parse().ok();
            }
            job
        };
        let refused = |job| async { world.store.submit(&[job]).await.expect("answered").0.remove(0).is_err() };
        assert!(refused(renamed("acme2")).await, "it may still be made");
        world.run(create, Outcome::Failed).await;
        assert!(refused(renamed("other")).await, "the name is another account's");
        let again = world.submit(renamed("acme2")).await.job;
        assert_eq!(again.account_id, Some(account));
        let row = world.account_row(account).await;
        assert_eq!((row.username.as_str(), row.domain.as_deref()), ("acme2", Some("acme2.example.com")));
        assert_eq!(row.state, AccountState::Requested.name());
        assert!(refused(renamed("acme3")).await, "it is under way again");
        // The name that it does not have any more is free.
        let mut free = world.create("acme");
        if let Target::New { reference, .. } = &mut free.target {
            *reference = None;
        }
        let freed = world.submit(free).await.job;
        assert_ne!(freed.account_id, Some(account));
        assert_ne!(neighbour.account_id, Some(account));
        assert_eq!(world.store.repair().await.expect("answered"), [], "nothing is broken");
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
