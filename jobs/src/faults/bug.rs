//! Seeded bugs: rules left out on purpose, to see whether the checker of invariants misses them.

/// A rule that is left out when `HOSTLER_BUG` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Outcomes are written whatever the fence says.
    NoFence,
    /// A client is told of its job before the commit, which then fails.
    AnswerBeforeCommit,
    /// Nobody asks SQL for due jobs: a ring that is lost is a job that is lost.
    RingsAlone,
    /// A create without an answer is sent again without a look.
    BlindRetry,
    /// A change in doubt is sent again after the first look that does not find it.
    NoSettle,
    /// A job may run as soon as it is in, whatever else its account has running.
    NoLine,
    /// The newest job of a line goes first.
    LostOrder,
    /// Claims are taken back while they are valid.
    EarlyRescue,
    /// What takes workers down is tried for ever.
    NeverParked,
    /// What people and duties do to a job is not written down.
    NoHistory,
    /// The idempotency key is not kept.
    KeyIgnored,
    /// An account that exists is taken for ours without a look at whose it is.
    AnybodysAccount,
    /// An account is removed by its name alone.
    AnyIncarnation,
    /// What was booked before is booked again.
    DeltaTwice,
    /// A password is logged.
    SecretInLog,
    /// A change that the panel refused is reported as done.
    RefusedIsDone,
}

impl Bug {
    /// All of them.
    pub const ALL: &[Bug] = &[
        Bug::NoFence,
        Bug::AnswerBeforeCommit,
        Bug::RingsAlone,
        Bug::BlindRetry,
        Bug::NoSettle,
        Bug::NoLine,
        Bug::LostOrder,
        Bug::EarlyRescue,
        Bug::NeverParked,
        Bug::NoHistory,
        Bug::KeyIgnored,
        Bug::AnybodysAccount,
        Bug::AnyIncarnation,
        Bug::DeltaTwice,
        Bug::SecretInLog,
        Bug::RefusedIsDone,
    ];

    /// Its name in `HOSTLER_BUG`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Bug::NoFence => "no_fence",
            Bug::AnswerBeforeCommit => "answer_before_commit",
            Bug::RingsAlone => "rings_alone",
            Bug::BlindRetry => "blind_retry",
            Bug::NoSettle => "no_settle",
            Bug::NoLine => "no_line",
            Bug::LostOrder => "lost_order",
            Bug::EarlyRescue => "early_rescue",
            Bug::NeverParked => "never_parked",
            Bug::NoHistory => "no_history",
            Bug::KeyIgnored => "key_ignored",
            Bug::AnybodysAccount => "anybodys_account",
            Bug::AnyIncarnation => "any_incarnation",
            Bug::DeltaTwice => "delta_twice",
            Bug::SecretInLog => "secret_in_log",
            Bug::RefusedIsDone => "refused_is_done",
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
