//! The scheduler's nights when the database's clock jumps.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use chrono_tz::TZ_VARIANTS;
use jobs::Steady;
use jobs::queue::Doorbell;
use jobs::seal::{IntakeKey, Keyring, PrivateKey};
use jobs::store::JobFilter;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use scheduler::cron::{Cron, Retention};
use scheduler::nights::{last_night, month_of};
use sea_orm::ActiveValue::Set;
use tests::servers::{Kind, TestDatabase};
use tests::world::World;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn ms(year: i32) -> i64 {
    let begin = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single();
    begin.expect("a time").timestamp_millis()
}

fn keyring() -> Arc<Keyring> {
    let (worker, api) = (PrivateKey::generate(), PrivateKey::generate());
    Arc::new(Keyring {
        worker: worker.public().clone(),
        api: api.public().clone(),
        worker_private: Vec::new(),
        api_private: Vec::new(),
        intake: IntakeKey::generate(),
    })
}

/// Property: the clock of the database jumps an hour ahead or back, or ten years ahead, and comes back:
/// each night has one reading of its month, none is asked for twice, and the nights after it go on. A
/// scheduler that was started while the clock was wrong believes it at once; the others do not.
#[test]
fn a_clock_that_jumps_leaves_each_night_its_one_reading() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (world, database) = runtime.block_on(async {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let world = World::new(&database).await;
        (world, database)
    });
    let keyring = keyring();
    let start_cron = || {
        Cron::new(
            world.store.clone(),
            Doorbell::local(),
            Arc::clone(&keyring),
            Retention::default(),
        )
    };
    let (numbers, before) = (Cell::new(0), Cell::new(world.server));
    let skews = prop::sample::select(vec![0, 0, 0, HOUR, -HOUR, 3_650 * DAY]);
    let steps = prop::collection::vec((1..20_i64, skews, any::<bool>()), 1..6);
    let start = ms(2026)..ms(2027);
    let zones = prop::sample::select(TZ_VARIANTS.to_vec());
    let cases = (zones, 0..1440_i32, start, steps);
    let run = TestRunner::default().run(&cases, |(zone, minutes, start, steps)| {
        let number = numbers.get() + 1;
        numbers.set(number);
        runtime.block_on(async {
            world
                .change_server(before.get(), |row| row.removed_at = Set(Some(1)))
                .await;
            let server = world.add_server(&format!("night{number}")).await;
            before.set(server);
            world
                .change_server(server, |row| {
                    row.time_zone = Set(zone.name().to_owned());
                    row.stats_at = Set(minutes);
                })
                .await;
            let (mut steady, mut now) = (Steady::new(Duration::from_secs(3600)), start);
            let mut cron = start_cron();
            let passed = |now: i64| Duration::from_millis(u64::try_from(now - start).unwrap_or(0));
            let mut wanted = BTreeSet::new();
            let quiet = [(6, 0, false), (30, 0, false)];
            for (hours, skew, restarted) in steps.into_iter().chain(quiet) {
                // A process that begins with a clock ten years ahead cannot know it, and lets old rows go.
                if restarted && skew.abs() <= HOUR {
                    steady = Steady::new(Duration::from_secs(3600));
                    cron = start_cron();
                }
                if steady.relies_on(now + skew, passed(now)) {
                    cron.tick(now + skew).await.expect("ticked");
                    wanted.insert(last_night(zone, minutes, now + skew).expect("a night").date);
                }
                now += hours * HOUR;
            }
            // The clock is right again, and has been for a while.
            cron.tick(now).await.expect("ticked");
            wanted.insert(last_night(zone, minutes, now).expect("a night").date);
            let filter = JobFilter {
                servers: Some(vec![server]),
                limit: 1000,
                ..JobFilter::default()
            };
            let keys: Vec<String> = world
                .store
                .jobs(&filter)
                .await
                .expect("jobs")
                .into_iter()
                .map(|job| job.idem_key)
                .collect();
            let single: BTreeSet<&String> = keys.iter().collect();
            prop_assert_eq!(single.len(), keys.len(), "twice: {:?}", keys);
            for date in wanted {
                let end = format!(":{}:{date}", month_of(date));
                let had = keys.iter().filter(|key| key.ends_with(&end)).count();
                prop_assert_eq!(had, 1, "the night of {} among {:?}", date, keys);
            }
            Ok(())
        })
    });
    run.expect("each night has its one reading");
    drop(database);
}
