//! Nights that are made up: a few accounts on a panel, what really flows, and what goes wrong.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Counter, Event, Month, Row};

/// An account as the panel has it.
#[derive(Debug)]
struct Account {
    login: String,
    domain: String,
    /// What really flowed.
    flowed: BTreeMap<Month, u64>,
    /// What the panel has forgotten of it, of a month.
    forgotten: BTreeMap<Month, u64>,
    /// A running counter's figure.
    running: u64,
    /// Moved away, terminated, or deleted.
    gone: bool,
    /// The panel goes on to report it as deleted, in the months in which something flowed.
    remembered: bool,
}

/// One made-up installation.
#[derive(Debug)]
pub struct World {
    chance: StdRng,
    /// How its panel counts.
    pub counter: Counter,
    accounts: Vec<Account>,
    date: NaiveDate,
    /// The closed month that will be opened again, and closed again.
    reopened: Option<Month>,
    /// How often what went wrong.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The first night: in the middle of a month, so that 60 nights see two or three turn.
pub const FIRST: (i32, u32, u32) = (2031, 1, 14);

impl World {
    /// All of it follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> (Self, Vec<Event>) {
        let mut chance = StdRng::seed_from_u64(seed);
        let counter = match seed % 3 {
            0 => Counter::MonthTotal,
            1 => Counter::Running { from_zero: true },
            _ => Counter::Running { from_zero: false },
        };
        let count = chance.random_range(2..=3);
        let (year, month, day) = FIRST;
        let mut world = Self {
            chance,
            counter,
            accounts: Vec::new(),
            date: NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default(),
            reopened: None,
            faults: BTreeMap::new(),
        };
        let events = (0..count)
            .map(|n| world.add(format!("user{n}"), n))
            .collect();
        (world, events)
    }

    fn add(&mut self, login: String, number: usize) -> Event {
        let domain = format!("{login}-{number}.example.com");
        self.accounts.push(Account {
            login: login.clone(),
            domain: domain.clone(),
            flowed: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            running: self.chance.random_range(0..2_000_000_000),
            gone: false,
            remembered: false,
        });
        Event::Known { login, domain }
    }

    /// What flowed of an account, by month.
    #[must_use]
    pub fn flowed(&self, account: usize) -> &BTreeMap<Month, u64> {
        &self.accounts[account].flowed
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.chance.random_range(0..many) == 0
    }

