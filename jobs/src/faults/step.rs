//! Steps of a command: a test kills it after each of them in turn.

/// Passes a step; aborts at the one that `HOSTLER_ABORT_AT_STEP` counts to.
#[cfg(feature = "faults")]
pub fn step() {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: OnceLock<Option<u64>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_methods, reason = "no setting: tests alone give it")]
    let last = LAST.get_or_init(|| std::env::var("HOSTLER_ABORT_AT_STEP").ok()?.parse().ok());
    if Some(PASSED.fetch_add(1, Ordering::SeqCst) + 1) == *last {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn step() {}
