//! Jobs that kill: parked after three deaths, while the others go on. The real process panics, aborts, or runs
//! out of memory.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use entity::{attempt, job, job_event};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use tests::field::{Ended, Field, Part, Plan, Process};
use tests::installation::faulty_binary;

const OTHERS: usize = 4;
/// Bytes of address space: enough to work, and soon eaten.
const LIMIT: u64 = 3 << 30;

fn about(kind: &str, username: &str) -> Value {
    json!({"kind": kind, "server": "cpanel", "account": {"username": username}})
}

/// The binary behind a limit of its memory.
fn limited(folder: &Path) -> PathBuf {
    let script = folder.join("limited");
    let binary = faulty_binary().canonicalize().expect("it is built");
    let text = format!(
        "#!/bin/sh\nulimit -v {}\nexec {} \"$@\"\n",
        LIMIT / 1024,
        binary.display()
    );
    std::fs::write(&script, text).expect("written");
    let may_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, may_run).expect("made a program");
    script
}

async fn accepted(field: &Field, key: &str, body: &Value) -> String {
    let answer = field.platform.submit(key, body).await;
    let id = answer.id().map(str::to_owned);
    id.unwrap_or_else(|| panic!("{body}: {answer:?}"))
}

async fn row(field: &Field, id: &str) -> job::Model {
    let found = job::Entity::find()
        .filter(job::Column::PublicId.eq(id))
        .one(field.sql())
        .await;
    found.expect("answered").expect("there is the job")
}

/// Processes, one after the other, until everything is at rest; how many of them died.
async fn until_rest(field: &Field, armed: &[(&str, &str)]) -> (usize, Process) {
    let mut deaths = 0;
    loop {
        let mut process = field.start(Part::Serve, armed).await;
        let rested = tokio::select! {
            ended = process.ended() => {
                assert_eq!(ended, Ended::Signal(6), "{}", process.output().display());
                false
            }
            drained = field.drain(Duration::from_secs(300)) => {
                drained.expect("everything comes to rest");
                true
            }
        };
        if rested {
            return (deaths, process);
        }
        field.kill(&mut process).await;
        deaths += 1;
    }
}

/// A field with accounts, each made by its job.
async fn prepared(binary: PathBuf, folder: &Path) -> Field {
    let field = Field::new(Plan::new(folder, binary)).await;
    let mut process = field.start(Part::Serve, &[]).await;
    for number in 0..=OTHERS {
        let name = format!("user{number}");
        let mut body = about("create", &name);
        body["account"]["domain"] = json!(format!("{name}.example.com"));
        body["account"]["email"] = json!("owner@example.org");
        body["account"]["package"] = json!("silver");
        accepted(&field, &format!("create-{name}"), &body).await;
    }
    field.drain(Duration::from_secs(120)).await.expect("made");
    process.stop().await;
    field.kill(&mut process).await;
    field
}

/// The action strikes whenever the suspend of `user0` has looked at the panel.
async fn parked_after_three_deaths(action: &str, deaths: usize, limit: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = if limit {
        limited(folder.path())
    } else {
        faulty_binary()
    };
    let field = prepared(binary, &folder.path().join("run")).await;
    // All of them are claimed together.
    field.installation.hostler(&["server", "pause", "cpanel"]);
    let mut process = field.start(Part::Serve, &[]).await;
    let poison = accepted(&field, "poison", &about("suspend", "user0")).await;
    let behind = accepted(&field, "behind", &about("login_url", "user0")).await;
    let mut limits = about("change_limits", "user0");
    limits["account"]["limits"] = json!({"disk_mb": 2048});
    let next = accepted(&field, "next", &limits).await;
    let mut others = Vec::new();
    for number in 1..=OTHERS {
        let mut body = about("change_limits", &format!("user{number}"));
        body["account"]["limits"] = json!({"disk_mb": 1024});
        others.push(accepted(&field, &format!("other-{number}"), &body).await);
    }
    field.kill(&mut process).await;
    field.installation.hostler(&["server", "resume", "cpanel"]);
    let armed = format!("observed:suspend@*!{action}");
    let (died, mut process) = until_rest(&field, &[("HOSTLER_FAILPOINT", &armed)]).await;
    let parked = row(&field, &poison).await;
    assert_eq!(
        (
            parked.state.as_str(),
            parked.hold_code.as_deref(),
            parked.worker_deaths
        ),
        ("held", Some("poison"), 3),
        "{action}"
    );
    assert!(parked.error_message.is_some(), "it says why");
    for id in others.iter().chain([&behind, &next]) {
        let row = row(&field, id).await;
        assert_eq!(
            row.state, "succeeded",
            "{action}: {} {:?}",
            row.idem_key, row.error_message
        );
    }
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::JobId.eq(parked.id))
        .order_by_asc(attempt::Column::Fence)
        .all(field.sql())
        .await
        .expect("answered");
    let outcomes: Vec<&str> = attempts.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(outcomes.len(), 3, "{action}: {outcomes:?}");
    // Where there is no memory left, something may also panic before something aborts.
    let panicked = outcomes
        .iter()
        .filter(|outcome| **outcome == "died")
        .count();
    assert_eq!(died + panicked, 3, "{action}: {outcomes:?}");
    assert!(died == deaths || limit, "{action}: {outcomes:?}");
    if panicked < 3 {
        let events = job_event::Entity::find()
            .filter(job_event::Column::JobId.eq(parked.id))
            .all(field.sql())
            .await
            .expect("answered");
        assert!(
            events.iter().any(|event| event.event == "parked"),
            "{events:?}"
        );
    }
    let panel = field.panel("cpanel");
    assert!(
        panel
            .account("user0")
            .is_some_and(|account| !account.suspended)
    );
    assert_eq!(process.stop().await, Ended::Code(0));
    // Mended, it is replayed by a person.
    let mut process = field.start(Part::Serve, &[]).await;
    let path = format!("/v1/jobs/{poison}/replay");
    let forced = json!({"reason": "mended", "force": true});
    let answer = field.platform.post(&path, "mended", &forced).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    field.drain(Duration::from_secs(120)).await.expect("done");
    assert_eq!(row(&field, &poison).await.state, "succeeded");
    assert!(
        field
            .panel("cpanel")
            .account("user0")
            .is_some_and(|account| account.suspended)
    );
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_panics_is_parked_and_its_process_lives() {
    parked_after_three_deaths("panic", 0, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_aborts_the_process_is_parked_and_the_others_go_on() {
    parked_after_three_deaths("abort", 3, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_eats_all_memory_is_parked_and_the_others_go_on() {
    parked_after_three_deaths("eat", 3, true).await;
}
