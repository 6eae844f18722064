//! Compared with a reference model that knows the true bytes.

use proptest::prelude::*;

use super::*;

fn bytes(n: u64) -> Bytes {
    Bytes::new(n).unwrap()
}

const RESTARTS: Counter = Counter::Running {
    restarts_from_zero: true,
};
const UNSURE: Counter = Counter::Running {
    restarts_from_zero: false,
};

fn all(counter: Counter, from: Standing, raws: &[u64]) -> (Standing, Vec<u64>) {
    let mut standing = from;
    let mut deltas = Vec::new();
    for raw in raws {
        let booking = book(counter, &standing, bytes(*raw), Age::Newest);
        deltas.push(booking.delta.get());
        standing = booking.after;
    }
    (standing, deltas)
}

#[test]
fn a_months_figure_that_drops_books_nothing_and_is_flagged() {
    let (standing, deltas) = all(Counter::MonthTotal, Standing::default(), &[100, 60, 90]);
    assert_eq!(deltas, [100, 0, 0]);
    assert_eq!(standing.total, bytes(100));
    assert_eq!(standing.flag, Some(Flag::Drop));
    assert_eq!(standing.flagged_raw, Some(bytes(90)));
    let (standing, deltas) = all(Counter::MonthTotal, standing, &[130]);
    assert_eq!((deltas.as_slice(), standing.flag), ([30].as_slice(), None));
}

#[test]
fn a_running_counter_that_falls_by_less_than_a_hundredth_was_corrected() {
    let (standing, deltas) = all(RESTARTS, Standing::default(), &[500, 1000, 991, 999, 1010]);
    assert_eq!(deltas, [0, 500, 0, 0, 10]);
    assert_eq!((standing.epoch, standing.resets), (0, 0));
    let (standing, deltas) = all(RESTARTS, Standing::default(), &[1000, 990, 1000]);
    assert_eq!(deltas, [0, 990, 10], "a hundredth is a reset");
    assert_eq!((standing.epoch, standing.resets), (1, 1));
}

#[test]
fn a_running_counter_that_drops_begins_a_new_epoch() {
    let (standing, deltas) = all(RESTARTS, Standing::default(), &[500, 700, 50, 80]);
    assert_eq!(deltas, [0, 200, 50, 30]);
    assert_eq!((standing.epoch, standing.resets), (1, 1));
    let (standing, deltas) = all(UNSURE, Standing::default(), &[500, 700, 50, 80]);
    assert_eq!(deltas, [0, 200, 0, 30]);
    assert_eq!(standing.total, bytes(230));
}

#[test]
fn what_no_line_can_carry_is_flagged_and_not_booked() {
    let too_much = IMPLAUSIBLE.get() + 1;
    let (standing, deltas) = all(
        Counter::MonthTotal,
        Standing::default(),
        &[10, too_much, 20],
    );
    assert_eq!(deltas, [10, 0, 10]);
    assert_eq!(standing.flag, None, "the next figure was right again");
    let (standing, deltas) = all(RESTARTS, Standing::default(), &[10, too_much * 2, 20]);
    assert_eq!(deltas, [0, 0, 10]);
    assert_eq!(standing.flag, Some(Flag::Implausible));
}

#[test]
fn a_closed_month_keeps_its_total() {
    let closed = Standing {
        total: bytes(100),
        last_raw: Some(bytes(100)),
        closed: true,
        ..Standing::default()
    };
    let (standing, deltas) = all(Counter::MonthTotal, closed.clone(), &[130, 120, 130, 90]);
    assert_eq!(deltas, [0, 0, 0, 0]);
    assert_eq!((standing.total, standing.late), (bytes(100), bytes(30)));
    // An operator may take the last one for true, as in an open month.
    assert_eq!(
        (standing.flag, standing.flagged_raw),
        (Some(Flag::Drop), Some(bytes(90)))
    );
    let (standing, _) = all(RESTARTS, closed, &[130, 140]);
    assert_eq!((standing.total, standing.late), (bytes(100), bytes(40)));
}

/// What happens between two readings.
#[derive(Debug, Clone)]
enum Night {
    /// Traffic, read once or more often.
    Traffic { bytes: u64, reads: u8 },
    /// The counter is set back to zero, then traffic.
    Reset { bytes: u64 },
    /// The panel gives a figure that is too small, for one reading.
    Short { by: u64 },
}

