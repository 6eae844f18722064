//! A replay of a job that runs, is in doubt, or has succeeded; and of one job by two people at once.

use jobs::store::{Intent, Outcome, Replayed};
use jobs::{JobSpec, JobState};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, held};

async fn replayed(world: &World, id: i64, force: bool) -> Replayed {
    let replayed = world.store.replay(id, "operator", "again", force).await;
    replayed.unwrap().0
}

fn refused(answer: &Replayed, word: &str) {
    let Replayed::Refused(why) = answer else {
        panic!("{answer:?}");
    };
    assert!(why.contains(word), "{why}");
}

on_every_database! {
    async fn a_job_that_is_replayed_by_two_at_once_gets_one_attempt(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        for force in [false, true] {
            let id = world.put(account, JobSpec::Unlock).await;
            world.run(id, Outcome::Failed).await;
            let (one, two) = tokio::join!(replayed(&world, id, force), replayed(&world, id, force));
            let mut answers = [one, two];
            answers.sort_by_key(|answer| *answer != Replayed::Reopened);
            assert_eq!(answers[0], Replayed::Reopened);
            refused(&answers[1], "queued");
            world.run(id, done()).await;
            assert_eq!(world.job(id).await.attempt, 2);
            assert_eq!(world.won(&[id]).await, NONE);
        }
    }

    async fn a_job_that_runs_or_has_succeeded_is_not_replayed_even_by_force(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::Unlock).await;
        refused(&replayed(&world, id, true).await, "queued");
        let running = world.claim_one(id).await;
        refused(&replayed(&world, id, true).await, "running");
        world.finish(&[ended(&running, done())]).await;
        refused(&replayed(&world, id, true).await, "succeeded");
        assert_eq!(world.job(id).await.attempt, 1);
    }

    async fn a_job_in_doubt_is_looked_up_first_and_its_replay_keeps_the_doubt(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let id = world.put(account, JobSpec::Suspend).await;
        let sent = world.claim_one(id).await;
        let intent = Intent { job_id: id, fence: sent.job.fence, progress: None, sends: true };
        world.store.write_group(&[intent], &[]).await.unwrap();
        let mut look = ended(&sent, Outcome::LookAgain { after: std::time::Duration::ZERO });
        look.in_doubt = true;
        world.finish(&[look]).await;
        refused(&replayed(&world, id, true).await, "retrying");
        // No look could settle it, and a person says that it may be looked at again.
        let looking = world.claim_one(id).await;
        let mut given_up = ended(&looking, held());
        given_up.in_doubt = true;
        world.finish(&[given_up]).await;
        assert_eq!(replayed(&world, id, false).await, Replayed::Reopened);
        assert!(world.claim_one(id).await.job.doubt_since.is_some(), "who looks first knows why");
        assert_eq!(world.state(id).await, JobState::Running);
    }
}
