//! The duties of time: leases that ended, scheduled jobs, lines without a head, secrets that ended.
//!
//! Every worker runs them. Each is safe to run anywhere, any number of times, so nobody has to be elected.

use std::time::{Duration, Instant};

use jobs::queue::Doorbell;
use jobs::store::{Store, StoreError, in_time};
use jobs::{JobKind, Steady};
use tokio::sync::watch;

/// Between two looks for leases that ended and jobs that are due.
const OFTEN: Duration = Duration::from_secs(3);
/// Between two looks for what ought never to be found, and for secrets that ended.
const SELDOM: Duration = Duration::from_secs(180);
/// Rows in one bite.
const BITE: u64 = 200;
/// The planner's statistics are refreshed when the newest job's id has grown by this factor: statistics of
/// an almost empty table make lists of ids full scans.
const GROWTH: i64 = 4;
/// Below this many jobs no plan is bad.
const SMALL: i64 = 500;

/// Runs the duties until `stop` says so.
pub async fn sweep(store: Store, doorbell: Doorbell, mut stop: watch::Receiver<bool>) {
    let mut often = tokio::time::interval(store.pace().of(OFTEN));
    let mut seldom = tokio::time::interval(store.pace().of(SELDOM));
    for timer in [&mut often, &mut seldom] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    let mut analyzed_at = 0;
    let mut trouble = Trouble::default();
    let (begun, mut steady) = (Instant::now(), Steady::new(longest_lease(&store)));
    loop {
        let duty = tokio::select! {
            _ = often.tick() => Duty::Often,
            _ = seldom.tick() => Duty::Seldom,
            () = told_to(&mut stop) => return,
        };
        trouble.note(match duty {
            Duty::Often => in_time(sweep_by(&store, &doorbell, &mut steady, begun)).await,
            Duty::Seldom => in_time(sweep_seldom(&store, &doorbell, &mut analyzed_at)).await,
        });
    }
}

enum Duty {
    Often,
    Seldom,
}

/// Waits until it is told to stop, or until nobody is left who could tell.
async fn told_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Takes back jobs of workers that are gone, and lets due jobs join their lines.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep_often(store: &Store, doorbell: &Doorbell) -> Result<(), StoreError> {
    while rescue(store, doorbell).await? >= BITE {}
    sweep_but_leases(store, doorbell).await
}

/// The rest of what is done often: what takes nothing away from anybody.
async fn sweep_but_leases(store: &Store, doorbell: &Doorbell) -> Result<(), StoreError> {
    while join(store, doorbell).await? >= BITE {}
    // While a gate is closed only connection checks pass, and the doorbell's picks do not see those.
    doorbell.ring(&store.pick_checks().await?).await;
    Ok(())
}

/// Leases are counted by the database's clock. When that was moved, they have not ended for it: those who
/// hold them get as long as the longest lease to finish.
fn longest_lease(store: &Store) -> Duration {
    let leases = JobKind::ALL.into_iter().map(JobKind::lease);
    store.pace().of(leases.max().unwrap_or_default())
}

/// What is done often, as far as the clock can be relied on.
async fn sweep_by(
    store: &Store,
    doorbell: &Doorbell,
    steady: &mut Steady,
    begun: Instant,
) -> Result<(), StoreError> {
    if clock_is_right(store, steady, begun).await? {
        sweep_often(store, doorbell).await
    } else {
        sweep_but_leases(store, doorbell).await
    }
}

async fn clock_is_right(
    store: &Store,
    steady: &mut Steady,
    begun: Instant,
) -> Result<bool, StoreError> {
    let doubted = steady.doubts();
    let right = steady.relies_on(store.wall_clock().await?, begun.elapsed());
    if !right && !doubted {
        tracing::warn!("The database's clock was moved; no lease is taken as ended for a while");
    }
    Ok(right)
}

/// One bite of leases that ended; how many there were.
async fn rescue(store: &Store, doorbell: &Doorbell) -> Result<u64, StoreError> {
    let swept = store.rescue(BITE).await?;
    if swept.rescued > 0 {
        tracing::warn!(
            rescued = swept.rescued,
            parked = swept.parked.len(),
            "Took back {} job(s) whose worker is gone",
            swept.rescued
        );
        metrics::counter!("hostler_rescued_total").increment(swept.rescued as u64);
    }
    doorbell.ring(&swept.rings).await;
    doorbell.announce(&swept.parked).await;
    Ok(swept.rescued as u64)
}

/// One bite of scheduled jobs that are due; how many there were.
async fn join(store: &Store, doorbell: &Doorbell) -> Result<u64, StoreError> {
    let swept = store.join_lines(BITE).await?;
    doorbell.ring(&swept.rings).await;
    Ok(swept.joined as u64)
}

/// Mends lines, wipes secrets that ended, and refreshes the planner's statistics after growth.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep_seldom(
    store: &Store,
    doorbell: &Doorbell,
    analyzed_at: &mut i64,
) -> Result<(), StoreError> {
    let mended = store.repair().await?;
    if !mended.is_empty() {
        tracing::error!(
            lines = mended.len(),
            "Mended lines that had no head; please report this"
        );
        doorbell.ring(&mended).await;
    }
    store.wipe_expired_secrets().await?;
    let newest = newest_job(store).await?;
    if has_grown(*analyzed_at, newest) {
        store.analyze().await?;
        *analyzed_at = newest;
    }
    Ok(())
}

fn has_grown(analyzed_at: i64, newest: i64) -> bool {
    newest > SMALL && newest / GROWTH >= analyzed_at
}

async fn newest_job(store: &Store) -> Result<i64, StoreError> {
    let filter = jobs::store::JobFilter {
        limit: 1,
        ..jobs::store::JobFilter::default()
    };
    let newest = store.jobs(&filter).await?;
    Ok(newest.first().map_or(0, |job| job.id))
}

/// Says once that the database is away, and once that it is back.
#[derive(Default)]
struct Trouble {
    away: bool,
}

impl Trouble {
    fn note(&mut self, swept: Result<(), StoreError>) {
        match swept {
            Ok(()) if self.away => {
                self.away = false;
                tracing::info!("The sweeps run again");
            }
            Ok(()) => {}
            Err(error) if !self.away => {
                self.away = true;
                tracing::warn!(%error, "The sweeps pause until the database answers");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_refreshed_after_growth_only() {
        assert!(!has_grown(0, 500) && has_grown(0, 501));
        assert!(!has_grown(501, 2_000) && has_grown(501, 2_004));
    }
}