fn nights() -> impl Strategy<Value = Vec<Night>> {
    let night = prop_oneof![
        4 => (0..1_u64 << 40, 1..4_u8).prop_map(|(bytes, reads)| Night::Traffic { bytes, reads }),
        1 => (0..1_u64 << 30).prop_map(|bytes| Night::Reset { bytes }),
        1 => (1..1_u64 << 30).prop_map(|by| Night::Short { by }),
    ];
    proptest::collection::vec(night, 0..60)
}

proptest! {
    /// The reference knows the true month; short figures must neither lose nor double a byte.
    #[test]
    fn a_month_total_ends_at_the_largest_true_figure(nights in nights()) {
        let (mut truth, mut largest, mut booked) = (0_u64, 0_u64, 0_u64);
        let mut standing = Standing::default();
        for night in nights {
            let (raw, reads) = match night {
                Night::Traffic { bytes, reads } => { truth += bytes; (truth, reads) }
                Night::Reset { bytes } => { truth = bytes; (truth, 1) }
                Night::Short { by } => (truth.saturating_sub(by), 1),
            };
            for _ in 0..reads {
                largest = largest.max(raw);
                let booking = book(Counter::MonthTotal, &standing, bytes(raw), Age::Newest);
                booked += booking.delta.get();
                standing = booking.after;
                prop_assert_eq!(standing.total.get(), booked);
                prop_assert_eq!(standing.total.get(), largest);
                prop_assert_eq!(standing.flag == Some(Flag::Drop), raw < largest);
            }
        }
    }

    /// The reference counts true bytes; a counter that restarts loses only what passed unread before
    /// the reset (none here), and a reset that the next figure hides is no drop.
    #[test]
    fn a_running_counter_books_every_byte_that_it_showed(start in 0..1_u64 << 50, nights in nights()) {
        let (mut counter, mut expected, mut resets) = (start, 0_u64, 0);
        let mut standing = book(RESTARTS, &Standing::default(), bytes(start), Age::Newest).after;
        // How far the counting has come.
        let mut mark = start;
        let mut booked = 0_u64;
        for night in nights {
            let reads = match night {
                Night::Traffic { bytes, reads } => { counter += bytes; reads }
                Night::Reset { bytes } => { counter = bytes; 1 }
                Night::Short { .. } => 1,
            };
            let is_corrected = counter < mark && u128::from(mark - counter) * 100 < u128::from(mark);
            if !is_corrected {
                resets += i32::from(counter < mark);
                expected += if counter < mark { counter } else { counter - mark };
                mark = counter;
            }
            for _ in 0..reads {
                let booking = book(RESTARTS, &standing, bytes(counter), Age::Newest);
                booked += booking.delta.get();
                standing = booking.after;
            }
            prop_assert_eq!(standing.total.get(), booked);
            prop_assert_eq!(booked, expected);
            prop_assert_eq!(standing.resets, resets);
        }
    }

    #[test]
    fn no_figure_ever_lowers_a_total(
        counter in prop_oneof![Just(Counter::MonthTotal), Just(RESTARTS), Just(UNSURE)],
        closed in any::<bool>(),
        raws in proptest::collection::vec(0..=i64::MAX as u64, 0..40),
    ) {
        let mut standing = Standing { closed, ..Standing::default() };
        for raw in raws {
            let booking = book(counter, &standing, bytes(raw), Age::Newest);
            prop_assert_eq!(booking.after.total.checked_sub(standing.total), Some(booking.delta));
            prop_assert!(booking.delta <= IMPLAUSIBLE);
            prop_assert!(!closed || booking.delta == Bytes::ZERO);
            standing = booking.after;
        }
    }

    /// Figures that come again, out of order and late, between the nights change nothing.
    #[test]
    fn a_figure_that_was_overtaken_neither_resets_nor_drops(
        counter in prop_oneof![Just(Counter::MonthTotal), Just(RESTARTS), Just(UNSURE)],
        grown in proptest::collection::vec((0..1_u64 << 40, any::<prop::sample::Index>()), 1..40),
    ) {
        let (mut standing, mut alone) = (Standing::default(), Standing::default());
        let (mut counted, mut seen) = (0, Vec::new());
        for (more, which) in grown {
            counted += more;
            seen.push(counted);
            alone = book(counter, &alone, bytes(counted), Age::Newest).after;
            standing = book(counter, &standing, bytes(counted), Age::Newest).after;
            let late = book(counter, &standing, bytes(*which.get(&seen)), Age::Overtaken);
            prop_assert_eq!(late.delta, Bytes::ZERO);
            standing = late.after;
            prop_assert_eq!(&standing, &alone);
        }
        prop_assert_eq!((standing.resets, standing.flag), (0, None));
    }
}
