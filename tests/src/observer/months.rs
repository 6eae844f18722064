//! One account's month as it must be.

use super::LINE;

/// Where a running counter stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) last: i128,
    /// In all its life.
    pub(super) resets: i32,
}

/// What an operator should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The month's figure went down, to that.
    Drop(i128),
    /// It cannot be true.
    Implausible,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) figure: Figure,
    pub(super) closed: bool,
    /// Counted by the panel and booked.
    counted: i128,
    by_hand: i128,
    late: i128,
    resets_here: i32,
    accepted_drops: i32,
    flag: Option<Flag>,
}

/// What must stand in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The bill's figure.
    pub total: i128,
    /// What of it people have added.
    pub by_hand: i128,
    /// Not booked, because the month was closed.
    pub late: i128,
    /// Resets in this month.
    pub resets: i32,
    /// Resets in the counter's whole life, and accepted drops of the month.
    pub epoch: i32,
    /// Whether it is closed.
    pub closed: bool,
    /// What to look at.
    pub flag: Option<Flag>,
}

impl From<Figure> for Book {
    fn from(figure: Figure) -> Self {
        Self {
            figure,
            ..Self::default()
        }
    }
}

impl Book {
    pub(super) fn month_total(&mut self, raw: i128, is_stale: bool) {
        if is_stale && (raw < self.counted || self.accepted_drops > 0) {
            return;
        }
        if raw > LINE {
            self.flag = Some(Flag::Implausible);
        } else if raw < self.counted {
            self.flag = Some(Flag::Drop(raw));
        } else {
            self.flag = None;
            let more = raw - self.counted;
            if self.closed {
                self.late = self.late.max(more);
            } else {
                self.counted += more;
            }
        }
    }

    pub(super) fn running(&mut self, raw: i128, from_zero: bool, is_stale: bool) {
        if is_stale {
            return;
        }
        let fall = self.figure.last - raw;
        if from_zero && fall > 0 && fall * 100 < self.figure.last {
            return;
        }
        let is_reset = fall > 0;
        let more = match (is_reset, from_zero) {
            (false, _) => raw - self.figure.last,
            (true, true) => raw,
            (true, false) => 0,
        };
        if more > LINE {
            self.flag = Some(Flag::Implausible);
            return;
        }
        self.figure.last = raw;
        self.figure.resets += i32::from(is_reset);
        self.resets_here += i32::from(is_reset);
        if self.closed {
            self.late += more;
        } else {
            self.counted += more;
        }
    }

    pub(super) fn correct(&mut self, bytes: i64) -> bool {
        let right = bytes != 0 && self.counted + self.by_hand + i128::from(bytes) >= 0;
        if right {
            self.by_hand += i128::from(bytes);
        }
        right
    }

    pub(super) fn accept(&mut self) -> bool {
        match self.flag {
            Some(Flag::Drop(raw)) if raw + self.by_hand >= 0 => {
                self.counted = raw;
                self.late = 0;
                self.flag = None;
                self.accepted_drops += 1;
                true
            }
            Some(Flag::Drop(_)) => false,
            _ if self.closed && self.late > 0 => {
                self.counted += std::mem::take(&mut self.late);
                true
            }
            _ => false,
        }
    }

    pub(super) fn reopen(&mut self) {
        self.closed = false;
        self.counted += std::mem::take(&mut self.late);
    }

    pub(super) fn expected(&self) -> Expected {
        Expected {
            total: self.counted + self.by_hand,
            by_hand: self.by_hand,
            late: self.late,
            resets: self.resets_here,
            epoch: self.figure.resets + self.accepted_drops,
            closed: self.closed,
            flag: self.flag,
        }
    }
}
