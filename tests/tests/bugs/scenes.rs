//! One small scene for each bug, and the promise that the bug breaks.

use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jobs::faults::Bug;
use serde_json::{Value, json};
use simulator::{Applied, Fault, Reply, Scope};
use tests::field::{Ended, Field, Part, Plan, Process};
use tests::stand;

/// What is played.
pub(crate) struct Scene {
    pub(crate) bug: Bug,
    /// The promise, by its number.
    pub(crate) breaks: u8,
    /// What is special about its field.
    pub(crate) set: fn(&mut Plan),
    /// Ends when nothing more is asked for; what runs goes on.
    pub(crate) play: for<'a> fn(&'a Field) -> BoxFuture<'a, Vec<Process>>,
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scene of {:?}", self.bug)
    }
}

macro_rules! scene {
    ($bug:ident breaks $breaks:literal: $play:ident $(, $set:ident)?) => {
        Scene {
            bug: Bug::$bug,
            breaks: $breaks,
            set: {
                let set: fn(&mut Plan) = |_| {};
                $(let set: fn(&mut Plan) = { let _ = set; $set };)?
                set
            },
            play: |field| $play(field).boxed(),
        }
    };
}

pub(crate) const SCENES: [Scene; 16] = [
    scene!(NoFence breaks 3: a_worker_comes_back_from_the_dead, slower),
    scene!(AnswerBeforeCommit breaks 1: one_create),
    scene!(RingsAlone breaks 1: the_ring_is_lost),
    scene!(BlindRetry breaks 4: the_answer_to_a_create_is_lost),
    scene!(NoSettle breaks 5: a_suspend_takes_effect_late, slower),
    scene!(NoLine breaks 3: two_changes_on_a_slow_panel),
    scene!(LostOrder breaks 5: two_changes_behind_a_slow_create),
    scene!(EarlyRescue breaks 3: two_changes_on_a_slow_panel),
    scene!(NeverParked breaks 12: an_attempt_that_always_panics),
    scene!(NoHistory breaks 12: a_suspend_is_superseded),
    scene!(KeyIgnored breaks 2: the_same_request_twice),
    scene!(AnybodysAccount breaks 4: a_create_of_a_name_that_is_taken, inhabited),
    scene!(AnyIncarnation breaks 6: a_removal_of_another_domain, inhabited),
    scene!(DeltaTwice breaks 9: traffic_is_read_twice),
    scene!(SecretInLog breaks 10: a_password_is_set),
    scene!(RefusedIsDone breaks 7: a_create_is_refused),
];

/// Longer settle times, so that a machine that is busy does not decide.
fn slower(plan: &mut Plan) {
    plan.pace = 0.05;
}

/// One account is there before us.
fn inhabited(plan: &mut Plan) {
    for (_, options) in &mut plan.panels {
        options.accounts = 1;
    }
}

async fn serve(field: &Field) -> Vec<Process> {
    vec![field.start(Part::Serve, &[]).await]
}

async fn ask(field: &Field, key: &str, body: &Value) -> String {
    let answer = field.platform.submit(key, body).await;
    let id = answer.id().map(str::to_owned);
    id.unwrap_or_else(|| panic!("{key} is not accepted: {answer:?}"))
}

async fn create(field: &Field) {
    ask(field, "create", &stand::create("cpanel", "anna")).await;
}

/// Asks for a change of the account that [`create`] makes.
async fn change(field: &Field, kind: &str, with: Value) {
    let mut account = json!({"reference": "billing:cpanel-anna"});
    if let (Some(account), Value::Object(with)) = (account.as_object_mut(), with) {
        account.extend(with);
    }
    let body = json!({"kind": kind, "server": "cpanel", "account": account});
    ask(field, kind, &body).await;
}

/// Waits a while for what is asked so far; a bug may keep it from ever coming to rest.
async fn rest(field: &Field) {
    let _ = field.drain(Duration::from_secs(60)).await;
}

fn slow(call: &str, ms: u64) -> Fault {
    Fault::on(call).reply(Reply::Late { ms })
}

async fn one_create(field: &Field) -> Vec<Process> {
    let processes = serve(field).await;
    create(field).await;
    processes
}

async fn made(field: &Field) -> Vec<Process> {
    let processes = one_create(field).await;
    rest(field).await;
    processes
}

/// It is stopped while it looks, its claim ends, another worker takes the job up and sends the change; then
/// it goes on, and wants to write that nothing was sent.
async fn a_worker_comes_back_from_the_dead(field: &Field) -> Vec<Process> {
    let scheduler = field.start(Part::Scheduler, &[]).await;
    let dead = field.start(Part::Worker, &[]).await;
    create(field).await;
    rest(field).await;
    let panel = field.panel("cpanel");
    let looks = Fault::on("*").only(Scope::Read).for_user("anna");
    panel.faults().add(looks.reply(Reply::Never));
    change(field, "change_package", json!({"package": "gold"})).await;
    while panel.faults().fired().is_empty() {
        // There is a job, so it does not rest: this waits for a look at the database.
        field.drain(Duration::ZERO).await.unwrap_err();
    }
    dead.signal("STOP");
    panel.faults().add(slow("changepackage", 5000));
    change(field, "suspend", json!({})).await;
    let other = field.start(Part::Worker, &[]).await;
    panel.wait_for_call("changepackage", 1).await;
    dead.signal("CONT");
    vec![other, scheduler, dead]
}

