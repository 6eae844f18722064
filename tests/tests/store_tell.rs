//! What platforms are told of their jobs: a delivery is made with the outcome that it tells.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use entity::{job, webhook_endpoint};
use jobs::store::{
    AccountChange, Audience, Finish, JobError, NewJob, NewSecret, Outcome, Purpose, Replayed,
    ServerEffect,
};
use jobs::{JobSpec, JobState};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};
use serde_json::{Value, json};
use tests::on_every_database;
use tests::world::{PLATFORM, World, done, ended, held};

async fn endpoint(world: &World, platform_id: i64, name: &str) -> webhook_endpoint::Model {
    let row = webhook_endpoint::ActiveModel {
        platform_id: Set(platform_id),
        name: Set(name.to_owned()),
        url: Set("https://billing.example.com/hook".to_owned()),
        created_at: Set(0),
        disabled_at: Set(None),
        disabled_reason: Set(None),
        ..Default::default()
    };
    let row = row.insert(world.store.writer_connection()).await;
    row.expect("the endpoint can be added")
}

fn told(job: NewJob) -> NewJob {
    NewJob {
        webhook: Some("main".to_owned()),
        ..job
    }
}

/// The deliveries so far: whom, which event, and what it says.
async fn deliveries(world: &World) -> Vec<(i64, String, Value)> {
    let rows = job::Entity::find()
        .filter(job::Column::Kind.eq("deliver_webhook"))
        .order_by_asc(job::Column::Id)
        .all(world.store.writer_connection())
        .await
        .expect("answered");
    let said = rows.into_iter().map(|row| {
        assert_eq!((row.state.as_str(), row.platform_id), ("queued", PLATFORM));
        match serde_json::from_str(&row.payload).expect("a payload") {
            JobSpec::DeliverWebhook {
                endpoint_id,
                event,
                data,
            } => (endpoint_id, event, data),
            other => panic!("no delivery: {other:?}"),
        }
    });
    said.collect()
}

async fn events(world: &World) -> Vec<String> {
    let all = deliveries(world).await;
    all.into_iter().map(|(_, event, _)| event).collect()
}

