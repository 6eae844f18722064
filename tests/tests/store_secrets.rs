//! Sealed secrets, addresses, and what attempts change about accounts.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use hosting::{DomainName, Limit, LimitName, Limits};
use jobs::store::{
    AccountChange, Audience, Finish, NewJob, NewSecret, Outcome, Purpose, Resealed, Selector,
};
use jobs::{AccountState, JobSpec};
use tests::on_every_database;
use tests::world::{PLATFORM, World, done, ended, username};

const HOUR: Duration = Duration::from_secs(3600);

fn secret(owner: &str, purpose: Purpose, audience: Audience, sealed: &str) -> NewSecret {
    NewSecret {
        owner: owner.to_owned(),
        purpose,
        audience,
        key_id: "key-1".to_owned(),
        sealed: sealed.to_owned(),
        token_id: Some(7),
    }
}

/// A password change with its password sealed to both, and the owner of the secrets.
async fn with_password(world: &World) -> (i64, String) {
    let account = world.account("acme").await;
    let job = world.change(account, JobSpec::ChangePassword);
    let owner = format!("job:{}", job.public_id);
    let secrets = vec![
        secret(
            &owner,
            Purpose::Password,
            Audience::Worker,
            "for the worker",
        ),
        secret(&owner, Purpose::Password, Audience::Api, "for the API"),
    ];
    let job = world.submit(NewJob { secrets, ..job }).await.job;
    (job.id, owner)
}

async fn sealed(world: &World, owner: &str, audience: Audience) -> Option<String> {
    let row = world.store.secret(owner, Purpose::Password, audience).await;
    row.expect("answered").expect("there is the row").sealed
}

fn addresses() -> Vec<IpAddr> {
    ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        .map(|text| text.parse().expect("an address"))
        .into()
}

