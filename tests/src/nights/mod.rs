//! Drives made-up nights through the real worker on SQLite, and compares its books with the ideal observer's
//! after every night.
//!
//! The worker's own tests include this file too (there, mistakes in the arithmetic can be turned on).
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking; where this is a test's own module nothing is to be expected"
)]

mod stage;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::observer::draw::World;
use crate::observer::{Counter, Observer};
use stage::Stage;

/// Nights of a sequence.
pub const NIGHTS: u32 = 60;

/// What a run of sequences saw.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Sequences.
    pub sequences: u64,
    /// Nights in all.
    pub nights: u64,
    /// Accounts' months that were compared at the end.
    pub months: u64,
    /// Lines of the ledger that `verify` went through.
    pub bookings: u64,
    /// Bytes booked in all.
    pub bytes: i128,
    /// What went wrong on purpose, how often.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.sequences += other.sequences;
        self.nights += other.nights;
        self.months += other.months;
        self.bookings += other.bookings;
        self.bytes += other.bytes;
        for (fault, many) in other.faults {
            *self.faults.entry(fault).or_default() += many;
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let faults: u64 = self.faults.values().sum();
        write!(
            f,
            "{} sequences, {} nights, {} months, {} bookings, {} bytes; {faults} faults of {} kinds",
            self.sequences,
            self.nights,
            self.months,
            self.bookings,
            self.bytes,
            self.faults.len()
        )
    }
}

/// Where the books first differed.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What the sequence was drawn from.
    pub seed: u64,
    /// The night, from 1.
    pub night: u32,
    /// What differs.
    pub what: String,
}

/// One sequence.
///
/// # Errors
/// Where the books differ.
pub async fn sequence(template: &[u8], seed: u64) -> Result<Seen, Difference> {
    let (mut world, known) = World::new(seed);
    let mut observer = Observer::new(world.counter);
    let mut stage = Stage::open(template, world.counter).await;
    for event in &known {
        observer.see(event);
        stage.play(event).await;
    }
    let wrong = |night, what| Difference { seed, night, what };
    let mut story = Vec::new();
    for night in 1..=NIGHTS {
        stage.next_night();
        let events = world.night();
        for event in &events {
            let may_be = observer.see(event);
            let was_done = stage.play(event).await;
            if may_be != was_done {
                let what = format!("{event:?}: done = {was_done}, must be {may_be}");
                return Err(wrong(night, what));
            }
        }
        story.push(events);
        stage.compare(&observer).await.map_err(|what| {
            let last = story.iter().rev().take(2).rev();
            let last: Vec<String> = last.flatten().map(|event| format!("  {event:?}")).collect();
            wrong(night, format!("{what}\n{}", last.join("\n")))
        })?;
    }
    is_bounded(&world, &observer).map_err(|what| wrong(NIGHTS, what))?;
    let verified = stage.verify().await.map_err(|what| wrong(NIGHTS, what))?;
    Ok(Seen {
        sequences: 1,
        nights: u64::from(NIGHTS),
        months: verified.months,
        bookings: verified.bookings,
        bytes: observer.expected().map(|(_, book)| book.total).sum(),
        faults: world.faults,
    })
}

/// Never more is booked than really flowed, but for what people added by hand.
fn is_bounded(world: &World, observer: &Observer) -> Result<(), String> {
    let mut booked: BTreeMap<(usize, Option<(i32, u32)>), i128> = BTreeMap::new();
    for ((account, month), book) in observer.expected() {
        // A running counter does not tell on which side of midnight it grew.
        let month = (world.counter == Counter::MonthTotal).then_some(month);
        *booked.entry((account, month)).or_default() += book.total - book.by_hand;
    }
    for ((account, month), bytes) in booked {
        let flowed = world.flowed(account).iter();
        let flowed = flowed.filter(|(of, _)| month.is_none_or(|month| month == **of));
        let flowed: i128 = flowed.map(|(_, bytes)| i128::from(*bytes)).sum();
        if bytes > flowed {
            return Err(format!(
                "account {account} {month:?}: {bytes} booked, only {flowed} flowed"
            ));
        }
    }
    Ok(())
}

/// Sequences `seed`, `seed + 1`, ... on so many threads, until one differs. `begin` runs on each thread first.
///
/// # Errors
/// The first difference that a thread found.
pub fn sequences(
    seed: u64,
    many: u64,
    threads: usize,
    begin: impl Fn() + Sync,
) -> Result<Seen, Difference> {
    let template = template();
    let next = AtomicU64::new(0);
    let work = || {
        begin();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut seen = Seen::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= many {
                return Ok(seen);
            }
            let seed = seed + number;
            let run = || runtime.block_on(sequence(template, seed));
            match catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked(seed))) {
                Ok(one) => seen.add(one),
                Err(difference) => {
                    next.store(many, Ordering::Relaxed);
                    return Err(difference);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut seen = Seen::default();
        for thread in threads {
            seen.add(thread.join().expect("no thread panics")?);
        }
        Ok(seen)
    })
}

/// A sequence that does not come to its end differs too.
fn panicked(seed: u64) -> Difference {
    Difference {
        seed,
        night: 0,
        what: "it panicked, as printed above".to_owned(),
    }
}

/// An empty installation's file.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(stage::template())
    })
}
