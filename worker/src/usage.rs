//! The arithmetic of traffic: what a reading adds to a month. Pure.
//!
//! The sum of the booked deltas is always the month's total, and no delta is negative.

use hosting::Bytes;
use jobs::faults::Bug;
use panels::Counter;

use crate::flaw::Flaw;

/// More than a 100 Gbit/s line carries in 31 days: such a figure is flagged, not booked.
pub const IMPLAUSIBLE: Bytes = match Bytes::new(33_500_000_000_000_000) {
    Some(bytes) => bytes,
    None => Bytes::MAX,
};

/// A month of one account as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The sum of what was booked.
    pub total: Bytes,
    /// What of it operators have added by hand; less than zero: taken away.
    pub corrected: i64,
    /// The panel's last figure; `None` = there was none (of a running counter: in no month).
    pub last_raw: Option<Bytes>,
    /// Grows with every reset of a running counter, and with every drop that an operator accepts.
    pub epoch: i32,
    /// How many resets there were in this month.
    pub resets: i32,
    /// What an operator should look at.
    pub flag: Option<Flag>,
    /// The figure that was flagged.
    pub flagged_raw: Option<Bytes>,
    /// What came after the month was closed, not booked.
    pub late: Bytes,
    /// Whether the month is closed.
    pub closed: bool,
}

impl Standing {
    /// What of the total the panel has counted.
    fn of_the_panel(&self) -> Bytes {
        if Flaw::CorrectionLost.is_on() {
            return self.total;
        }
        let bytes = self.total.as_i64().saturating_sub(self.corrected);
        Bytes::from_i64(bytes).unwrap_or_default()
    }
}

/// What an operator should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The panel's figure of the month went down.
    Drop,
    /// The figure cannot be true.
    Implausible,
    /// The account was terminated without a last reading.
    MissingFinal,
}

impl Flag {
    /// As the column holds it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Flag::Drop => "drop",
            Flag::Implausible => "implausible",
            Flag::MissingFinal => "missing_final",
        }
    }

    /// From the column.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Flag::Drop, Flag::Implausible, Flag::MissingFinal]
            .into_iter()
            .find(|flag| flag.name() == name)
    }
}

/// What is remarkable about one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Nothing.
    None,
    /// The month's figure went down, or a running counter's a little; nothing was booked.
    Drop,
    /// A running counter began anew.
    Reset,
    /// It cannot be true; nothing was booked.
    Implausible,
    /// The month is closed; it is kept as late.
    ClosedMonth,
    /// A newer figure was booked meanwhile; this one says nothing.
    Overtaken,
}

/// Whether the figure is newer than what is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It was asked for after the last one had come.
    Newest,
    /// Another one came since it was asked for: it may be the older of the two, and its being smaller is
    /// no sign of anything.
    Overtaken,
}

/// What a reading does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The month afterwards.
    pub after: Standing,
    /// What is booked now.
    pub delta: Bytes,
    /// What is remarkable about it.
    pub remark: Remark,
}

/// What the panel's figure `raw` does to a month.
#[must_use]
pub fn book(counter: Counter, before: &Standing, raw: Bytes, age: Age) -> Booking {
    match (counter, age) {
        (_, Age::Overtaken) if Flaw::OvertakenIsNewest.is_on() => {
            book(counter, before, raw, Age::Newest)
        }
        // A month only grows, so a larger figure is right whenever it was read, unless one was accepted as
        // too large: then it may be that one.
        (Counter::MonthTotal, Age::Overtaken)
            if raw < before.of_the_panel() || before.epoch > 0 =>
        {
            overtaken(before)
        }
        (Counter::MonthTotal, _) => month_total(before, raw),
        // From a figure of before a reset that is booked already, the growth cannot be told.
        (Counter::Running { .. }, Age::Overtaken) => overtaken(before),
        (Counter::Running { restarts_from_zero }, Age::Newest) => {
            running(before, raw, restarts_from_zero)
        }
    }
}

