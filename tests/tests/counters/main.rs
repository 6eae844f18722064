//! A counter that runs on over the months, and accounts that a report lacks, on each database: what is
//! booked, by the statements that are each database's own.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod meter;

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::{account, usage_ledger, usage_month, usage_reading};
use hosting::Month;
use jobs::seal::{IntakeKey, Keyring, PrivateKey};
use jobs::store::{NewJob, Target, Writer};
use jobs::{JobSpec, JobState, OPERATOR};
use sea_orm::{EntityTrait, QueryOrder};
use tests::on_every_database;
use tests::servers::TestDatabase;
use tests::world::{World, job};
use worker::webhook::HttpsSender;
use worker::{Chance, Parts, Worker};

use meter::Meter;

fn this_month() -> Month {
    "2026-11".parse().expect("a month")
}

struct Scene {
    world: World,
    meter: Arc<Meter>,
    worker: Worker,
}

impl Scene {
    async fn new(database: &TestDatabase) -> Self {
        let world = World::new(database).await;
        let (worker, api) = (PrivateKey::generate(), PrivateKey::generate());
        let keyring = Keyring {
            worker: worker.public().clone(),
            api: api.public().clone(),
            worker_private: vec![worker],
            api_private: vec![api],
            intake: IntakeKey::generate(),
        };
        let meter = Arc::new(Meter::default());
        let sender = HttpsSender::new(Vec::new(), None).expect("no certificates to read");
        let worker = Worker::new(Parts {
            writer: Writer::start(world.store.clone(), |_| {}),
            store: world.store.clone(),
            keyring: Arc::new(keyring),
            panels: Arc::clone(&meter) as _,
            webhooks: Arc::new(sender),
            chance: Chance::of_the_system(),
            deployment: "test".to_owned(),
        });
        Self {
            world,
            meter,
            worker,
        }
    }

    /// One night that reads this month, with these figures of the counter and of the disk.
    async fn night(&self, month: Month, night: u32, figures: &[(&str, u64, u64)]) {
        self.meter.shows(figures);
        let nightly = NewJob {
            platform_id: OPERATOR,
            idem_key: format!("get_stats:1:{month}:{night}"),
            ..job(
                JobSpec::GetStats { month },
                Some(self.world.server),
                Target::Nobody,
            )
        };
        let id = self.world.submit(nightly).await.job.id;
        let claimed = self.world.claim(&[id]).await.remove(0);
        self.worker.handle(claimed).await;
        let row = self.world.store.job_by_row(id).await.expect("answered");
        let state = row.expect("there is the job").state;
        assert_eq!(state, JobState::Succeeded.name());
    }

    /// Of each account its months: total, last figure, epoch.
    async fn months(&self) -> BTreeMap<(i64, String), (i64, i64, i32)> {
        let rows = usage_month::Entity::find().all(self.world.store.reader());
        let rows = rows.await.expect("answered").into_iter();
        rows.map(|row| {
            let stands = (row.total_bytes, row.last_raw, row.epoch);
            ((row.account_id, row.month), stands)
        })
        .collect()
    }

    async fn account(&self, id: i64) -> account::Model {
        self.world.account_row(id).await
    }
}

on_every_database! {
    async fn a_counter_runs_on_and_who_is_missing_is_counted(db: &TestDatabase) {
        let scene = Scene::new(db).await;
        let mut ids = Vec::new();
        for name in ["zoe", "amy", "bob"] {
            ids.push(scene.world.account(name).await);
        }
        let (zoe, amy, bob) = (ids[0], ids[1], ids[2]);
        let (this, before) = (this_month(), this_month().previous());
        scene.night(before, 1, &[("amy", 500, 7), ("zoe", 1000, 7)]).await;
        assert_eq!(scene.account(bob).await.missing_nights, 1);
        assert_eq!(scene.account(zoe).await.disk_bytes, Some(7));
        scene.night(before, 2, &[("amy", 600, 7), ("zoe", 1000, 8)]).await;
        assert_eq!(scene.account(bob).await.missing_nights, 2);

        // zoe grows, amy's counter was reset, bob is seen for the first time.
        let night = [("bob", 50, 3), ("zoe", 1300, 9), ("amy", 200, 7)];
        scene.night(this, 3, &night).await;
        let expected = BTreeMap::from([
            ((zoe, before.to_string()), (0, 1000, 0)),
            ((amy, before.to_string()), (100, 600, 0)),
            ((zoe, this.to_string()), (300, 1300, 0)),
            ((amy, this.to_string()), (200, 200, 1)),
            ((bob, this.to_string()), (0, 50, 0)),
        ]);
        assert_eq!(scene.months().await, expected);
        assert_eq!(scene.account(bob).await.missing_nights, 0);
        let disk = [scene.account(zoe).await.disk_bytes, scene.account(bob).await.disk_bytes];
        assert_eq!(disk, [Some(9), Some(3)]);

        // The counter has run on: it says nothing more about the month before.
        scene.night(before, 4, &[("bob", 60, 3), ("zoe", 1400, 9), ("amy", 300, 7)]).await;
        assert_eq!(scene.months().await, expected);
        entries_name_their_readings(&scene).await;
    }
}

async fn entries_name_their_readings(scene: &Scene) {
    let reader = scene.world.store.reader();
    let readings = usage_reading::Entity::find().all(reader).await;
    let readings: BTreeMap<i64, usage_reading::Model> = readings
        .expect("answered")
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    assert_eq!(readings.len(), 10);
    let entries = usage_ledger::Entity::find()
        .order_by_asc(usage_ledger::Column::Id)
        .all(reader)
        .await
        .expect("answered");
    let mut kinds: Vec<(&str, i64)> = Vec::new();
    for entry in &entries {
        let reading = &readings[&entry.reading_id.expect("what caused it")];
        assert_eq!(reading.account_id, Some(entry.account_id));
        assert_eq!(reading.month, entry.month);
        assert_eq!(Some(reading.job_id), entry.job_id);
        kinds.push((&entry.entry, entry.delta_bytes));
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [("delta", 100), ("delta", 300), ("reset", 200)]);
}
