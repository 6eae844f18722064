//! The append-only record of every side effect that was applied: the oracle of the reliability tests.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SimulatorError;

/// One side effect that took place on the panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts from 1, without gaps, over restarts of the listener too.
    pub seq: u64,
    /// When it took effect, in ms since 1970 by the panel's clock.
    pub at_ms: i64,
    /// The function or command that did it, `removeacct` or `Customers.delete`.
    pub call: String,
    /// The account's login name, in lower case.
    pub username: String,
    /// Which account of that name.
    pub incarnation: String,
    /// What changed: `{field: [before, after]}` for changes, the record for a new or removed account. No secrets.
    pub change: Value,
    /// When the panel began to work on the request, in ms by its clock.
    pub begin_ms: i64,
    /// When it was done with it.
    pub end_ms: i64,
    /// A counter of events, as it was at the beginning. Times can be equal; these cannot.
    pub begin_tick: u64,
    /// The same at the end.
    pub end_tick: u64,
    /// Ordinals of other changing requests on the same account that were being worked on, or not yet answered, when
    /// this one began. Empty for a well-behaved client.
    pub overlaps: Vec<u64>,
    /// The ordinal of the request, as in [`crate::RequestSeen`].
    pub request: u64,
}

/// A side effect before it has its place in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) username: String,
    pub(crate) incarnation: String,
    pub(crate) change: Value,
}

/// One changing request while the panel works on it.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) call: String,
    pub(crate) request: u64,
    pub(crate) begin_ms: i64,
    pub(crate) begin_tick: u64,
    pub(crate) overlaps: Vec<u64>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<LedgerEntry>,
    tick: u64,
    written: u64,
    in_flight: HashMap<u64, String>,
}

/// The ledger in memory and, when asked for, in a file.
pub(crate) struct Ledger {
    inner: Mutex<Inner>,
    file: Option<(PathBuf, File)>,
    /// The `seq` up to which the file is on the disk. Its lock makes one sync serve everybody who waits.
    synced: Mutex<u64>,
}

impl Ledger {
    /// Opens the file for appending; what is in it stays.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, SimulatorError> {
        let file = match path {
            None => None,
            Some(path) => {
                let opened = open_for_append(path).map_err(|source| file_error(path, source))?;
                Some((path.to_owned(), opened))
            }
        };
        let known = match path {
            Some(path) => read_ledger(path)?
                .last()
                .map_or((0, 0), |last| (last.seq, last.end_tick)),
            None => (0, 0),
        };
        let inner = Inner {
            tick: known.1,
            written: known.0,
            ..Inner::default()
        };
        Ok(Ledger {
            inner: Mutex::new(inner),
            file,
            synced: Mutex::new(known.0),
        })
    }

    /// Notes that a changing request for an account has come in, and which others are still on their way.
    pub(crate) fn begin(&self, call: &str, request: u64, username: &str, now_ms: i64) -> Work {
        let mut inner = lock(&self.inner);
        inner.tick += 1;
        let mut overlaps: Vec<u64> = inner
            .in_flight
            .iter()
            .filter(|(_, other)| !username.is_empty() && other.as_str() == username)
            .map(|(ordinal, _)| *ordinal)
            .collect();
        overlaps.sort_unstable();
        inner.in_flight.insert(request, username.to_owned());
        Work {
            call: call.to_owned(),
            request,
            begin_ms: now_ms,
            begin_tick: inner.tick,
            overlaps,
        }
    }

    /// The request has been answered, or its connection is gone.
    pub(crate) fn answered(&self, request: u64) {
        lock(&self.inner).in_flight.remove(&request);
    }

    /// Appends the effects of one request. Returns the last `seq`, for [`Ledger::sync`].
    pub(crate) fn append(
        &self,
        work: &Work,
        effects: Vec<Effect>,
        now_ms: i64,
    ) -> std::io::Result<u64> {
        let mut inner = lock(&self.inner);
        for effect in effects {
            inner.tick += 1;
            inner.written += 1;
            let entry = LedgerEntry {
                seq: inner.written,
                at_ms: now_ms,
                call: work.call.clone(),
                username: effect.username,
                incarnation: effect.incarnation,
                change: effect.change,
                begin_ms: work.begin_ms,
                end_ms: now_ms,
                begin_tick: work.begin_tick,
                end_tick: inner.tick,
                overlaps: work.overlaps.clone(),
                request: work.request,
            };
            if let Some((_, file)) = &self.file {
                let mut line = serde_json::to_vec(&entry)?;
                line.push(b'\n');
                (&*file).write_all(&line)?;
            }
            inner.entries.push(entry);
        }
        Ok(inner.written)
    }

    /// Returns when everything up to `seq` is on the disk.
    pub(crate) fn sync(&self, seq: u64) -> std::io::Result<()> {
        let Some((_, file)) = &self.file else {
            return Ok(());
        };
        let mut synced = lock(&self.synced);
        if *synced < seq {
            let written = lock(&self.inner).written;
            file.sync_data()?;
            *synced = written;
        }
        Ok(())
    }

    pub(crate) fn entries(&self) -> Vec<LedgerEntry> {
        lock(&self.inner).entries.clone()
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.inner).entries.len()
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }
}

/// Reads a ledger's file. A line that a crash cut short is left out when it is the last one.
///
/// # Errors
/// When the file cannot be read, or a line other than the last is not an entry.
pub fn read_ledger(path: &Path) -> Result<Vec<LedgerEntry>, SimulatorError> {
    let file = File::open(path).map_err(|source| file_error(path, source))?;
    let lines: Vec<String> = BufReader::new(file)
        .lines()
        .collect::<Result<_, _>>()
        .map_err(|source| file_error(path, source))?;
    let mut entries = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if index + 1 == lines.len() => {}
            Err(error) => {
                let reason = format!("line {}: {error}", index + 1);
                return Err(SimulatorError::Content {
                    path: path.to_owned(),
                    reason,
                });
            }
        }
    }
    Ok(entries)
}

/// Opens a ledger to go on with it; half a line that a crash left at the end is cut away first.
fn open_for_append(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let content = std::fs::read(path)?;
    let whole = content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if whole < content.len() {
        file.set_len(whole as u64)?;
    }
    Ok(file)
}

/// Pairs of requests, by ordinal, that changed the same account at the same time: the panel worked on both at once, or
/// one began before the other was answered. None, for a client that does one thing at a time for each account.
#[must_use]
pub fn overlapping(entries: &[LedgerEntry]) -> Vec<(u64, u64)> {
    let mut pairs = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        for other in &entries[..index] {
            let same = entry.username == other.username && entry.request != other.request;
            let worked = entry.begin_tick < other.end_tick && other.begin_tick < entry.end_tick;
            if same && !entry.username.is_empty() && worked {
                pairs.push((
                    other.request.min(entry.request),
                    other.request.max(entry.request),
                ));
            }
        }
        pairs.extend(
            entry
                .overlaps
                .iter()
                .map(|other| (*other.min(&entry.request), *other.max(&entry.request))),
        );
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn file_error(path: &Path, source: std::io::Error) -> SimulatorError {
    SimulatorError::File {
        path: path.to_owned(),
        source,
    }
}

/// Takes a lock also after a panic elsewhere: the data are plain values, written in one go.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
