//! Which cases there are, and which there cannot be.

use jobs::JobKind;
use jobs::faults::Point;
use panels::DRIVERS;

/// What becomes of the first change that a job sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It is answered.
    Clean,
    /// The panel carries it out, and its answer is lost.
    Applied,
    /// The connection is reset, and nothing was carried out.
    NotApplied,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 3] = [Mode::Clean, Mode::Applied, Mode::NotApplied];
}

/// The driver of a job without a panel.
pub(super) const NO_PANEL: &str = "-";

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    /// Where the process aborts.
    pub point: Point,
    /// What becomes of the change.
    pub mode: Mode,
    /// The job's kind.
    pub kind: JobKind,
    /// The driver's name; [`NO_PANEL`] for a webhook.
    pub driver: &'static str,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {:?}",
            self.point.name(),
            self.kind,
            self.driver,
            self.mode
        )
    }
}

/// Every combination, possible or not.
fn combinations() -> impl Iterator<Item = Case> {
    // A supplier orders where a panel makes: its scenarios are in tests/tests/supplier.rs.
    let drivers = || {
        let panels = DRIVERS.iter().filter(|driver| driver.name != "hostbill");
        panels.map(|driver| driver.name).chain([NO_PANEL])
    };
    Point::ALL.iter().flat_map(move |&point| {
        drivers().flat_map(move |driver| {
            Mode::ALL.into_iter().flat_map(move |mode| {
                JobKind::ALL.into_iter().map(move |kind| Case {
                    point,
                    mode,
                    kind,
                    driver,
                })
            })
        })
    })
}

/// All cases, those of a point and a driver beside each other.
#[must_use]
pub fn all() -> Vec<Case> {
    combinations()
        .filter(|case| cannot_be(*case).is_none())
        .collect()
}

/// Every `n`-th case from the `first`-th on.
#[must_use]
pub fn every_nth(cases: &[Case], first: usize, n: usize) -> Vec<Case> {
    cases
        .iter()
        .skip(first)
        .step_by(n.max(1))
        .copied()
        .collect()
}

/// A part of the cases that holds about `many` of each point and driver, of different kinds; over all turns
/// every case has its own.
#[must_use]
pub fn rotation(turn: usize, many: usize) -> Vec<Case> {
    let cases = all();
    let groups = cases.chunk_by(|a, b| (a.point, a.driver) == (b.point, b.driver));
    groups
        .flat_map(|group| {
            let turns = (group.len() / many.max(1)).max(1);
            let mut part = every_nth(group, turn % turns, turns);
            let kind = part.first().map(|case| case.kind);
            if part.iter().all(|case| Some(case.kind) == kind) {
                part.extend(group.iter().find(|case| Some(case.kind) != kind));
            }
            part
        })
        .collect()
}

/// Why there is no such case; the one place that says so.
#[must_use]
pub fn cannot_be(case: Case) -> Option<&'static str> {
    of_its_kind(case).or_else(|| of_its_point(case))
}

fn of_its_kind(case: Case) -> Option<&'static str> {
    let webhook = case.kind == JobKind::DeliverWebhook;
    if webhook != (case.driver == NO_PANEL) {
        return Some("a webhook goes to a receiver, everything else to a panel");
    }
    let driver = DRIVERS.iter().find(|driver| driver.name == case.driver);
    if driver.is_some_and(|driver| !(driver.rules)().supports(case.kind.name())) {
        return Some("the panel has no such thing");
    }
    if case.mode != Mode::Clean && !case.kind.changes() {
        return Some("it changes nothing on a panel, so no change can be lost");
    }
    None
}

fn of_its_point(case: Case) -> Option<&'static str> {
    let kind = case.kind;
    let only = |possible: bool, why: &'static str| (!possible).then_some(why);
    match case.point {
        Point::ClaimTaken
        | Point::Claimed
        | Point::HandedOver
        | Point::PanelOpened
        | Point::Observed
        | Point::Judged
        | Point::OutcomeWritten
        | Point::LinePromoted
        | Point::Finished
        | Point::Reported
        | Point::FinishRung
        | Point::ReturnBegun
        | Point::Returned
        | Point::RescueWritten
        | Point::Rescued
        | Point::TopUpPicked
        | Point::TopUpRung => None,
        Point::IntakeParsed
        | Point::IntakeChecked
        | Point::IntakeInserted
        | Point::IntakeCommitted
        | Point::IntakeRung
        | Point::ReplayWritten
        | Point::Replayed
        | Point::CancelWritten
        | Point::Cancelled => only(
            kind != JobKind::DeliverWebhook,
            "no client asks for webhooks",
        ),
        Point::IntentBegun | Point::IntentWritten => only(
            kind.changes() || kind == JobKind::GetStats,
            "it writes no intent: it changes nothing and has no steps",
        ),
        Point::Sent | Point::Answered => only(kind.changes(), "it sends no change"),
        Point::AddressReserved | Point::AddressGiven => only(
            kind == JobKind::Create && case.driver == "cpanel",
            "only a create gives addresses, and Froxlor has none to give",
        ),
        Point::Made | Point::ReadBack => only(
            kind == JobKind::Create && case.mode != Mode::Applied,
            "only a create, and one whose answer was lost takes up what is there",
        ),
        Point::Completed => only(
            kind == JobKind::Create && case.driver == "froxlor",
            "only Froxlor leaves a part of a create to a second call",
        ),
        Point::PasswordSet => only(
            kind == JobKind::Create && case.mode == Mode::Applied,
            "only a create whose answer was lost sets its password again",
        ),
        Point::LimitsSet => only(kind == JobKind::Create, "a step of a create"),
        Point::LastReading => only(kind == JobKind::Terminate, "a step of a terminate"),
        Point::SecretsWritten | Point::SecretsKept => only(
            [JobKind::Create, JobKind::LoginUrl].contains(&kind),
            "it makes no secret",
        ),
        Point::LinkKept => only(kind == JobKind::LoginUrl, "a step of a login link"),
        Point::ChunkBooked | Point::ChunkCommitted => only(
            [JobKind::GetStats, JobKind::Terminate].contains(&kind),
            "it books no traffic",
        ),
        Point::NightMarked | Point::NightBegun | Point::NightAsked | Point::NightSet => {
            only(kind == JobKind::GetStats, "nights are for statistics")
        }
        Point::Imported => only(kind == JobKind::ListAccounts, "a step of a listing"),
        Point::WebhookSigned | Point::WebhookAnswered => {
            only(kind == JobKind::DeliverWebhook, "a step of a webhook")
        }
        Point::JoinWritten | Point::Joined => only(
            kind.changes(),
            "what does not stand in a line joins none when it is due",
        ),
    }
}