on_every_database! {
    async fn a_success_is_told_with_what_the_api_says_and_no_secret(db: &TestDatabase) {
        let world = World::new(db).await;
        endpoint(&world, PLATFORM + 1, "main").await;
        let main = endpoint(&world, PLATFORM, "main").await;
        let create = told(world.create("acme"));
        let (id, owner) = (create.public_id.clone(), format!("job:{}", create.public_id));
        let row = world.submit(create).await.job.id;
        let won = world.claim_one(row).await;
        let password = NewSecret {
            owner, purpose: Purpose::Password, audience: Audience::Api, key_id: "k".into(),
            sealed: "c2VhbGVk".into(), token_id: None,
        };
        world.store.put_secrets(&[password]).await.expect("kept");
        let result = Outcome::Succeeded { result: Some(json!({"username": "acme"})), already_so: false };
        let report = world.finish(&[ended(&won, result)]).await;
        let [(to, event, data)] = &deliveries(&world).await[..] else { panic!("one delivery") };
        assert_eq!((*to, event.as_str()), (main.id, "job.succeeded"));
        assert_eq!(data["id"], json!(id));
        assert_eq!((&data["kind"], &data["server"], &data["state"]), (&json!("create"), &json!("web1"), &json!("succeeded")));
        assert_eq!(data["account"]["reference"], json!("billing:acme"));
        assert_eq!((&data["account"]["username"], &data["result"]["username"]), (&json!("acme"), &json!("acme")));
        assert_eq!((&data["secret_available"], &data["error"]), (&json!(true), &Value::Null));
        assert!(!data.to_string().contains("c2VhbGVk"));
        let delivery = world.ready().await;
        assert!(report.rings.iter().any(|ring| delivery.contains(&ring.job_id)), "it is rung");
    }

    async fn what_failed_was_held_or_was_taken_back_is_told_each_time(db: &TestDatabase) {
        let world = World::new(db).await;
        endpoint(&world, PLATFORM, "main").await;
        let account = world.account("acme").await;
        let failing = world.submit(told(world.change(account, JobSpec::Unlock))).await.job.id;
        let won = world.claim_one(failing).await;
        world.finish(&[ended(&won, Outcome::Retry { after: Duration::ZERO })]).await;
        assert_eq!(events(&world).await.len(), 0, "it goes on");
        let won = world.claim_one(failing).await;
        let error = JobError { class: "rejected".into(), code: "panel_refused".into(), message: "no such user".into(), detail: Some(json!({"path": "/x"})) };
        world.finish(&[Finish { error: Some(error), ..ended(&won, Outcome::Failed) }]).await;
        let (_, event, data) = deliveries(&world).await.remove(0);
        assert_eq!(event, "job.failed");
        assert_eq!(data["error"], json!({"class": "rejected", "code": "panel_refused", "message": "no such user"}));

        let parked = world.submit(told(world.change(account, JobSpec::Unlock))).await.job.id;
        world.run(parked, held()).await;
        let (replayed, _) = world.store.replay(parked, "op", "again", false).await.expect("answered");
        assert_eq!(replayed, Replayed::Reopened);
        world.run(parked, held()).await;
        world.store.cancel(parked, "op", None).await.expect("answered");
        assert_eq!(events(&world).await, ["job.failed", "job.held", "job.held", "job.cancelled"]);
    }

    async fn what_is_superseded_parked_or_kept_by_the_guard_is_told(db: &TestDatabase) {
        let world = World::new(db).await;
        endpoint(&world, PLATFORM, "main").await;
        let account = world.account("acme").await;
        world.submit(told(world.change(account, JobSpec::Unlock))).await;
        world.submit(told(world.change(account, JobSpec::Suspend))).await;
        world.put(account, JobSpec::Unsuspend).await;
        let (_, event, data) = deliveries(&world).await.remove(0);
        assert_eq!((event.as_str(), &data["kind"], &data["error"]["code"]), ("job.cancelled", &json!("suspend"), &json!("superseded")));

        let other = world.account("beta").await;
        let deadly = world.submit(told(world.change(other, JobSpec::Unlock))).await.job.id;
        for _ in 0..3 {
            world.store.advance_clock(Duration::from_secs(3600));
            world.claim_one(deadly).await;
            world.store.advance_clock(Duration::from_secs(3600));
            world.store.rescue(10).await.expect("answered");
        }
        assert_eq!(world.state(deadly).await, JobState::Held);
        assert_eq!(events(&world).await, ["job.cancelled", "job.held"]);

        world.change_server(world.server, |server| server.max_terminates = Set(1)).await;
        for name in ["c1", "d1"] {
            let account = world.account(name).await;
            let end = world.submit(told(world.change(account, JobSpec::Terminate))).await.job.id;
            world.claim(&[end]).await;
        }
        assert_eq!(events(&world).await, ["job.cancelled", "job.held", "job.held"]);
    }

    async fn nobody_is_told_who_did_not_ask_or_is_switched_off(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let main = endpoint(&world, PLATFORM, "main").await;
        let silent = world.put(account, JobSpec::Unlock).await;
        world.run(silent, done()).await;
        let mut off = main.into_active_model();
        off.disabled_at = Set(Some(1));
        off.update(world.store.writer_connection()).await.expect("switched off");
        let to_nobody = world.submit(told(world.change(account, JobSpec::Unlock))).await.job.id;
        world.run(to_nobody, done()).await;
        assert_eq!(world.state(to_nobody).await, JobState::Succeeded);
        assert_eq!(deliveries(&world).await.len(), 0);
    }

    async fn the_turns_of_a_server_are_told_to_who_has_accounts_there(db: &TestDatabase) {
        let world = World::new(db).await;
        let main = endpoint(&world, PLATFORM, "main").await;
        endpoint(&world, PLATFORM + 1, "other").await;
        world.submit(world.create("acme")).await;
        let account = world.account("beta").await;
        let id = world.put(account, JobSpec::Unlock).await;
        let tell = async |effect: ServerEffect| {
            let won = world.claim_one(id).await;
            let later = Outcome::Later { after: Duration::ZERO };
            world.finish(&[Finish { server: effect, ..ended(&won, later) }]).await;
        };
        for _ in 0..5 {
            tell(ServerEffect::Unreachable).await;
        }
        world.store.advance_clock(Duration::from_secs(60));
        tell(ServerEffect::Unreachable).await;
        world.store.advance_clock(Duration::from_secs(120));
        tell(ServerEffect::Reached).await;
        tell(ServerEffect::AuthRefused { detail: "403".into() }).await;
        let said = deliveries(&world).await;
        let events: Vec<&str> = said.iter().map(|(_, event, _)| event.as_str()).collect();
        assert_eq!(events, ["server.unreachable", "server.recovered", "server.auth_failed"]);
        assert!(said.iter().all(|(to, _, data)| *to == main.id && data["server"] == json!("web1")));
    }

    async fn an_outcome_that_comes_too_late_tells_nothing(db: &TestDatabase) {
        let world = World::new(db).await;
        endpoint(&world, PLATFORM, "main").await;
        let account = world.account("acme").await;
        let id = world.submit(told(world.change(account, JobSpec::Unlock))).await.job.id;
        let late = world.claim_one(id).await;
        world.store.advance_clock(Duration::from_secs(3600));
        world.store.rescue(10).await.expect("answered");
        let report = world.finish(&[ended(&late, done())]).await;
        assert_eq!(report.stale, [id]);
        assert_eq!(deliveries(&world).await.len(), 0);
        let change = AccountChange::default();
        let won = { world.store.advance_clock(Duration::from_secs(60)); world.claim_one(id).await };
        world.finish(&[Finish { account: Some(change), ..ended(&won, done()) }]).await;
        assert_eq!(events(&world).await, ["job.succeeded"]);
    }
}
