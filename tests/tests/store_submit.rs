//! Taking jobs in: keys, accounts, and the order of intake.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use futures::future::join_all;
use jobs::store::{NewJob, Refusal, Target};
use jobs::{AccountState, JobSpec, JobState};
use tests::on_every_database;
use tests::world::{World, create_on, done, job, rules, username};

fn keyed(job: NewJob, key: &str, body: &str) -> NewJob {
    NewJob {
        idem_key: key.to_owned(),
        body_hash: body.to_owned(),
        ..job
    }
}

on_every_database! {
    async fn the_same_request_twice_is_one_job(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let first = keyed(world.change(acme, JobSpec::Suspend), "key", "body");
        let again = keyed(world.change(acme, JobSpec::Suspend), "key", "body");
        let first = world.submit(first).await;
        let again = world.submit(again).await;
        assert!(first.new && !again.new);
        assert_eq!(first.job.id, again.job.id);
        assert_eq!(first.job.public_id, again.job.public_id);
    }

    async fn a_key_used_for_another_request_is_refused(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let first = world.submit(keyed(world.change(acme, JobSpec::Suspend), "key", "a")).await;
        let other = keyed(world.change(acme, JobSpec::Unsuspend), "key", "b");
        let (answers, rings) = world.store.submit(&[other]).await.expect("answered");
        let refusal = answers[0].as_ref().expect_err("refused");
        assert_eq!(*refusal, Refusal::KeyTaken(first.job.public_id));
        assert_eq!(rings, []);
        assert_eq!(world.state(first.job.id).await, JobState::Queued, "not superseded by what was refused");
    }

    async fn keys_belong_to_their_platform_and_are_told_apart_by_case(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let mine = keyed(world.change(acme, JobSpec::Unlock), "key", "a");
        let upper = keyed(world.change(acme, JobSpec::Unlock), "KEY", "a");
        let theirs = NewJob {
            platform_id: 2,
            ..keyed(world.change(acme, JobSpec::Unlock), "key", "a")
        };
        let answers = world.submit_all(&[mine, upper, theirs]).await;
        assert!(answers.iter().all(|answer| answer.new));
    }

    async fn the_same_request_at_the_same_moment_is_one_job(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let submitters = (0..8).map(|_| async {
            let request = keyed(world.change(acme, JobSpec::Suspend), "key", "body");
            let store = db.store().await;
            let (mut answers, rings) = store.submit(&[request]).await.expect("answered");
            (answers.remove(0).expect("accepted"), rings.len())
        });
        let answers = join_all(submitters).await;
        assert_eq!(answers.iter().filter(|(answer, _)| answer.new).count(), 1);
        assert!(answers.iter().all(|(answer, _)| answer.job.id == answers[0].0.job.id));
        assert_eq!(answers.iter().map(|(_, rings)| rings).sum::<usize>(), 1, "rung once");
    }

    async fn twins_in_one_batch_are_one_job(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let batch = [
            keyed(world.change(acme, JobSpec::Suspend), "key", "a"),
            keyed(world.change(acme, JobSpec::Suspend), "key", "a"),
            keyed(world.change(acme, JobSpec::Unlock), "key", "b"),
            keyed(world.change(acme, JobSpec::Unlock), "other", "b"),
        ];
        let (answers, _) = world.store.submit(&batch).await.expect("answered");
        let first = answers[0].as_ref().expect("accepted");
        let twin = answers[1].as_ref().expect("accepted");
        assert_eq!((first.job.id, first.new, twin.new), (twin.job.id, true, false));
        let taken = Refusal::KeyTaken(first.job.public_id.clone());
        assert_eq!(*answers[2].as_ref().expect_err("refused"), taken);
        assert!(answers[3].as_ref().expect("accepted").new, "a refused one spoils no other");
    }

    async fn creates_at_the_same_moment_make_one_account(db: &TestDatabase) {
        let world = World::new(db).await;
        let submitters = (0..6).map(|_| async {
            let store = db.store().await;
            let (mut answers, _) = store.submit(&[world.create("acme")]).await.expect("answered");
            answers.remove(0).expect("the same account again is no conflict").job
        });
        let jobs = join_all(submitters).await;
        let account = jobs[0].account_id.expect("an account");
        assert!(jobs.iter().all(|job| job.account_id == Some(account)));
        assert_eq!(world.ready().await.len(), 1, "one at a time");
        assert_eq!(world.account_state(account).await, AccountState::Requested);
    }

    async fn a_reference_or_name_of_another_account_is_a_conflict(db: &TestDatabase) {
        let world = World::new(db).await;
        world.submit(world.create("acme")).await;
        let mut same_reference = world.create("bcme");
        let Target::New { reference, .. } = world.create("acme").target else {
            panic!("a create has a new account")
        };
        if let Target::New { reference: given, .. } = &mut same_reference.target {
            *given = reference;
        }
        let mut same_name = world.create("ccme");
        if let Target::New { username: given, .. } = &mut same_name.target {
            *given = Some(username("ACME"));
        }
        for conflict in [same_reference, same_name] {
            let (answers, rings) = world.store.submit(&[conflict]).await.expect("answered");
            assert!(matches!(answers[0], Err(Refusal::AccountTaken(_))), "{answers:?}");
            assert_eq!(rings, []);
        }
    }

    async fn a_name_that_nobody_gave_is_made_from_the_accounts_id(db: &TestDatabase) {
        let world = World::new(db).await;
        let mut batch = [world.create("acme"), world.create("bcme")];
        for create in &mut batch {
            if let Target::New { username, .. } = &mut create.target {
                *username = None;
            }
        }
        for (submitted, given) in world.submit_all(&batch).await.into_iter().zip(&batch) {
            let account = world.account_row(submitted.job.account_id.expect("an account")).await;
            let wanted = rules().username_for(account.id).expect("a name");
            assert_eq!(account.username, wanted.to_string());
            assert_eq!(given.spec, serde_json::from_str(&submitted.job.payload).expect("readable"));
            assert!(account.live_key.is_some());
        }
    }

    async fn jobs_of_an_account_stand_in_the_order_given(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bcme) = (world.account("acme").await, world.account("bcme").await);
        let batch: Vec<NewJob> = [acme, bcme, acme, acme, bcme]
            .map(|account| world.change(account, JobSpec::Unlock))
            .into();
        let (answers, rings) = world.store.submit(&batch).await.expect("answered");
        let ids: Vec<i64> = answers.into_iter().map(|answer| answer.expect("accepted").job.id).collect();
        assert!(ids.is_sorted());
        let mut rung: Vec<i64> = rings.iter().map(|ring| ring.job_id).collect();
        rung.sort_unstable();
        assert_eq!(rung, [ids[0], ids[1]], "the heads, and only they");
        assert_eq!(world.ready().await, [ids[0], ids[1]]);
    }

    async fn reading_jobs_stand_in_no_line(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let change = world.put(acme, JobSpec::Unlock).await;
        let link = world.put(acme, JobSpec::LoginUrl).await;
        assert_eq!(world.won(&[link, change]).await, [change, link]);
    }

    async fn a_terminated_account_takes_no_more_changes(db: &TestDatabase) {
        let world = World::new(db).await;
        let acme = world.account("acme").await;
        let terminate = world.put(acme, JobSpec::Terminate).await;
        world.run(terminate, done()).await;
        let late = [world.change(acme, JobSpec::Suspend), world.change(acme, JobSpec::Terminate)];
        let (answers, _) = world.store.submit(&late).await.expect("answered");
        assert_eq!(*answers[0].as_ref().expect_err("refused"), Refusal::AccountGone);
        assert!(answers[1].is_ok(), "gone is what a terminate wants");
        let reborn = world.submit(world.create("acme")).await;
        assert_ne!(reborn.job.account_id, Some(acme), "another incarnation");
    }

    async fn an_account_that_we_do_not_know_is_taken_over(db: &TestDatabase) {
        let world = World::new(db).await;
        let unknown = |spec| {
            let target = Target::Unknown { reference: None, username: username("acme"), domain: None };
            job(spec, Some(world.server), target)
        };
        let batch = world.submit_all(&[unknown(JobSpec::Suspend), unknown(JobSpec::Unlock)]).await;
        let account = batch[0].job.account_id.expect("an account");
        assert_eq!(batch[1].job.account_id, Some(account));
        assert_eq!(world.account_state(account).await, AccountState::Importing);
        let elsewhere = world.add_server("web2").await;
        let other = world.submit(create_on(elsewhere, "acme")).await;
        assert_ne!(other.job.account_id, Some(account), "the same name on another server is another account");
    }

    async fn another_platforms_account_is_not_reached_by_its_name(db: &TestDatabase) {
        let world = World::new(db).await;
        world.submit(world.create("acme")).await;
        let target = Target::Unknown { reference: None, username: username("acme"), domain: None };
        let foreign = NewJob { platform_id: 2, ..job(JobSpec::Terminate, Some(world.server), target) };
        let (answers, _) = world.store.submit(&[foreign]).await.expect("answered");
        assert!(matches!(answers[0], Err(Refusal::AccountTaken(_))), "{answers:?}");
    }
}