/// The figure is the month's: booked is the largest that was seen.
fn month_total(before: &Standing, raw: Bytes) -> Booking {
    if raw > IMPLAUSIBLE && !Flaw::AnythingIsPlausible.is_on() {
        return implausible(before, raw);
    }
    let mut after = Standing {
        last_raw: Some(raw),
        ..before.clone()
    };
    let booked = if Bug::DeltaTwice.is_on() {
        Bytes::ZERO
    } else if Flaw::DeltaOfLastFigure.is_on() {
        before.last_raw.unwrap_or_default()
    } else {
        before.of_the_panel()
    };
    let Some(delta) = raw.checked_sub(booked) else {
        after.flag = Some(Flag::Drop);
        after.flagged_raw = Some(raw);
        if Flaw::DropIsBooked.is_on() {
            after.total = before.total.checked_add(raw).unwrap_or(before.total);
            return done(after, raw, Remark::Drop);
        }
        let remark = if before.closed {
            Remark::ClosedMonth
        } else {
            Remark::Drop
        };
        return done(after, Bytes::ZERO, remark);
    };
    // The figure has come back to what was booked: nothing is wrong any more.
    if before.flag == Some(Flag::Drop) || before.flag == Some(Flag::Implausible) {
        after.flag = None;
        after.flagged_raw = None;
    }
    if before.closed && !Flaw::LateIsBooked.is_on() {
        after.late = before.late.max(delta);
        let remark = if delta == Bytes::ZERO {
            Remark::None
        } else {
            Remark::ClosedMonth
        };
        return done(after, Bytes::ZERO, remark);
    }
    match before.total.checked_add(delta) {
        Some(total) => {
            after.total = total;
            done(after, delta, Remark::None)
        }
        None => implausible(before, raw),
    }
}

/// The figure runs on over the months: booked is what it grew by.
fn running(before: &Standing, raw: Bytes, restarts_from_zero: bool) -> Booking {
    let mut after = Standing {
        last_raw: Some(raw),
        ..before.clone()
    };
    let (delta, remark) = match before.last_raw.map(|last| raw.checked_sub(last)) {
        None if raw > IMPLAUSIBLE => return implausible(before, raw),
        // Nobody knows since when it has counted: the first figure is where counting begins.
        None => (Bytes::ZERO, Remark::None),
        Some(Some(grown)) => (grown, Remark::None),
        // It goes on from where it was before: what it grows by up to there has been booked.
        Some(None) if restarts_from_zero && is_correction(before, raw) => {
            return done(before.clone(), Bytes::ZERO, Remark::Drop);
        }
        Some(None) => {
            after.epoch = before.epoch.saturating_add(1);
            after.resets = before.resets.saturating_add(1);
            let counted = if restarts_from_zero || Flaw::ResetIsCounted.is_on() {
                raw
            } else {
                Bytes::ZERO
            };
            (counted, Remark::Reset)
        }
    };
    if delta > IMPLAUSIBLE && !Flaw::AnythingIsPlausible.is_on() {
        return implausible(before, raw);
    }
    if before.closed && !Flaw::LateIsBooked.is_on() {
        let late = before.late.checked_add(delta);
        after.late = late.unwrap_or(before.late);
        let remark = match remark {
            Remark::None if delta > Bytes::ZERO => Remark::ClosedMonth,
            other => other,
        };
        return done(after, Bytes::ZERO, remark);
    }
    match before.total.checked_add(delta) {
        Some(total) => {
            after.total = total;
            done(after, delta, remark)
        }
        None => implausible(before, raw),
    }
}

/// A counter that begins anew from zero does not show nearly what it did: a fall of less than a hundredth is the
/// panel correcting itself. Where it begins anew somewhere else, nothing is booked of a fall in any case.
fn is_correction(before: &Standing, raw: Bytes) -> bool {
    let last = before.last_raw.unwrap_or_default().get();
    let fallen = last.saturating_sub(raw.get());
    u128::from(fallen) * 100 < u128::from(last) && !Flaw::CorrectionIsReset.is_on()
}

fn overtaken(before: &Standing) -> Booking {
    done(before.clone(), Bytes::ZERO, Remark::Overtaken)
}

fn implausible(before: &Standing, raw: Bytes) -> Booking {
    let after = Standing {
        flag: Some(Flag::Implausible),
        flagged_raw: Some(raw),
        ..before.clone()
    };
    done(after, Bytes::ZERO, Remark::Implausible)
}

fn done(after: Standing, delta: Bytes, remark: Remark) -> Booking {
    Booking {
        after,
        delta,
        remark,
    }
}

#[cfg(test)]
mod tests;
