//! What a run came to, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use jobs::faults::Point;

use super::case::Case;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases whose process aborted where it should.
    pub aborted: Vec<Case>,
    /// What went otherwise than it must.
    pub failures: Vec<String>,
    /// How often each point was reached, by its name.
    pub reached: BTreeMap<String, usize>,
    /// Jobs by state in the end.
    pub states: BTreeMap<String, usize>,
    /// Jobs that were parked because three processes aborted under them, and taken up again.
    pub parked: usize,
    /// Processes that were started.
    pub generations: usize,
    /// The run folders.
    pub folders: Vec<PathBuf>,
}

impl Report {
    /// Adds a lane's.
    pub fn add(&mut self, other: Report) {
        self.aborted.extend(other.aborted);
        self.failures.extend(other.failures);
        for (point, count) in other.reached {
            *self.reached.entry(point).or_default() += count;
        }
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
        self.parked += other.parked;
        self.generations += other.generations;
        self.folders.extend(other.folders);
    }

    /// Points at which no process aborted.
    #[must_use]
    pub fn never_hit(&self) -> Vec<&'static str> {
        let hit: BTreeSet<Point> = self.aborted.iter().map(|case| case.point).collect();
        let missed = Point::ALL.iter().filter(|point| !hit.contains(point));
        missed.map(|point| point.name()).collect()
    }

    /// # Panics
    /// When a case went otherwise than it must, or a point was never hit.
    pub fn assert_good(&self) {
        assert!(self.failures.is_empty(), "{:#?}", self.failures);
        assert_eq!(self.never_hit(), Vec::<&str>::new(), "points never hit");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:>8} {:>7}  kinds on cpanel / froxlor / no panel",
            "point", "reached", "aborts"
        )?;
        for point in Point::ALL {
            let hits = || self.aborted.iter().filter(|case| case.point == *point);
            let kinds = |driver: &str| {
                let kinds: BTreeSet<&str> = hits()
                    .filter(|case| case.driver == driver)
                    .map(|case| case.kind.name())
                    .collect();
                kinds.len()
            };
            writeln!(
                f,
                "{:<16} {:>8} {:>7}  {} / {} / {}",
                point.name(),
                self.reached.get(point.name()).copied().unwrap_or(0),
                hits().count(),
                kinds("cpanel"),
                kinds("froxlor"),
                kinds("-"),
            )?;
        }
        writeln!(
            f,
            "{} cases aborted, {} processes, jobs {:?}, parked on the way and taken up again: {}, failures: {}",
            self.aborted.len(),
            self.generations,
            self.states,
            self.parked,
            self.failures.len(),
        )
    }
}