async fn the_ring_is_lost(field: &Field) -> Vec<Process> {
    let aborts = [("HOSTLER_FAILPOINT", "intake_committed")];
    let mut first = field.start(Part::Serve, &aborts).await;
    let body = stand::create("cpanel", "anna");
    assert!(
        field
            .platform
            .once("/v1/jobs", "create", &body)
            .await
            .is_none()
    );
    assert_eq!(first.ended().await, Ended::Signal(6), "it was aborted");
    field.kill(&mut first).await;
    one_create(field).await
}

async fn the_answer_to_a_create_is_lost(field: &Field) -> Vec<Process> {
    let lost = Fault::on("createacct").applied(Applied::Yes);
    field.panel("cpanel").faults().add(lost.reply(Reply::Reset));
    one_create(field).await
}

/// The panel carries it out after the connection is gone, and after the next change was asked for.
async fn a_suspend_takes_effect_late(field: &Field) -> Vec<Process> {
    let processes = made(field).await;
    let panel = field.panel("cpanel");
    let late = Fault::on("suspendacct").applied(Applied::AfterSeconds(4));
    panel.faults().add(late.reply(Reply::Reset));
    change(field, "suspend", json!({})).await;
    panel.wait_for_call("suspendacct", 1).await;
    change(field, "unsuspend", json!({})).await;
    rest(field).await;
    panel.advance(Duration::from_secs(10));
    processes
}

async fn two_changes_on_a_slow_panel(field: &Field) -> Vec<Process> {
    let processes = made(field).await;
    let panel = field.panel("cpanel");
    panel.faults().add(slow("changepackage", 1200));
    change(field, "change_package", json!({"package": "gold"})).await;
    change(field, "suspend", json!({})).await;
    processes
}

async fn two_changes_behind_a_slow_create(field: &Field) -> Vec<Process> {
    field.panel("cpanel").faults().add(slow("createacct", 1500));
    let processes = one_create(field).await;
    change(field, "change_package", json!({"package": "gold"})).await;
    change(field, "suspend", json!({})).await;
    processes
}

/// Three times and it is parked; the next process has no such trouble.
async fn an_attempt_that_always_panics(field: &Field) -> Vec<Process> {
    let panics = [("HOSTLER_FAILPOINT", "observed:suspend@*!panic")];
    let mut first = field.start(Part::Serve, &panics).await;
    create(field).await;
    rest(field).await;
    change(field, "suspend", json!({})).await;
    let _ = field.drain(Duration::from_secs(8)).await;
    field.kill(&mut first).await;
    serve(field).await
}

async fn a_suspend_is_superseded(field: &Field) -> Vec<Process> {
    field.panel("cpanel").faults().add(slow("createacct", 1500));
    let processes = one_create(field).await;
    change(field, "suspend", json!({})).await;
    change(field, "unsuspend", json!({})).await;
    processes
}

async fn the_same_request_twice(field: &Field) -> Vec<Process> {
    let processes = made(field).await;
    create(field).await;
    processes
}

async fn a_create_of_a_name_that_is_taken(field: &Field) -> Vec<Process> {
    let processes = serve(field).await;
    let theirs = field.panel("cpanel").accounts().remove(0).username;
    ask(field, "create", &stand::create("cpanel", &theirs)).await;
    processes
}

async fn a_removal_of_another_domain(field: &Field) -> Vec<Process> {
    let processes = serve(field).await;
    let theirs = field.panel("cpanel").accounts().remove(0).username;
    let account = json!({"username": theirs, "domain": "another.example.com"});
    let body = json!({"kind": "terminate", "server": "cpanel", "account": account});
    ask(field, "terminate", &body).await;
    processes
}

async fn traffic_is_read_twice(field: &Field) -> Vec<Process> {
    let processes = made(field).await;
    let panel = field.panel("cpanel");
    let month = panel.month();
    for (key, bytes) in [("first", 5_000_000), ("second", 1_000_000)] {
        assert!(panel.add_traffic("anna", &month, bytes));
        let body = json!({"kind": "get_stats", "server": "cpanel", "month": month});
        ask(field, key, &body).await;
        rest(field).await;
    }
    processes
}

async fn a_password_is_set(field: &Field) -> Vec<Process> {
    let processes = made(field).await;
    let password = "Xy7-canary-Pass+word/9=";
    field.note_secret("password", password);
    change(field, "change_password", json!({"password": password})).await;
    processes
}

/// WHM wants names to differ in their first eight characters.
async fn a_create_is_refused(field: &Field) -> Vec<Process> {
    let processes = serve(field).await;
    for name in ["samename1", "samename2"] {
        ask(field, name, &stand::create("cpanel", name)).await;
        rest(field).await;
    }
    processes
}
