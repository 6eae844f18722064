//! What there is: the ledger's rows, the workers, the requests on the wire, the panel.

use super::Protocol;

/// Time is counted in steps; these are the only distances that matter, and their order is Hostler's
/// (`jobs/src/kind.rs`: deadline < lease; settle is longer than a panel works on what it was sent).
pub const DEADLINE: u8 = 1;
/// An attempt's lease ends after this.
pub const LEASE: u8 = 1;
/// A request has taken effect, or never will, at this age: also when nobody waits for its answer any more.
pub const PANEL: u8 = 2;
/// What is in doubt for this long is settled.
pub const SETTLE: u8 = 3;
/// Ages are not counted beyond this.
pub const OLD: u8 = 3;
/// Nor those of leases and attempts beyond this.
pub const OVER: u8 = 2;
/// Changes that may be sent in vain before a person must look (`max_tries`).
pub const TRIES: u8 = 2;
/// Workers that may die of one job (`POISON_AFTER`).
pub const DEATHS: u8 = 3;
/// Rows that the ledger can hold here: one more than there are jobs, for a double intake.
pub const ROWS: usize = 4;

/// The kinds of jobs that differ for the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Makes the account.
    Create,
    /// Locks it.
    Suspend,
    /// Opens it again.
    Unsuspend,
    /// Removes it.
    Terminate,
}

/// What Hostler's safety rests on. Each can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own, switched off alone"
)]
pub struct Rules {
    /// Every write carries the claim's fence (`Store::write_group`).
    pub fence: bool,
    /// A job is taken back only after its attempt's deadline (`JobKind::lease`, `Store::rescue`).
    pub rescue_after_deadline: bool,
    /// A change in doubt is sent again only after the settle time (`worker/src/doubt.rs`).
    pub settle: bool,
    /// A change in doubt is looked for before it is sent again (`Attempt::may_send`).
    pub look_first: bool,
    /// A request leaves right after its intent was committed, or not at all (`Attempt::change`).
    pub send_at_once: bool,
    /// A key that is in the ledger makes no second row (`Intake::answer_known_keys`).
    pub one_row_a_key: bool,
    /// 202 is said after the commit.
    pub commit_before_202: bool,
    /// Only the head of the account's line runs (`line::promote`).
    pub line: bool,
    /// Workers also look into the ledger by themselves (`Store::pick`).
    pub poll: bool,
}

impl Rules {
    /// All of them, as in Hostler.
    pub const ALL: Rules = Rules {
        fence: true,
        rescue_after_deadline: true,
        settle: true,
        look_first: true,
        send_at_once: true,
        one_row_a_key: true,
        commit_before_202: true,
        line: true,
        poll: true,
    };
}

/// A job's state (`jobs/src/lifecycle.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Waits for its turn.
    Queued,
    /// A worker has it.
    Running,
    /// Begun, to be claimed again.
    Retrying,
    /// Waits for a person.
    Held,
    /// Done.
    Succeeded,
    /// Refused.
    Failed,
    /// Superseded.
    Cancelled,
}

/// A row of the ledger. Rows are kept in the order of intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// Which of the plan's jobs.
    pub job: u8,
    /// Its state.
    pub state: JobState,
    /// `open_of`: it stands in the account's line.
    pub open: bool,
    /// `ready_lane`: it may be claimed.
    pub ready: bool,
    /// `attempt > 0`.
    pub begun: bool,
    /// Time since the claim, while it runs.
    pub lease: u8,
    /// Time since the intent of this attempt was committed.
    pub sent: Option<u8>,
    /// Time since the intent of the change that is in doubt.
    pub doubt: Option<u8>,
    /// Looks at it so far.
    pub looks: u8,
    /// Changes sent.
    pub tries: u8,
    /// Workers lost.
    pub deaths: u8,
    /// Somebody was told to look at it: a ring that is not lost yet.
    pub rung: bool,
}

