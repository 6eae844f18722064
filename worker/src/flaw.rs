//! Mistakes in the arithmetic of traffic, made on purpose to see whether the ideal observer misses them.
//!
//! They exist only in this crate's own tests, which turn one on for their thread: in every other build
//! [`Flaw::is_on`] is `false`, and known to the compiler to be. They are no seeded bugs of a process
//! (`jobs::faults`), because a night of thousands that is drawn is too short for a process of its own.

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// After a reset the whole figure is booked, though the counter does not restart from zero.
    ResetIsCounted,
    /// A counter that corrected itself a little is taken for one that began anew.
    CorrectionIsReset,
    /// A month's figure that went down is booked.
    DropIsBooked,
    /// What is new in a month is told from the last figure, not from what is booked.
    DeltaOfLastFigure,
    /// What the panel did not tell is taken for zero.
    UnknownIsZero,
    /// What comes late is booked into the closed month.
    LateIsBooked,
    /// A report that was overtaken is taken for the newest.
    OvertakenIsNewest,
    /// A new month begins in epoch 0.
    EpochIsLost,
    /// A new month knows nothing of where the counter stood.
    FigureIsLost,
    /// Rows that contradict each other are both booked.
    ConflictsAreBelieved,
    /// An account that was made again gets the rows for the first one of its name.
    NamesakeInherits,
    /// The next night books again what an operator took away, or flags what he added.
    CorrectionLost,
    /// No figure is too large.
    AnythingIsPlausible,
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Flaw>> = const { std::cell::Cell::new(None) };
}

impl Flaw {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Flaw; 13] = [
        Flaw::ResetIsCounted,
        Flaw::CorrectionIsReset,
        Flaw::DropIsBooked,
        Flaw::DeltaOfLastFigure,
        Flaw::UnknownIsZero,
        Flaw::LateIsBooked,
        Flaw::OvertakenIsNewest,
        Flaw::EpochIsLost,
        Flaw::FigureIsLost,
        Flaw::ConflictsAreBelieved,
        Flaw::NamesakeInherits,
        Flaw::CorrectionLost,
        Flaw::AnythingIsPlausible,
    ];

    /// This thread makes that mistake from now on.
    #[cfg(test)]
    pub(crate) fn set(flaw: Option<Flaw>) {
        ON.set(flaw);
    }

    /// Whether this thread makes it.
    #[cfg(test)]
    pub(crate) fn is_on(self) -> bool {
        ON.get() == Some(self)
    }

    /// Whether this thread makes it: no.
    #[cfg(not(test))]
    #[inline(always)]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nights::sequences;

    const SEED: u64 = 1;

    /// So many are drawn here, where a mistake can be made. `scripts/test` has `hostler-tests traffic` draw many
    /// more, by a build that is optimized.
    const SEQUENCES: u64 = 40;

    /// Among so many a mistake is found; the next is looked for then.
    const AT_MOST: u64 = 100;

    fn threads() -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    #[test]
    fn sequences_of_nights_are_booked_as_an_ideal_observer_would() {
        let seen = sequences(SEED, SEQUENCES, threads(), || Flaw::set(None));
        let seen = seen.unwrap_or_else(|wrong| {
            panic!("seed {} night {}: {}", wrong.seed, wrong.night, wrong.what)
        });
        println!("{seen}\n{:?}", seen.faults);
        assert_eq!(seen.sequences, SEQUENCES);
        assert!(seen.faults.len() >= 20, "{:?}", seen.faults);
    }

    #[test]
    fn every_mistake_in_the_arithmetic_is_found() {
        let mut found = 0;
        for flaw in Flaw::ALL {
            match sequences(SEED, AT_MOST, threads(), || Flaw::set(Some(flaw))) {
                Ok(_) => println!("{flaw:?}: not found"),
                Err(wrong) => {
                    found += 1;
                    println!("{flaw:?}: seed {} night {}", wrong.seed, wrong.night);
                }
            }
        }
        println!("{found} of {} found", Flaw::ALL.len());
        assert_eq!(found, Flaw::ALL.len());
    }
}
