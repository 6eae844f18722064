//! Winning jobs: one of an account at a time, no more than the server takes, none through a closed gate.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hosting::Month;
use jobs::store::{Finish, NewJob, Outcome, Pause, ServerEffect, Target};
use jobs::{JobSpec, JobState};
use sea_orm::ActiveValue::Set;
use tests::crew::{Crew, Fate};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, job};

const MINUTE: Duration = Duration::from_secs(60);

fn stats(server: i64) -> jobs::store::NewJob {
    let month = Month::new(2026, 11).expect("a month");
    job(JobSpec::GetStats { month }, Some(server), Target::Nobody)
}

async fn unlocks(world: &World, accounts: std::ops::Range<usize>) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in accounts {
        let account = world.account(&format!("user{number}")).await;
        ids.push(world.put(account, JobSpec::Unlock).await);
    }
    ids
}

/// Claims the job, and ends it with that to say of its server.
async fn tell(world: &World, id: i64, server: ServerEffect) {
    let won = world.claim_one(id).await;
    let finish = Finish {
        server,
        ..ended(
            &won,
            Outcome::Later {
                after: Duration::ZERO,
            },
        )
    };
    world.finish(&[finish]).await;
}

on_every_database! {
    async fn an_account_has_one_job_at_a_time_in_the_order_of_intake(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(100)).await;
        let mut batch = Vec::new();
        for number in 0..4 {
            let account = world.account(&format!("user{number}")).await;
            batch.extend((0..10).map(|_| world.change(account, JobSpec::Unlock)));
        }
        world.submit_all(&batch).await;
        let log = Crew::of(4).work(db, |_| Fate::Done).await;
        assert_eq!(log.claims(), 40);
        log.assert_no_overlap();
        log.assert_in_order(&[]);
    }

    async fn a_server_never_gets_more_at_once_than_it_takes(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(3)).await;
        let second = world.add_server("web2").await;
        world.change_server(second, |server| server.max_jobs = Set(1)).await;
        let mut batch = Vec::new();
        for number in 0..40 {
            let server = if number % 2 == 0 { world.server } else { second };
            let account = world.account_on(server, &format!("user{number}")).await;
            batch.push(job(JobSpec::Unlock, Some(server), Target::Known(account)));
        }
        world.submit_all(&batch).await;
        let log = Crew::of(6).work(db, |_| Fate::Done).await;
        assert_eq!(log.claims(), 40);
        log.assert_at_most(world.server, 3);
        log.assert_at_most(second, 1);
        assert!(log.most_at_once(world.server) > 1, "and the room is used");
    }

    async fn creates_have_a_lower_limit(db: &TestDatabase) {
        let world = World::new(db).await;
        let batch: Vec<_> = ["a1", "b1", "c1", "d1"].map(|name| world.create(name)).into();
        let creates: Vec<i64> = world.submit_all(&batch).await.iter().map(|s| s.job.id).collect();
        let unlocks = unlocks(&world, 0..3).await;
        let all = [creates.clone(), unlocks.clone()].concat();
        assert_eq!(world.won(&all).await, [creates[0], creates[1], unlocks[0], unlocks[1]]);
    }

    async fn a_place_is_kept_for_what_somebody_waits_for(db: &TestDatabase) {
        let world = World::new(db).await;
        let bulk: Vec<_> = (0..5).map(|_| stats(world.server)).collect();
        let bulk: Vec<i64> = world.submit_all(&bulk).await.iter().map(|s| s.job.id).collect();
        assert_eq!(world.won(&bulk).await, bulk[..3]);
        assert_eq!(world.ready().await, Vec::<i64>::new(), "no room for bulk is left");
        let unlock = unlocks(&world, 0..1).await;
        assert_eq!(world.ready().await, unlock);
        assert_eq!(world.won(&[bulk[3], unlock[0]]).await, unlock);
    }

    async fn interactive_goes_first_in_one_claim(db: &TestDatabase) {
        let world = World::new(db).await;
        let bulk = world.submit(stats(world.server)).await.job.id;
        let unlock = unlocks(&world, 0..1).await[0];
        world.change_server(world.server, |server| server.max_jobs = Set(1)).await;
        assert_eq!(world.won(&[bulk, unlock]).await, [unlock]);
    }

    async fn what_has_waited_longest_gets_the_place_that_another_was_rung_for(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(2)).await;
        let ids = unlocks(&world, 0..6).await;
        assert_eq!(world.won(&ids[4..5]).await, ids[4..5], "there is room for both");
        assert_eq!(world.won(&ids[5..]).await, ids[..1], "one place, and the oldest waits since long");
        assert_eq!(world.won(&ids[5..]).await, NONE);
        world.change_server(world.server, |server| server.max_jobs = Set(3)).await;
        assert_eq!(world.won(&ids[3..]).await, ids[1..2]);
        world.change_server(world.server, |server| server.max_jobs = Set(9)).await;
        assert_eq!(world.won(&ids[3..4]).await, ids[3..4], "never more than were asked for");
    }

    async fn the_oldest_create_gets_the_only_place_for_creates(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| {
            server.max_jobs = Set(9);
            server.max_creates = Set(1);
        }).await;
        let mut ids = Vec::new();
        for name in ["a1", "b1", "c1"] {
            ids.push(world.submit(world.create(name)).await.job.id);
        }
        assert_eq!(world.won(&ids[2..]).await, ids[..1]);
    }

    async fn a_paused_server_gets_no_jobs_until_it_is_resumed(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..2).await;
        world.store.pause_server(world.server, &Pause::default()).await.expect("paused");
        assert_eq!(world.won(&ids).await, NONE, "paused");
        assert_eq!(world.ready().await, NONE);
        let check = job(JobSpec::CheckConnection, Some(world.server), Target::Nobody);
        let check = world.submit(check).await.job.id;
        assert_eq!(world.ready().await, [check], "a check passes");
        assert_eq!(world.won(&[check]).await, [check]);
        world.store.resume_server(world.server).await.expect("resumed");
        assert_eq!(world.ready().await, ids);
        assert_eq!(world.won(&ids).await, ids);
        assert_eq!(world.job(ids[0]).await.tries, 0, "waiting used no try");
    }

    async fn a_pause_and_a_maintenance_window_end_by_themselves(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..1).await;
        let now = world.store.now().await.expect("answered");
        let pause = Pause { until: Some(now + 600_000), ..Pause::default() };
        world.store.pause_server(world.server, &pause).await.expect("paused");
        let window = Pause { from: Some(now + 900_000), until: Some(now + 1_200_000), reason: None };
        world.store.pause_server(world.server, &window).await.expect("planned");
        assert_eq!(world.won(&ids).await, NONE);
        world.store.advance_clock(16 * MINUTE);
        assert_eq!(world.waits_for(ids[0]).await, Some("maintenance"));
        assert_eq!(world.won(&ids).await, NONE);
        world.store.advance_clock(5 * MINUTE);
        assert_eq!(world.won(&ids).await, ids);
    }

    async fn refused_credentials_hold_the_server_until_a_good_check(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..3).await;
        let won = world.claim_one(ids[0]).await;
        let refused = Finish {
            server: ServerEffect::AuthRefused { detail: "403".into() },
            ..ended(&won, Outcome::Held { code: "panel_auth".into() })
        };
        world.finish(&[refused]).await;
        assert_eq!(world.won(&ids).await, NONE, "no storm");
        world.store.resume_server(world.server).await.expect("resumed");
        assert_eq!(world.won(&ids).await, NONE, "a resume does not open it");
        let check = job(JobSpec::CheckConnection, Some(world.server), Target::Nobody);
        let won = world.claim_one(world.submit(check).await.job.id).await;
        let good = ServerEffect::Checked {
            version: Some("2.3.4".into()),
            rules: serde_json::json!({"panel": "froxlor"}),
            notes: serde_json::json!([]),
            max_creates: 1,
        };
        let report = world.finish(&[Finish { server: good, ..ended(&won, done()) }]).await;
        assert!(report.rings.iter().any(|ring| ring.job_id == ids[0]), "what was held goes on");
        let server = world.server_row(world.server).await;
        assert_eq!((server.max_creates, server.version.as_deref()), (1, Some("2.3.4")));
        assert_eq!(world.won(&ids).await, ids);
    }

    async fn an_unreachable_server_is_probed_once_a_minute(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..3).await;
        for _ in 0..4 {
            tell(&world, ids[0], ServerEffect::Unreachable).await;
        }
        tell(&world, ids[0], ServerEffect::Reached).await;
        for _ in 0..5 {
            tell(&world, ids[0], ServerEffect::Unreachable).await;
        }
        assert_eq!(world.won(&ids).await, NONE, "five in a row open the breaker");
        assert_eq!(world.waits_for(ids[1]).await, Some("breaker_open"));
        world.store.advance_clock(MINUTE);
        let probe = world.claim(&ids).await;
        assert_eq!(probe.len(), 1, "one probe");
        assert_eq!(world.won(&ids).await, NONE);
        let failed = Finish {
            server: ServerEffect::Unreachable,
            ..ended(&probe[0], Outcome::Retry { after: Duration::ZERO })
        };
        world.finish(&[failed]).await;
        assert_eq!(world.won(&ids).await, NONE);
        world.store.advance_clock(MINUTE + MINUTE);
        let probe = world.claim(&ids).await;
        assert_eq!(probe.len(), 1, "the next minute's probe");
        let good = Finish { server: ServerEffect::Reached, ..ended(&probe[0], done()) };
        world.finish(&[good]).await;
        assert_eq!(world.won(&ids).await.len(), 2, "closed again");
    }

    async fn failures_in_one_group_open_the_breaker_too(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(10)).await;
        let ids = unlocks(&world, 0..6).await;
        let won = world.claim(&ids[..5]).await;
        let failed: Vec<Finish> = won
            .iter()
            .map(|won| Finish {
                server: ServerEffect::Unreachable,
                ..ended(won, Outcome::Retry { after: Duration::ZERO })
            })
            .collect();
        world.finish(&failed).await;
        assert_eq!(world.won(&ids).await, NONE);
    }

    async fn a_throttled_server_cools_down_for_an_hour_at_most(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..2).await;
        let won = world.claim(&ids).await;
        let throttled = |index: usize, after| Finish {
            server: ServerEffect::CoolDown { after },
            ..ended(&won[index], Outcome::Later { after: Duration::ZERO })
        };
        world.finish(&[throttled(0, 120 * MINUTE), throttled(1, MINUTE)]).await;
        world.store.advance_clock(59 * MINUTE);
        assert_eq!(world.won(&ids).await, NONE, "the longer one counts");
        assert_eq!(world.waits_for(ids[0]).await, Some("server_busy"));
        world.store.advance_clock(2 * MINUTE);
        assert_eq!(world.won(&ids).await, ids);
        assert_eq!(world.job(ids[0]).await.tries, 0);
    }

    async fn the_guard_holds_a_storm_of_terminations(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| {
            server.max_terminates = Set(2);
            server.max_jobs = Set(10);
        }).await;
        let mut ids = Vec::new();
        for name in ["a1", "b1", "c1", "d1"] {
            let account = world.account(name).await;
            ids.push(world.put(account, JobSpec::Terminate).await);
        }
        assert_eq!(world.won(&ids[..3]).await, ids[..2]);
        let third = world.job(ids[2]).await;
        assert_eq!((third.state.as_str(), third.hold_code.as_deref()), ("held", Some("terminate_guard")));
        let now = world.store.now().await.expect("answered");
        world.store.release_guard(world.server, now + 60_000).await.expect("released");
        world.store.replay(ids[2], "op", "released", false).await.expect("replayed");
        assert_eq!(world.won(&ids[2..]).await, ids[2..]);
        world.store.advance_clock(61 * MINUTE);
        let account = world.account("e1").await;
        let next_hour = world.put(account, JobSpec::Terminate).await;
        assert_eq!(world.won(&[next_hour]).await, [next_hour]);
    }

    async fn the_guard_sees_what_was_scheduled_long_ago(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| {
            server.max_terminates = Set(2);
            server.max_jobs = Set(10);
        }).await;
        let due_at = Some(world.store.now().await.expect("answered") + 200 * 60 * 60_000);
        let mut ids = Vec::new();
        for name in ["a1", "b1", "c1", "d1"] {
            let account = world.account(name).await;
            let job = NewJob { due_at, ..world.change(account, JobSpec::Terminate) };
            ids.push(world.submit(job).await.job.id);
        }
        world.store.advance_clock(201 * 60 * MINUTE);
        world.store.join_lines(10).await.expect("joined");
        // One has ended and one runs: the third is one too many.
        world.run(ids[0], done()).await;
        assert_eq!(world.won(&ids[1..2]).await, ids[1..2]);
        assert_eq!(world.won(&ids[2..]).await, NONE);
        assert_eq!(world.job(ids[2]).await.hold_code.as_deref(), Some("terminate_guard"));
    }

    async fn creates_without_a_place_do_not_hide_what_has_one(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| {
            server.max_jobs = Set(4);
            server.max_creates = Set(1);
        }).await;
        let mut creates = Vec::new();
        for number in 0..6 {
            let create = world.create(&format!("new{number}"));
            creates.push(world.submit(create).await.job.id);
        }
        let account = world.account("acme").await;
        let suspend = world.put(account, JobSpec::Suspend).await;
        assert_eq!(world.won(&creates[..1]).await, creates[..1]);
        let picked = world.store.pick(jobs::Lane::Interactive, 10).await.expect("picked");
        let picked: Vec<i64> = picked.into_iter().map(|ring| ring.job_id).collect();
        assert_eq!(picked, [suspend]);
        assert_eq!(world.won(&picked).await, [suspend]);
    }

    async fn of_many_servers_those_are_found_that_have_something_to_do(db: &TestDatabase) {
        let world = World::new(db).await;
        let mut servers = Vec::new();
        for number in 0..230 {
            servers.push(world.add_server(&format!("many{number}")).await);
        }
        let mut wanted = Vec::new();
        for at in [0, 150, 229] {
            let account = world.account_on(servers[at], &format!("user{at}")).await;
            let suspend = NewJob { server_id: Some(servers[at]), ..world.change(account, JobSpec::Suspend) };
            wanted.push(world.submit(suspend).await.job.id);
        }
        let later = world.account_on(servers[200], "later").await;
        let later = NewJob {
            server_id: Some(servers[200]),
            due_at: Some(world.store.now().await.expect("a clock") + 3_600_000),
            ..world.change(later, JobSpec::Suspend)
        };
        world.submit(later).await;
        let picked = world.store.pick(jobs::Lane::Interactive, 10).await.expect("picked");
        assert_eq!(picked.into_iter().map(|ring| ring.job_id).collect::<Vec<_>>(), wanted);
        assert_eq!(world.store.pick(jobs::Lane::Bulk, 10).await.expect("picked").len(), 0);
        let first = world.store.pick(jobs::Lane::Interactive, 1).await.expect("picked");
        assert_eq!(first.into_iter().map(|ring| ring.job_id).collect::<Vec<_>>(), wanted[..1]);
    }

    async fn what_only_a_newer_worker_can_read_hides_nothing(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(2)).await;
        let ids = unlocks(&world, 0..4).await;
        for id in &ids[..3] {
            set_payload(&world, *id, jobs::PAYLOAD_VERSION + 1, r#"{"kind":"unlock"}"#).await;
        }
        let picked = world.store.pick(jobs::Lane::Interactive, 10).await.expect("picked");
        assert_eq!(picked.into_iter().map(|ring| ring.job_id).collect::<Vec<_>>(), ids[3..]);
    }

    async fn a_termination_that_has_begun_passes_the_guard(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_terminates = Set(1)).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::Terminate).await;
        world.run(id, Outcome::Retry { after: Duration::ZERO }).await;
        assert_eq!(world.won(&[id]).await, [id]);
    }

    async fn what_an_old_worker_cannot_read_is_left_for_a_newer_one(db: &TestDatabase) {
        let world = World::new(db).await;
        let ids = unlocks(&world, 0..2).await;
        set_payload(&world, ids[0], jobs::PAYLOAD_VERSION + 1, r#"{"kind":"unlock"}"#).await;
        set_payload(&world, ids[1], jobs::PAYLOAD_VERSION, "nonsense").await;
        assert_eq!(world.won(&ids).await, NONE);
        assert_eq!(world.waits_for(ids[0]).await, Some("newer_worker"));
        let broken = world.job(ids[1]).await;
        assert_eq!(broken.hold_code.as_deref(), Some("payload_unreadable"));
        assert_eq!(world.state(ids[1]).await, JobState::Held);
    }

    async fn a_job_is_claimed_when_it_is_due_and_only_once(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let now = world.store.now().await.expect("answered");
        let mut later = world.change(account, JobSpec::LoginUrl);
        later.due_at = Some(now + 60_000);
        let id = world.submit(later).await.job.id;
        assert_eq!((world.won(&[id]).await, world.ready().await), (vec![], vec![]));
        world.store.advance_clock(MINUTE);
        let won = world.claim_one(id).await;
        assert_eq!((won.job.attempt, won.job.fence), (1, 1));
        assert!(won.job.lease_until > Some(won.claimed_at));
        assert_eq!(world.job(id).await, won.job, "the row is what the worker was told");
        assert_eq!(world.won(&[id]).await, NONE);
    }

    async fn a_claim_brings_the_server_and_the_account(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let won = world.claim_one(world.put(account, JobSpec::Unlock).await).await;
        assert_eq!(won.server, Some(world.server_row(world.server).await));
        assert_eq!(won.account, Some(world.account_row(account).await));
        assert_eq!(won.spec, JobSpec::Unlock);
    }

    async fn a_freed_place_calls_the_next(db: &TestDatabase) {
        let world = World::new(db).await;
        world.change_server(world.server, |server| server.max_jobs = Set(2)).await;
        let ids = unlocks(&world, 0..4).await;
        let won = world.claim(&ids).await;
        assert_eq!(won.len(), 2);
        let report = world.finish(&[ended(&won[0], done())]).await;
        assert_eq!(report.freed, [world.server]);
        assert_eq!(report.settled, [won[0].job.id]);
        let next = world.store.next_on(&report.freed).await.expect("answered");
        assert_eq!(next.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [ids[2]]);
    }
}

async fn set_payload(world: &World, id: i64, version: i32, payload: &str) {
    use sea_orm::{ActiveModelTrait, IntoActiveModel};
    let mut row = world.job(id).await.into_active_model();
    row.payload_version = Set(version);
    row.payload = Set(payload.to_owned());
    let updated = row.update(world.store.writer_connection()).await;
    updated.expect("updated");
}
