//! Failpoints: places between two steps at which a test lets the process abort.

/// Names the points once: the variant, its name in `HOSTLER_FAILPOINT`, and what has just been done.
macro_rules! points {
    ($($(#[$meta:meta])* $point:ident = $name:literal,)*) => {
        /// A place between two steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[$meta])* $point,)*
        }

        impl Point {
            /// All of them, in the order in which a job passes them.
            pub const ALL: &[Point] = &[$(Point::$point,)*];

            /// Its name in `HOSTLER_FAILPOINT`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Point::$point => $name,)*
                }
            }

            /// The variant's own name, as the sources write it.
            #[must_use]
            pub const fn variant(self) -> &'static str {
                match self {
                    $(Point::$point => stringify!($point),)*
                }
            }
        }
    };
}

points! {
    /// Intake: the request is read, its kind is known.
    IntakeParsed = "intake_parsed",
    /// Intake: all checks are passed, secrets are sealed; the transaction comes next.
    IntakeChecked = "intake_checked",
    /// Intake: the row is inserted, not committed.
    IntakeInserted = "intake_inserted",
    /// Intake: committed; nobody is rung, nobody is answered.
    IntakeCommitted = "intake_committed",
    /// Intake: rung; the client is not answered.
    IntakeRung = "intake_rung",
    /// Claim: the row is taken, not committed.
    ClaimTaken = "claim_taken",
    /// Claim: committed, and nothing else has happened.
    Claimed = "claimed",
    /// Claim: the worker loop has handed the job to its task.
    HandedOver = "handed_over",
    /// Attempt: the panel's secret is opened and its client is made.
    PanelOpened = "panel_opened",
    /// Attempt: the panel was read, and something is to be done.
    Observed = "observed",
    /// Attempt: an intent is about to be written.
    IntentBegun = "intent_begun",
    /// Attempt: an intent is written, not committed.
    IntentWritten = "intent_written",
    /// Attempt: the intent is committed; the request has not left.
    Sent = "sent",
    /// Attempt: the panel has answered a change, in whichever way, or has hung up.
    Answered = "answered",
    /// Create: an address is reserved in the ledger.
    AddressReserved = "address_reserved",
    /// Create: the account is made.
    Made = "made",
    /// Create: the account was read back.
    ReadBack = "read_back",
    /// Create: what the panel leaves to a second call is done.
    Completed = "completed",
    /// Create: the password was set again, because the answer to the create was lost.
    PasswordSet = "password_set",
    /// Create: the account has its own address.
    AddressGiven = "address_given",
    /// Create: the account has its own limits.
    LimitsSet = "limits_set",
    /// Terminate: the last traffic reading is booked.
    LastReading = "last_reading",
    /// Secrets of an attempt are written, not committed.
    SecretsWritten = "secrets_written",
    /// Secrets of an attempt are committed.
    SecretsKept = "secrets_kept",
    /// Login link: it is kept; when it ends is not.
    LinkKept = "link_kept",
    /// Traffic: a chunk of accounts is booked, not committed.
    ChunkBooked = "chunk_booked",
    /// Traffic: a chunk of accounts is committed; the next comes.
    ChunkCommitted = "chunk_committed",
    /// Traffic: the night is marked as counted; the missing accounts are not counted.
    NightMarked = "night_marked",
    /// Accounts: one that we did not know is taken over; the next comes.
    Imported = "imported",
    /// Webhook: the message is signed; it has not left.
    WebhookSigned = "webhook_signed",
    /// Webhook: the receiver has answered, or hung up.
    WebhookAnswered = "webhook_answered",
    /// Finish: the attempt is judged; its outcome is not written.
    Judged = "judged",
    /// Finish: the outcome is written; the attempt's history and the next head are not.
    OutcomeWritten = "outcome_written",
    /// Finish: the line has its next head; nothing is committed.
    LinePromoted = "line_promoted",
    /// Finish: committed; nobody is told.
    Finished = "finished",
    /// Finish: what became claimable is about to be rung.
    Reported = "reported",
    /// Finish: rung; nobody who waits is told.
    FinishRung = "finish_rung",
    /// Stop: what was claimed but not begun is about to be given back.
    ReturnBegun = "return_begun",
    /// Stop: it is given back.
    Returned = "returned",
    /// Rescue: a lease that ended is taken back, not committed.
    RescueWritten = "rescue_written",
    /// Rescue: committed; nobody is rung.
    Rescued = "rescued",
    /// Scheduled: a job that is due has joined its line, not committed.
    JoinWritten = "join_written",
    /// Scheduled: committed; nobody is rung.
    Joined = "joined",
    /// Night: a server's statistics are about to be asked for.
    NightBegun = "night_begun",
    /// Night: the jobs are committed; they are not rung, the server's clock is not set.
    NightAsked = "night_asked",
    /// Night: the server's clock is set; the next server comes.
    NightSet = "night_set",
    /// Top-up: what is due was looked up; it is not rung.
    TopUpPicked = "top_up_picked",
    /// Top-up: it is rung.
    TopUpRung = "top_up_rung",
    /// Operator: a job is re-opened, not committed.
    ReplayWritten = "replay_written",
    /// Operator: the replay is committed; nobody is rung.
    Replayed = "replayed",
    /// Operator: a job is cancelled, not committed.
    CancelWritten = "cancel_written",
    /// Operator: the cancel is committed; nobody is rung.
    Cancelled = "cancelled",
}

