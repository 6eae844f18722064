//! Failpoints: places between two steps at which a test lets the process abort.

/// A place between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The claim is committed, and nothing else has happened.
    Claimed,
}

impl Point {
    /// All of them.
    pub const ALL: &[Point] = &[Point::Claimed];

    /// Its name in `HOSTLER_FAILPOINT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Point::Claimed => "claimed",
        }
    }

    /// Notes in the file `HOSTLER_FAILPOINT_LOG` that it was reached by a job of that kind, and aborts
    /// when `HOSTLER_FAILPOINT` names it: `point`, `point:kind`, either with `@n` for the n-th time.
    #[cfg(feature = "faults")]
    pub fn reach(self, kind: &str) {
        armed::reach(self.name(), kind);
    }

    /// Nothing.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    pub const fn reach(self, _kind: &str) {}
}

#[cfg(feature = "faults")]
mod armed {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        point: String,
        kind: Option<String>,
        nth: u64,
    }

    #[expect(clippy::disallowed_methods, reason = "no setting: tests alone give it")]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(text: &str) -> Armed {
        let (name, nth) = text.split_once('@').unwrap_or((text, "1"));
        let (point, kind) = match name.split_once(':') {
            Some((point, kind)) => (point, Some(kind.to_owned())),
            None => (name, None),
        };
        Armed {
            point: point.to_owned(),
            kind,
            nth: nth.parse().unwrap_or(1),
        }
    }

    pub(super) fn reach(point: &str, kind: &str) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        static REACHED: AtomicU64 = AtomicU64::new(0);
        note(point, kind);
        let armed = ARMED.get_or_init(|| variable("HOSTLER_FAILPOINT").as_deref().map(read));
        let Some(armed) = armed else { return };
        let is_it = armed.point == point && armed.kind.as_deref().is_none_or(|want| want == kind);
        if is_it && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == armed.nth {
            eprintln!("failpoint {point}:{kind}: aborting");
            std::process::abort();
        }
    }

    fn note(point: &str, kind: &str) {
        static LOG: OnceLock<Option<std::fs::File>> = OnceLock::new();
        let log = LOG.get_or_init(|| {
            let path = variable("HOSTLER_FAILPOINT_LOG")?;
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .ok()
        });
        if let Some(mut file) = log.as_ref() {
            // One write, so that lines of several processes do not mix.
            let _ = file.write_all(format!("{point} {kind}\n").as_bytes());
        }
    }
}
