//! Changes that take effect 45 seconds of the panel's time after it broke the connection off.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Applied, Fault, PanelKind, Reply, Simulator};
use tests::client::Client;
use tests::stand::Stand;

use crate::{BOTH, body, make, run};

const LATE: Duration = Duration::from_secs(45);
/// The settle times are 24 s and more by it, so that 45 s of the panel's time are soon over.
const PACE: f64 = 0.2;

/// A kind of job, and the call by which it changes something on each panel.
struct Change {
    kind: &'static str,
    calls: [&'static str; 2],
    with: Value,
    /// Whether a look shows that it took effect.
    visible: bool,
}

fn changes() -> Vec<Change> {
    let change = |kind, calls, with, visible| Change {
        kind,
        calls,
        with,
        visible,
    };
    let update = "Customers.update";
    vec![
        change("suspend", ["suspendacct", update], json!({}), true),
        change("unsuspend", ["unsuspendacct", update], json!({}), true),
        change(
            "change_package",
            ["changepackage", update],
            json!({"package": "gold"}),
            true,
        ),
        change(
            "change_limits",
            ["editquota", update],
            json!({"limits": {"disk_mb": 2048}}),
            true,
        ),
        change(
            "terminate",
            ["removeacct", "Customers.delete"],
            json!({}),
            true,
        ),
        change(
            "change_password",
            ["passwd", update],
            json!({"password": "Xy7-new-Pass+9"}),
            false,
        ),
        change("unlock", ["", "Customers.unlock"], json!({}), false),
    ]
}

fn fault(call: &str, username: &str) -> Fault {
    let late = Fault::on(call)
        .for_user(username)
        .applied(Applied::AfterSeconds(45));
    late.reply(Reply::Reset)
}

/// Requests of that call for that account.
fn requests(panel: &Simulator, call: &str, username: &str) -> usize {
    let seen = panel.requests();
    let same = seen
        .iter()
        .filter(|one| one.call.eq_ignore_ascii_case(call));
    same.filter(|one| one.username.as_deref() == Some(username))
        .count()
}

/// Waits until the job has looked at least once since its change left.
async fn looked_again(client: &Client, id: &str) {
    loop {
        let (_, job) = client.get(&format!("/v1/jobs/{id}?wait=1")).await;
        assert_ne!(job["state"], "succeeded", "before it took effect: {job}");
        if job["attempt"].as_u64() >= Some(2) && job["state"] == "retrying" {
            return;
        }
    }
}

async fn every_visible_change(place: usize) {
    let (server, kind) = BOTH[place];
    let stand = Stand::paced(&[(server, kind)], &[], PACE).await;
    let (panel, client) = (stand.panel(server), stand.admin());
    let changes: Vec<Change> = changes().into_iter().filter(|one| one.visible).collect();
    let names: Vec<String> = (0..changes.len()).map(|n| format!("acme{n}")).collect();
    make(
        &stand,
        server,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let at = changes
        .iter()
        .position(|one| one.kind == "unsuspend")
        .unwrap();
    let suspend = body("suspend", server, &names[at], &json!({}));
    assert_eq!(run(&client, "before", &suspend).await["state"], "succeeded");
    let mut jobs = Vec::new();
    for (change, name) in changes.iter().zip(&names) {
        panel.faults().add(fault(change.calls[place], name));
        let before = requests(panel, change.calls[place], name);
        let job = body(change.kind, server, name, &change.with);
        jobs.push((client.submit(change.kind, &job).await, before));
    }
    panel
        .faults()
        .add(fault(["createacct", "Customers.add"][place], "newone"));
    jobs.push((stand.create(server, "newone").await, 0));
    for (id, _) in &jobs {
        looked_again(&client, id).await;
    }
    assert_eq!(panel.deferred(), jobs.len(), "all are under way");
    panel.advance(LATE);
    let made = ["createacct", "Customers.add"][place];
    let sent = changes.iter().map(|one| one.calls[place]).chain([made]);
    let names = names.iter().map(String::as_str).chain(["newone"]);
    for (((id, before), call), name) in jobs.iter().zip(sent).zip(names) {
        let job = client.settled(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(requests(panel, call, name) - before, 1, "{call}: {job}");
    }
    assert_eq!(panel.deferred(), 0);
    assert_eq!(panel.accounts().len(), changes.len(), "one gone, one new");
    assert!(panel.account(&format!("acme{}", 0)).unwrap().suspended);
    println!(
        "{kind}: {} changes that came 45 s late, each sent once",
        jobs.len()
    );
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_lands_45_seconds_late_is_sent_once_on_cpanel() {
    every_visible_change(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_lands_45_seconds_late_is_sent_once_on_froxlor() {
    every_visible_change(1).await;
}

/// What no look shows is sent again once it has settled; the same password, and nothing else, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_look_shows_is_sent_again_after_its_settle_time() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (place, (server, _)) in BOTH.into_iter().enumerate() {
        make(&stand, server, &["acme"]).await;
        let panel = stand.panel(server);
        for change in changes().iter().filter(|one| !one.visible) {
            let call = change.calls[place];
            if call.is_empty() {
                continue;
            }
            let before = requests(panel, call, "acme");
            panel.faults().add(fault(call, "acme"));
            let key = format!("{server}-{}", change.kind);
            let job = body(change.kind, server, "acme", &change.with);
            let job = run(&client, &key, &job).await;
            assert_eq!(job["state"], "succeeded", "{job}");
            assert_eq!(requests(panel, call, "acme") - before, 2, "{call}");
            panel.advance(LATE);
        }
        assert!(panel.account("acme").unwrap().password_is("Xy7-new-Pass+9"));
        assert_eq!(panel.accounts().len(), 1);
    }
    stand.end().await;
}

/// The first request lands after we looked for the last time, just before the second one arrives.
async fn overtaken(server: &'static str, kind: PanelKind, look: &str, create: &str) {
    let stand = Stand::new(&[(server, kind)], &[]).await;
    let panel = stand.panel(server);
    panel.faults().add(fault(create, "acme"));
    // The last look before the second request, which therefore waits for us.
    panel
        .faults()
        .add(Fault::on(look).nth(2).reply(Reply::Late { ms: 3000 }));
    let id = stand.create(server, "acme").await;
    panel.wait_for_call(look, 2).await;
    panel.advance(LATE);
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(requests(panel, create, "acme"), 2, "{job}");
    assert_eq!(panel.accounts().len(), 1);
    let made = panel.ledger();
    let made = made.iter().filter(|entry| entry.call == create).count();
    assert_eq!(made, 1, "{:?}", panel.ledger());
    // The one that is handed out is the true one, although the panel never confirmed the first request.
    let path = format!("/v1/jobs/{id}/secret");
    let (status, secret) = stand.client.post(&path, "secret", &json!({})).await;
    assert_eq!(status, 200, "the password cannot be fetched");
    let password = secret["password"].as_str().unwrap();
    assert!(panel.account("acme").unwrap().password_is(password));
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_create_that_lands_before_the_second_is_adopted_on_cpanel() {
    overtaken("web1", PanelKind::Cpanel, "getdomainowner", "createacct").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_create_that_lands_before_the_second_is_adopted_on_froxlor() {
    overtaken("web2", PanelKind::Froxlor, "Domains.get", "Customers.add").await;
}
