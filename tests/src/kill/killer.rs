//! Who is killed, and when.

#![expect(
    clippy::disallowed_methods,
    reason = "a kill comes at a random moment, which is a random wait; this is no test"
)]

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use entity::job;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rand::rngs::StdRng;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use tokio::sync::Semaphore;

use super::draw;
use crate::field::{Field, Part, Process};

/// Requests that may be sent before the first kill.
const AHEAD: usize = 20;
/// Requests that end the last lives beyond the number that was asked for.
const ALSO: usize = 100;
/// Jobs that may wait at one time: clients that ask faster than a crew that is killed all the time can work
/// would only show how long a queue can get.
const WAITING: u64 = 300;
/// When nothing happens for so long, the next kill comes anyway.
const LONGEST_PAUSE: Duration = Duration::from_millis(1500);

/// How far the clients have come. They are let on with the kills, so that both end together.
#[derive(Debug)]
pub(super) struct Progress {
    answers: AtomicUsize,
    all_asked: AtomicBool,
    permits: Semaphore,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            answers: AtomicUsize::new(0),
            all_asked: AtomicBool::new(false),
            permits: Semaphore::new(AHEAD),
        }
    }
}

impl Progress {
    pub(super) async fn may_ask(&self) {
        let permit = self.permits.acquire().await;
        permit.expect("it is never closed").forget();
    }

    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn all_is_asked(&self) {
        self.all_asked.store(true, Ordering::Relaxed);
    }

    /// Answers and side effects so far.
    fn events(&self, field: &Field) -> usize {
        let done = field.servers.iter().map(|server| server.panel.effects());
        self.answers.load(Ordering::Relaxed) + done.sum::<usize>()
    }
}

/// The processes; none while one starts.
#[derive(Debug)]
pub(super) struct Crew {
    places: Vec<(Part, Option<Process>)>,
}

impl Crew {
    pub(super) async fn start(field: &Field, parts: Vec<Part>) -> Self {
        let mut places = Vec::new();
        for part in parts {
            places.push((part, Some(field.start(part, &[]).await)));
        }
        Self { places }
    }

    /// Kills so many, each after some progress and some microseconds, and starts another in its place,
    /// while the others go on. Returns how many of each part it were.
    pub(super) async fn kill(
        &mut self,
        field: &Field,
        kills: usize,
        jobs: usize,
        progress: &Progress,
        chance: &mut StdRng,
    ) -> BTreeMap<Part, usize> {
        let mut killed = BTreeMap::new();
        let mut starting = FuturesUnordered::new();
        let share = jobs.saturating_sub(AHEAD) / kills.max(1) + 1;
        for _ in 0..kills {
            while waiting(field).await > WAITING {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            progress.permits.add_permits(share);
            let wanted = draw(chance, 1, share as u64 * 2);
            let after = Duration::from_micros(draw(chance, 0, 20_000));
            let which = draw(chance, 0, u64::from(u32::MAX));
            let mut pause = pin!(async {
                wait_for(field, progress, usize::try_from(wanted).unwrap_or(1)).await;
                tokio::time::sleep(after).await;
            });
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some((place, process)) = starting.next() => self.stand(place, process),
                }
            }
            let ready = |crew: &Self| -> Vec<usize> {
                let places = crew.places.iter().enumerate();
                let ready = places.filter(|(_, (_, process))| process.is_some());
                ready.map(|(place, _)| place).collect()
            };
            if ready(self).is_empty()
                && let Some((place, process)) = starting.next().await
            {
                self.stand(place, process);
            }
            let ready = ready(self);
            let place = ready[usize::try_from(which).unwrap_or(0) % ready.len()];
            let (part, process) = &mut self.places[place];
            let part = *part;
            if let Some(mut process) = process.take() {
                field.kill(&mut process).await;
                *killed.entry(part).or_default() += 1;
            }
            starting.push(async move { (place, field.start(part, &[]).await) });
        }
        while let Some((place, process)) = starting.next().await {
            self.stand(place, process);
        }
        progress.permits.add_permits(jobs + ALSO);
        killed
    }

    fn stand(&mut self, place: usize, process: Process) {
        self.places[place].1 = Some(process);
    }

    pub(super) async fn stop(&mut self) {
        for process in self
            .places
            .iter_mut()
            .filter_map(|(_, process)| process.as_mut())
        {
            process.stop().await;
        }
    }
}

/// Jobs that have not come to rest.
async fn waiting(field: &Field) -> u64 {
    let open = ["queued", "retrying", "running"];
    job::Entity::find()
        .filter(job::Column::State.is_in(open))
        .count(field.sql())
        .await
        .unwrap_or(0)
}

/// Waits until so much more has happened.
async fn wait_for(field: &Field, progress: &Progress, more: usize) {
    let (begun, before) = (Instant::now(), progress.events(field));
    let mut look = tokio::time::interval(Duration::from_micros(500));
    while progress.events(field) < before + more && begun.elapsed() < LONGEST_PAUSE {
        look.tick().await;
    }
}