on_every_database! {
    async fn a_worker_that_was_given_up_replaces_no_secret(db: &TestDatabase) {
        let world = World::new(db).await;
        let (id, owner) = with_password(&world).await;
        let old = world.claim_one(id).await.job;
        let mine = |text| [secret(&owner, Purpose::Password, Audience::Api, text)];
        assert!(world.store.put_secrets_of(id, old.fence, &mine("first")).await.expect("answered"));
        world.store.advance_clock(HOUR);
        world.store.rescue(10).await.expect("rescued");
        world.store.advance_clock(HOUR);
        let new = world.claim_one(id).await.job;
        assert!(world.store.put_secrets_of(id, new.fence, &mine("second")).await.expect("answered"));
        assert!(!world.store.put_secrets_of(id, old.fence, &mine("late")).await.expect("answered"));
        assert_eq!(sealed(&world, &owner, Audience::Api).await.as_deref(), Some("second"));
    }

    async fn secrets_come_with_their_job_or_not_at_all(db: &TestDatabase) {
        let world = World::new(db).await;
        let (id, owner) = with_password(&world).await;
        assert_eq!(sealed(&world, &owner, Audience::Worker).await.as_deref(), Some("for the worker"));
        let account = world.job(id).await.account_id.expect("an account");
        let again = world.change(account, JobSpec::ChangePassword);
        let other = format!("job:{}", again.public_id);
        let twin = NewJob {
            idem_key: world.job(id).await.idem_key,
            secrets: vec![secret(&other, Purpose::Password, Audience::Worker, "never stored")],
            ..again
        };
        assert!(!world.submit(twin).await.new);
        let row = world.store.secret(&other, Purpose::Password, Audience::Worker).await;
        assert_eq!(row.expect("answered"), None);
    }

    async fn a_spent_secret_is_wiped_with_the_outcome(db: &TestDatabase) {
        let world = World::new(db).await;
        let (id, owner) = with_password(&world).await;
        world.run(id, Outcome::Retry { after: Duration::ZERO }).await;
        assert!(sealed(&world, &owner, Audience::Worker).await.is_some(), "still needed");
        let won = world.claim_one(id).await;
        world.finish(&[Finish { secrets_spent: true, ..ended(&won, done()) }]).await;
        let row = world.store.secret(&owner, Purpose::Password, Audience::Worker).await.expect("answered").expect("there");
        assert_eq!(row.sealed, None);
        assert!(row.wiped_at.is_some());
        assert_eq!(sealed(&world, &owner, Audience::Api).await.as_deref(), Some("for the API"));
    }

    async fn what_the_api_hands_out_ends_after_a_day(db: &TestDatabase) {
        let world = World::new(db).await;
        let (id, owner) = with_password(&world).await;
        let won = world.claim_one(id).await;
        world.finish(&[Finish { secrets_spent: true, ..ended(&won, done()) }]).await;
        world.store.advance_clock(23 * HOUR);
        assert_eq!(world.store.wipe_expired_secrets().await.expect("answered"), 0);
        world.store.advance_clock(2 * HOUR);
        assert_eq!(world.store.wipe_expired_secrets().await.expect("answered"), 1);
        assert_eq!(sealed(&world, &owner, Audience::Api).await, None);
        assert_eq!(world.store.wipe_expired_secrets().await.expect("answered"), 0);
    }

    async fn a_stale_outcome_spends_no_secret(db: &TestDatabase) {
        let world = World::new(db).await;
        let (id, owner) = with_password(&world).await;
        let won = world.claim_one(id).await;
        world.store.advance_clock(HOUR);
        world.store.rescue(10).await.expect("answered");
        world.finish(&[Finish { secrets_spent: true, ..ended(&won, done()) }]).await;
        assert!(sealed(&world, &owner, Audience::Worker).await.is_some());
    }

    async fn a_new_secret_takes_the_place_of_the_old(db: &TestDatabase) {
        let world = World::new(db).await;
        for text in ["old", "new"] {
            let put = [secret("server:1", Purpose::Password, Audience::Worker, text)];
            world.store.put_secrets(&put).await.expect("written");
        }
        assert_eq!(sealed(&world, "server:1", Audience::Worker).await.as_deref(), Some("new"));
        assert_eq!(world.store.wipe_secrets("server:1", Audience::Worker).await.expect("answered"), 1);
        assert_eq!(world.store.wipe_secrets("server:1", Audience::Worker).await.expect("answered"), 0);
    }

    async fn a_secret_is_sealed_again_unless_it_changed_meanwhile(db: &TestDatabase) {
        let world = World::new(db).await;
        let put = [secret("server:1", Purpose::PanelSecret, Audience::Worker, "old")];
        world.store.put_secrets(&put).await.expect("written");
        let of_other_keys = || world.store.secrets_of_other_keys(Audience::Worker, "key-2", 10);
        let old = of_other_keys().await.expect("answered").remove(0);
        let replaced = entity::secret::Model { sealed: Some("before".into()), ..old.clone() };
        let to = |old: &entity::secret::Model, sealed: &str| Resealed {
            old: old.clone(),
            key_id: "key-2".into(),
            sealed: sealed.into(),
        };
        let both = [to(&replaced, "of what is replaced"), to(&old, "resealed")];
        assert_eq!(world.store.reseal(&both).await.expect("answered"), 1);
        assert_eq!(world.store.reseal(&[to(&old, "twice")]).await.expect("answered"), 0);
        assert_eq!(of_other_keys().await.expect("answered"), []);
        let row = world.store.secret("server:1", Purpose::PanelSecret, Audience::Worker).await;
        assert_eq!(row.expect("answered").and_then(|row| row.sealed).as_deref(), Some("resealed"));
    }

    async fn the_first_read_of_a_secret_is_noted(db: &TestDatabase) {
        let world = World::new(db).await;
        let (_, owner) = with_password(&world).await;
        let read = || world.store.secret(&owner, Purpose::Password, Audience::Api);
        let row = read().await.expect("answered").expect("there");
        assert_eq!((row.read_at, row.token_id), (None, Some(7)));
        world.store.secret_was_read(row.id).await.expect("noted");
        let first = read().await.expect("answered").expect("there").read_at;
        world.store.advance_clock(HOUR);
        world.store.secret_was_read(row.id).await.expect("noted");
        assert!(first.is_some());
        assert_eq!(read().await.expect("answered").expect("there").read_at, first);
    }

    async fn an_address_goes_to_one_account_alone(db: &TestDatabase) {
        let world = World::new(db).await;
        let mut accounts = Vec::new();
        for number in 0..5 {
            accounts.push(world.account(&format!("user{number}")).await);
        }
        let addresses = addresses();
        let (server, addresses) = (world.server, &addresses);
        let takers = accounts.iter().map(|&account| async move {
            let store = db.store().await;
            store.reserve_address(server, account, addresses).await.expect("answered")
        });
        let taken = join_all(takers).await;
        let mut got: Vec<IpAddr> = taken.iter().copied().flatten().collect();
        got.sort();
        assert_eq!(got, *addresses, "each once, and none for the other two");
        for (account, taken) in accounts.iter().zip(taken) {
            if taken.is_some() {
                let again = world.store.reserve_address(server, *account, addresses).await;
                assert_eq!(again.expect("answered"), taken, "the same one again");
            }
        }
    }

    async fn a_terminated_account_gives_name_reference_and_address_back(db: &TestDatabase) {
        let world = World::new(db).await;
        let create = world.submit(world.create("acme")).await.job;
        let account = create.account_id.expect("an account");
        world.run(create.id, done()).await;
        let addresses = addresses();
        let only = &addresses[..1];
        let reserve = |account| world.store.reserve_address(world.server, account, only);
        assert!(reserve(account).await.expect("answered").is_some());
        let other = world.account("other").await;
        assert_eq!(reserve(other).await.expect("answered"), None);
        let terminate = world.put(account, JobSpec::Terminate).await;
        world.run(terminate, done()).await;
        let row = world.account_row(account).await;
        assert_eq!((row.state.as_str(), &row.live_key, &row.reference_key), ("terminated", &None, &None));
        assert!(row.terminated_at.is_some());
        assert_eq!(reserve(other).await.expect("answered"), Some(addresses[0]));
        let selector = Selector::Name { server_id: world.server, username: username("acme") };
        assert_eq!(world.store.account(&selector).await.expect("answered"), None);
        let selector = Selector::Id(row.public_id.clone());
        assert_eq!(world.store.account(&selector).await.expect("answered"), Some(row), "by id it is still found");
        let again = world.submit(world.create("acme")).await.job;
        assert_ne!(again.account_id, Some(account));
    }

    async fn what_an_attempt_found_is_kept_with_the_account(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let won = world.claim_one(world.put(account, JobSpec::Suspend).await).await;
        let limits = Limits::new().with(LimitName::DiskMb, Limit::Unlimited);
        let change = AccountChange {
            state: Some(AccountState::Suspended),
            domain: Some(DomainName::try_from("new.example.com".to_owned()).expect("a domain")),
            limits: Some(limits.clone()),
            address: Some(addresses()[2]),
            evidence: Some(serde_json::json!({"uid": 1007})),
            remembered: Some(Some(serde_json::json!({"shell": "/bin/bash"}))),
            suspension: Some(Some(("us", "not paid".to_owned()))),
            ..AccountChange::default()
        };
        world.finish(&[Finish { account: Some(change), ..ended(&won, done()) }]).await;
        let row = world.account_row(account).await;
        assert_eq!((row.state.as_str(), row.domain.as_deref()), ("suspended", Some("new.example.com")));
        assert_eq!(row.limits, serde_json::to_string(&limits).expect("JSON"));
        assert_eq!(row.address.as_deref(), Some("2001:db8::1"));
        assert_eq!((row.suspended_by.as_deref(), row.suspend_reason.as_deref()), (Some("us"), Some("not paid")));
        let won = world.claim_one(world.put(account, JobSpec::Unsuspend).await).await;
        let change = AccountChange {
            state: Some(AccountState::Active),
            remembered: Some(None),
            suspension: Some(None),
            ..AccountChange::default()
        };
        world.finish(&[Finish { account: Some(change), ..ended(&won, done()) }]).await;
        let row = world.account_row(account).await;
        assert_eq!((row.suspended_by, row.remembered, row.suspend_reason), (None, None, None));
        assert_eq!(row.domain.as_deref(), Some("new.example.com"), "the rest stays");
    }

    async fn accounts_are_found_by_reference_and_name(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.submit(world.create("acme")).await.job.account_id;
        let reference = hosting::Reference::try_from("billing:acme".to_owned()).expect("a reference");
        let by = |platform_id| Selector::Reference { platform_id, reference: reference.clone() };
        let found = world.store.account(&by(PLATFORM)).await.expect("answered");
        assert_eq!(found.map(|row| row.id), account);
        assert_eq!(world.store.account(&by(2)).await.expect("answered"), None, "another platform's");
        let name = Selector::Name { server_id: world.server, username: username("ACME") };
        let found = world.store.account(&name).await.expect("answered");
        assert_eq!(found.map(|row| row.id), account, "panels do not tell names apart by case");
        let change = AccountChange::default();
        let again = world.store.import_account(world.server, &username("acme"), &change).await;
        assert!(!again.expect("answered"), "a known one is not imported");
    }
}
