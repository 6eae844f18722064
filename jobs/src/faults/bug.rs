//! Seeded bugs: rules left out on purpose, to see whether the checker of invariants misses them.

/// A rule that is left out when `HOSTLER_BUG` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Outcomes are written whatever the fence says.
    NoFence,
}

impl Bug {
    /// All of them.
    pub const ALL: &[Bug] = &[Bug::NoFence];

    /// Its name in `HOSTLER_BUG`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Bug::NoFence => "no_fence",
        }
    }

    /// Whether this process has it.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn is_on(self) -> bool {
        use std::sync::OnceLock;
        static NAMED: OnceLock<Option<String>> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "no setting: tests alone give it")]
        let named = NAMED.get_or_init(|| std::env::var("HOSTLER_BUG").ok());
        named.as_deref() == Some(self.name())
    }

    /// Whether this process has it: no.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    #[must_use]
    pub const fn is_on(self) -> bool {
        false
    }
}