/// What became of an attempt, before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Done, or found so.
    Done,
    /// Understood and refused.
    Refused,
    /// Surely not sent: tried again.
    NotSent,
    /// Sent, with unknown outcome, or not to be seen yet.
    Unknown,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Claimed, not looked yet.
    Claimed,
    /// Looked: there is something to do, and it may be done.
    ToDo,
    /// The intent is committed; whether time has passed since.
    Intended(bool),
    /// The request has left, no answer yet.
    Waiting,
    /// To be written.
    Ended(End),
}

/// An attempt, as its worker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The row.
    pub row: u8,
    /// Whether its fence is still the row's.
    pub current: bool,
    /// Time since the claim, by the worker's own clock.
    pub age: u8,
    /// What was in doubt at the claim: for how long, after how many looks.
    pub doubt: Option<(u8, u8)>,
    /// How far.
    pub step: Step,
}

/// A worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    /// It does nothing, and its clocks go on.
    pub stopped: bool,
    /// What it is at.
    pub attempt: Option<Attempt>,
}

/// How far the panel is with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// Not there yet.
    Working,
    /// It took effect.
    Applied,
    /// It never will.
    Gone,
}

/// A changing request that the panel works on, or that somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The row for which it was sent.
    pub row: u8,
    /// The worker that waits for the answer.
    pub waiter: Option<u8>,
    /// Time since it left.
    pub age: u8,
    /// How far the panel is.
    pub progress: Progress,
}

/// What the ledger knows of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Requested or provisioning.
    Asked,
    /// Its create was refused.
    Failed,
    /// There.
    There,
    /// Terminated.
    Gone,
}

/// The panel, worse than a real one: it never refuses a second account of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Panel {
    /// Accounts made so far.
    pub made: u8,
    /// Accounts that are there.
    pub there: u8,
    /// Whether they are suspended.
    pub suspended: bool,
    /// The newest job that took effect, by intake (from 1).
    pub newest: u8,
    /// An older job took effect after it.
    pub disorder: bool,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Per job of the plan: whether the client has its 202.
    pub told: [bool; ROWS],
    /// The ledger.
    pub rows: Vec<Row>,
    /// `head_of`: the row at the head of the line.
    pub head: Option<u8>,
    /// The account's row.
    pub account: Account,
    /// The workers.
    pub workers: [Worker; 2],
    /// What is on the wire.
    pub wire: Vec<Request>,
    /// The panel.
    pub panel: Panel,
    /// Faults that are still to come, most: kills, stops, replays, refusals.
    pub left: [u8; 4],
}

impl State {
    /// The beginning.
    #[must_use]
    pub fn new(protocol: &Protocol) -> Self {
        let idle = Worker {
            stopped: false,
            attempt: None,
        };
        Self {
            told: [false; ROWS],
            rows: Vec::new(),
            head: None,
            account: Account::Asked,
            workers: [idle; 2],
            wire: Vec::new(),
            panel: Panel::default(),
            left: [
                protocol.crashes,
                protocol.stops,
                protocol.replays,
                protocol.refusals,
            ],
        }
    }

    /// Of two states that differ only in which worker is which, the same one; requests in order.
    pub fn make_representative(&mut self) {
        if self.workers[1] < self.workers[0] {
            self.workers.swap(0, 1);
            for request in &mut self.wire {
                request.waiter = request.waiter.map(|worker| 1 - worker);
            }
        }
        self.wire.sort_unstable();
    }

    /// The row of a claim or request.
    #[must_use]
    pub fn row(&self, row: u8) -> &Row {
        &self.rows[usize::from(row)]
    }

    /// The same, to write.
    pub fn row_mut(&mut self, row: u8) -> &mut Row {
        &mut self.rows[usize::from(row)]
    }
}

/// One step of time more.
#[must_use]
pub fn older(age: u8) -> u8 {
    (age + 1).min(OLD)
}