/// Whom a place was reached with: a job's row, its kind, both, or neither.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(
    not(feature = "faults"),
    expect(dead_code, reason = "read by failpoints alone")
)]
pub struct Of<'a> {
    row: Option<i64>,
    kind: Option<&'a str>,
}

impl<'a> From<&'a str> for Of<'a> {
    fn from(kind: &'a str) -> Self {
        Self {
            row: None,
            kind: Some(kind),
        }
    }
}

impl From<i64> for Of<'_> {
    fn from(row: i64) -> Self {
        Self {
            row: Some(row),
            kind: None,
        }
    }
}

impl<'a> From<&'a entity::job::Model> for Of<'a> {
    fn from(job: &'a entity::job::Model) -> Self {
        Self {
            row: Some(job.id),
            kind: Some(&job.kind),
        }
    }
}

impl Point {
    /// Notes in the file `HOSTLER_FAILPOINT_LOG` that it was reached, and breaks this process when
    /// `HOSTLER_FAILPOINT` says so: a list, separated by commas, of
    /// `point[:kind][@nth][>row][!action]`.
    ///
    /// `nth` is a number from 1 (the usual) or `*` for every time; `>row` leaves jobs up to that row
    /// alone; actions are `abort` (the usual), `panic`, `eat` (all memory there is) and `term` (a signal
    /// 15 to itself, and a while in which it is noticed).
    #[cfg(feature = "faults")]
    pub fn reach<'a>(self, of: impl Into<Of<'a>>) {
        super::armed::reach(self.name(), of.into());
    }

    /// Nothing.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    pub fn reach<'a>(self, _of: impl Into<Of<'a>>) {}

    /// The same for each of several.
    #[cfg(feature = "faults")]
    pub fn reach_each<'a, T: Into<Of<'a>>>(self, all: impl IntoIterator<Item = T>) {
        for of in all {
            self.reach(of);
        }
    }

    /// Nothing: the list is not walked.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    pub fn reach_each<'a, T: Into<Of<'a>>>(self, _all: impl IntoIterator<Item = T>) {}
}

#[cfg(feature = "faults")]
impl<'a> Of<'a> {
    pub(super) fn row(&self) -> Option<i64> {
        self.row
    }

    pub(super) fn kind(&self) -> Option<&'a str> {
        self.kind
    }
}