    fn note(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    fn happens(&mut self, fault: &'static str, one_in: u32) -> bool {
        let does = self.one_in(one_in);
        if does {
            self.note(fault);
        }
        does
    }

    /// The next night.
    pub fn night(&mut self) -> Vec<Event> {
        let month = (self.date.year(), self.date.month());
        let before = previous(month);
        let day = self.date.day();
        self.date = self.date + Days::new(1);
        let mut events = Vec::new();
        for at in 0..self.accounts.len() {
            self.day_of(at, month, &mut events);
        }
        let mut rows = self.report(month);
        let learned = self.renamed(&mut rows);
        if self.happens("missed night", 20) {
            events.extend(learned);
            return events;
        }
        events.extend(self.run(month, rows));
        events.extend(learned);
        if day <= 3 {
            if self.counter == Counter::MonthTotal && self.one_in(2) {
                self.flow_late(before);
            }
            let rows = self.report(before);
            events.push(Event::Read {
                month: before,
                rows,
            });
        }
        self.closing(day, before, &mut events);
        self.operator([month, before], &mut events);
        // When all have moved away there is nothing to report; that a panel names nobody is drawn elsewhere.
        events.retain(|event| match event {
            Event::Read { rows, .. } | Event::Overtaken { late: rows, .. } => !rows.is_empty(),
            _ => true,
        });
        events
    }

    fn day_of(&mut self, at: usize, month: Month, events: &mut Vec<Event>) {
        if self.accounts[at].gone {
            return;
        }
        let bytes = match self.one_in(5) {
            true => 0,
            false => self.chance.random_range(1..5_000_000_000_u64),
        };
        let account = &mut self.accounts[at];
        *account.flowed.entry(month).or_default() += bytes;
        account.running += bytes;
        if self.happens("reset or drop", 25) {
            self.forget(at, month);
        } else if self.happens("drop under 1 %", 40) {
            let shown = shown(&self.accounts[at], month);
            let lost = self.chance.random_range(0..=shown / 100);
            *self.accounts[at].forgotten.entry(month).or_default() += lost;
            let running = &mut self.accounts[at].running;
            *running -= *running / 200;
        }
        if self.happens("re-created", 120) {
            self.accounts[at].gone = true;
            self.accounts[at].remembered = self.remembers() && self.happens("deleted row", 2);
            let login = self.accounts[at].login.clone();
            events.push(Event::Terminated(at));
            let number = self.accounts.len();
            events.push(self.add(login, number));
        } else if self.happens("moved away", 300) {
            self.accounts[at].gone = true;
        } else if self.remembers() && self.happens("deleted behind our back", 200) {
            self.accounts[at].gone = true;
            self.accounts[at].remembered = true;
        }
    }

    /// Panels that tell of what was deleted have a sum for each month.
    fn remembers(&self) -> bool {
        self.counter == Counter::MonthTotal
    }

    /// A little more flows, and perhaps the panel forgets.
    fn hour_of(&mut self, at: usize, month: Month) {
        if self.accounts[at].gone {
            return;
        }
        let bytes = self.chance.random_range(0..100_000_000);
        let account = &mut self.accounts[at];
        *account.flowed.entry(month).or_default() += bytes;
        account.running += bytes;
        if self.one_in(6) {
            self.forget(at, month);
        }
    }

    /// The panel forgets: a running counter begins anew, a month's sum loses a domain.
    fn forget(&mut self, at: usize, month: Month) {
        let account = &self.accounts[at];
        if account.gone && !account.flowed.contains_key(&month) {
            return;
        }
        let shown = shown(&self.accounts[at], month);
        let lost = self.chance.random_range(0..=shown);
        let account = &mut self.accounts[at];
        *account.forgotten.entry(month).or_default() += lost;
        // What flowed since it began anew is part of what flowed today.
        account.running = self.chance.random_range(0..1_000_000);
        *account.flowed.entry(month).or_default() += account.running;
    }

    /// The panel counts something only now that flowed in that month.
    fn flow_late(&mut self, month: Month) {
        self.note("late data");
        for at in 0..self.accounts.len() {
            let bytes = self.chance.random_range(0..1_000_000_000);
            let account = &mut self.accounts[at];
            if !account.gone {
                *account.flowed.entry(month).or_default() += bytes;
                account.running += bytes;
            }
        }
    }

    /// The report of now; what was deleted comes last.
    fn report(&self, month: Month) -> Vec<Row> {
        let there = self.accounts.iter().filter(|account| !account.gone);
        let deleted = self
            .accounts
            .iter()
            .filter(|account| account.remembered && account.flowed.contains_key(&month));
        there
            .chain(deleted)
            .map(|account| Row {
                login: account.login.clone(),
                domain: account.domain.clone(),
                figure: Some(self.figure(account, month)),
                deleted: account.gone,
            })
            .collect()
    }

    fn figure(&self, account: &Account, month: Month) -> u64 {
        match self.counter {
            Counter::MonthTotal => shown(account, month),
            Counter::Running { .. } => account.running,
        }
    }

    /// Sometimes an account has a new name tonight, which we learn only afterwards.
    fn renamed(&mut self, rows: &mut [Row]) -> Option<Event> {
        if !self.happens("renamed", 40) {
            return None;
        }
        let at = self.chance.random_range(0..self.accounts.len());
        if self.accounts[at].gone {
            return None;
        }
        let old = self.accounts[at].login.clone();
        let login = format!("{}x{}", &old[..5], self.date.ordinal());
        let row = rows.iter_mut().find(|row| row.login == old)?;
        row.login.clone_from(&login);
        row.domain = format!("{login}.example.org");
        self.accounts[at].domain.clone_from(&row.domain);
        self.accounts[at].login.clone_from(&login);
        Some(Event::Renamed { account: at, login })
    }

    fn run(&mut self, month: Month, mut rows: Vec<Row>) -> Vec<Event> {
        if self.happens("overtaken", 12) {
            let late = rows.clone();
            for at in 0..self.accounts.len() {
                self.hour_of(at, month);
            }
            // The names are those of the first report.
            let mut soon = late.clone();
            let there = self.accounts.iter().filter(|account| !account.gone);
            for (row, account) in soon.iter_mut().zip(there) {
                row.figure = Some(self.figure(account, month));
            }
            return vec![Event::Overtaken { month, late, soon }];
        }
        if self.happens("half missing", 15) {
            rows.retain(|_| self.chance.random_range(0..2) == 0);
        }
        for at in 0..rows.len() {
            if self.happens("no figure", 40) {
                rows[at].figure = None;
            } else if self.happens("overflow", 40) {
                rows[at].figure = Some(
                    self.chance
                        .random_range(33_500_000_000_000_001..9_000_000_000_000_000_000),
                );
            } else if self.happens("same row twice", 40) {
                rows.push(rows[at].clone());
            } else if self.happens("contradicting rows", 40) {
                let figure = rows[at].figure.map(|figure| figure + 1);
                rows.push(Row {
                    figure,
                    ..rows[at].clone()
                });
            }
        }
        if rows.is_empty() {
            return Vec::new();
        }
        if self.happens("empty answer", 25) {
            return vec![Event::Empty { month, rows }];
        }
        if self.happens("run twice", 15) {
            let read = Event::Read { month, rows };
            return vec![read.clone(), read];
        }
        if self.happens("run at once", 15) {
            return vec![Event::AtOnce { month, rows }];
        }
        vec![Event::Read { month, rows }]
    }

    fn closing(&mut self, day: u32, before: Month, events: &mut Vec<Event>) {
        match day {
            5 if !self.one_in(10) => {
                self.note("closed");
                events.push(Event::Close(before));
            }
            8..=10 if self.one_in(3) => {
                self.flow_late(before);
                if self.one_in(3) {
                    for at in 0..self.accounts.len() {
                        self.forget(at, before);
                    }
                }
                let rows = self.report(before);
                events.push(Event::Read {
                    month: before,
                    rows,
                });
            }
            12 if self.happens("re-opened", 3) => {
                events.push(Event::Reopen(before));
                self.reopened = Some(before);
            }
            13 if self.reopened.is_some() => {
                let rows = self.report(before);
                events.push(Event::Read {
                    month: before,
                    rows,
                });
            }
            14 => {
                if let Some(month) = self.reopened.take() {
                    events.push(Event::Close(month));
                }
            }
            _ => {}
        }
    }

    fn operator(&mut self, months: [Month; 2], events: &mut Vec<Event>) {
        let account = self.chance.random_range(0..self.accounts.len());
        let month = months[self.chance.random_range(0..2)];
        if self.happens("correction", 15) {
            let bytes = self.chance.random_range(-3_000_000_000..3_000_000_000);
            events.push(Event::Correct {
                account,
                month,
                bytes,
            });
        }
        if self.happens("acceptance", 6) {
            events.push(Event::Accept { account, month });
        }
    }
}

fn shown(account: &Account, month: Month) -> u64 {
    let flowed = account.flowed.get(&month).copied().unwrap_or(0);
    flowed
        - account
            .forgotten
            .get(&month)
            .copied()
            .unwrap_or(0)
            .min(flowed)
}

fn previous((year, month): Month) -> Month {
    match month {
        1 => (year - 1, 12),
        _ => (year, month - 1),
    }
}
