//! What becomes of a process that reaches a failpoint.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::point::Of;

enum Action {
    Abort,
    Panic,
    Eat,
    Term,
}

struct Armed {
    point: String,
    kind: Option<String>,
    /// `None` = every time.
    nth: Option<u64>,
    after_row: i64,
    action: Action,
    reached: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "no setting: tests alone give it")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads `point[:kind][@nth][>row][!action]`.
///
/// # Panics
/// On anything else: a test that arms nothing would pass for nothing.
fn read(text: &str) -> Armed {
    let wrong = || -> ! { panic!("HOSTLER_FAILPOINT: `{text}` cannot be read") };
    let (rest, action) = match text.split_once('!') {
        None => (text, Action::Abort),
        Some((rest, "abort")) => (rest, Action::Abort),
        Some((rest, "panic")) => (rest, Action::Panic),
        Some((rest, "eat")) => (rest, Action::Eat),
        Some((rest, "term")) => (rest, Action::Term),
        Some(_) => wrong(),
    };
    let (rest, row) = rest.split_once('>').unwrap_or((rest, "0"));
    let (rest, nth) = rest.split_once('@').unwrap_or((rest, "1"));
    let (point, kind) = match rest.split_once(':') {
        Some((point, kind)) => (point, Some(kind.to_owned())),
        None => (rest, None),
    };
    if !super::Point::ALL.iter().any(|known| known.name() == point) {
        wrong();
    }
    Armed {
        point: point.to_owned(),
        kind,
        nth: (nth != "*").then(|| nth.parse().unwrap_or_else(|_| wrong())),
        after_row: row.parse().unwrap_or_else(|_| wrong()),
        action,
        reached: AtomicU64::new(0),
    }
}

fn armed() -> &'static [Armed] {
    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| {
        let text = variable("HOSTLER_FAILPOINT").unwrap_or_default();
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(read).collect()
    })
}

impl Armed {
    fn strikes(&self, point: &str, kind: &str, row: Option<i64>) -> bool {
        self.point == point
            && self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && row.is_none_or(|row| row > self.after_row)
            && match (self.nth, self.reached.fetch_add(1, Ordering::SeqCst) + 1) {
                (None, _) => true,
                (Some(nth), now) => now == nth,
            }
    }
}

pub(super) fn reach(point: &str, of: Of<'_>) {
    let kind = kind_of(of);
    note(point, &kind, of.row());
    for armed in armed() {
        if armed.strikes(point, &kind, of.row()) {
            strike(&armed.action, point, &kind);
        }
    }
}

fn strike(action: &Action, point: &str, kind: &str) {
    match action {
        Action::Abort => {
            eprintln!("failpoint {point}:{kind}: aborting");
            std::process::abort();
        }
        Action::Panic => panic!("failpoint {point}:{kind}"),
        Action::Eat => eat(),
        Action::Term => {
            let id = std::process::id().to_string();
            let asked = std::process::Command::new("kill")
                .args(["-TERM", &id])
                .status();
            eprintln!("failpoint {point}:{kind}: asked to stop ({asked:?})");
            // The stop must be under way when the next step is taken; what this thread had in hand for it
            // goes to others meanwhile.
            tokio::task::block_in_place(|| {
                std::thread::sleep(std::time::Duration::from_millis(700));
            });
        }
    }
}

/// Takes address space until there is none; the allocator then aborts the process. A test sets the limit;
/// the machine is spared, also where it has set none: the pages are never touched.
fn eat() -> ! {
    let mut all: Vec<Vec<u8>> = Vec::new();
    while all.len() < 256 {
        all.push(vec![0; 16 << 20]);
        std::hint::black_box(&all);
    }
    eprintln!("failpoint: there is no limit of memory");
    std::process::exit(3);
}

/// Some places know only a job's row: its kind is what an earlier place of this process said.
fn kind_of(of: Of<'_>) -> String {
    static KINDS: OnceLock<Mutex<HashMap<i64, String>>> = OnceLock::new();
    let known = KINDS.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    match (of.row(), of.kind()) {
        (Some(row), Some(kind)) => {
            known.insert(row, kind.to_owned());
            kind.to_owned()
        }
        (None, Some(kind)) => kind.to_owned(),
        (Some(row), None) => known.get(&row).cloned().unwrap_or_else(|| "-".to_owned()),
        (None, None) => "-".to_owned(),
    }
}

fn note(point: &str, kind: &str, row: Option<i64>) {
    static LOG: OnceLock<Option<File>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let path = variable("HOSTLER_FAILPOINT_LOG")?;
        let mut options = File::options();
        options.append(true).create(true).open(path).ok()
    });
    if let Some(mut file) = log.as_ref() {
        // One write, so that lines of several processes do not mix.
        let line = format!("{point} {kind} {}\n", row.unwrap_or(0));
        let _ = file.write_all(line.as_bytes());
    }
}
