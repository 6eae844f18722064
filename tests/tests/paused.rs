//! Ten thousand jobs for a paused server cost next to nothing, and start at once when it resumes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use jobs::JobSpec;
use jobs::queue::Doorbell;
use jobs::store::{Claimed, NewJob, Pause, Target, Writer};
use tests::loops::Loop;
use tests::on_every_database;
use tests::world::{World, done, ended, job, username};

const JOBS: usize = 10_000;
/// The timer is far away, so that what starts, starts by a ring.
const TIMER: Duration = Duration::from_secs(3600);

fn unlock(server: i64, n: usize) -> NewJob {
    let target = Target::Unknown {
        reference: None,
        username: username(&format!("u{n}")),
        domain: None,
    };
    job(JobSpec::Unlock, Some(server), target)
}

on_every_database! {
    async fn ten_thousand_jobs_wait_for_a_paused_server(db: &TestDatabase) {
        let world = World::new(db).await;
        world.store.pause_server(world.server, &Pause::default()).await.unwrap();
        let doorbell = Doorbell::local();
        let mut settled = doorbell.settled();
        let worker = Loop::start(&world.store, &doorbell, 32, TIMER, async |claimed: Claimed, writer: Writer| {
            writer.finish(ended(&claimed, done())).await.unwrap();
        });
        let health = Arc::clone(&worker.health);
        for group in (0..JOBS).collect::<Vec<_>>().chunks(500) {
            let jobs: Vec<NewJob> = group.iter().map(|n| unlock(world.server, *n)).collect();
            let (_, rings) = world.store.submit(&jobs).await.unwrap();
            assert_eq!(rings, [], "nobody is woken for a paused server");
            doorbell.ring(&rings).await;
        }
        // What the timers of a worker and of the top-up do each time: they find nothing.
        for lane in [jobs::Lane::Interactive, jobs::Lane::Bulk] {
            assert_eq!(world.store.pick(lane, 100).await.unwrap(), []);
        }
        // A ring that was under way when the pause came is refused in one claim.
        doorbell.ring(&[jobs::store::Ring { job_id: 1, lane: jobs::Lane::Interactive }]).await;
        let other = world.add_server("web2").await;
        let (_, rings) = world.store.submit(&[unlock(other, JOBS)]).await.unwrap();
        doorbell.ring(&rings).await;
        settled.recv().await.unwrap();
        let (claims, looks) = (health.claims(), health.looks());
        println!("{:?}: {JOBS} jobs wait: {claims} claims, {looks} looks", db.kind);
        assert!(claims <= 3 && looks <= 2, "{claims} claims, {looks} looks");

        world.store.resume_server(world.server).await.unwrap();
        doorbell.ring(&world.store.next_on(&[world.server]).await.unwrap()).await;
        for _ in 0..100 {
            settled.recv().await.unwrap();
        }
        assert!(health.looks() <= 2, "they started by rings, not by the timer");
        worker.end().await;
    }
}
