//! Panels that answer nonsense, too much, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::{Applied, Fault, PanelKind, Reply, WrongJson};
use tests::stand::Stand;

/// What an answer may be instead of an answer.
fn nonsense() -> Vec<Reply> {
    vec![
        Reply::Never,
        Reply::Reset,
        Reply::Empty,
        Reply::CutResponse { after: 0 },
        Reply::CutBody { after: 10 },
        Reply::Endless,
        Reply::EndlessHeaders,
        Reply::Raw {
            text: "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        },
        Reply::Status {
            code: 503,
            body: "<html><h1>503 Service Unavailable</h1></html>".to_owned(),
        },
        Reply::Status {
            code: 200,
            body: "<html><body>It works!</body></html>".to_owned(),
        },
        Reply::WrongJson(WrongJson::Truncated),
        Reply::WrongJson(WrongJson::NumbersAsStrings),
        Reply::WrongJson(WrongJson::NumbersWithUnits),
        Reply::WrongJson(WrongJson::StringsAsNumbers),
        Reply::WrongJson(WrongJson::Fractions),
        Reply::WrongJson(WrongJson::HugeNumbers),
        Reply::WrongJson(WrongJson::Negative),
        Reply::WrongJson(WrongJson::Nulls),
        Reply::WrongJson(WrongJson::EmptyObject),
        Reply::WrongJson(WrongJson::EmptyList),
        Reply::WrongJson(WrongJson::Deep),
        Reply::WrongJson(WrongJson::Latin1),
    ]
}

/// The process' largest resident size so far, in MB.
fn peak_mb(stand: &Stand) -> u64 {
    let path = format!("/proc/{}/status", stand.role.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kb = line.unwrap().split_whitespace().nth(1).unwrap();
    kb.parse::<u64>().unwrap() / 1024
}

/// Every create gets another nonsense, once; half of them take effect nevertheless. All succeed, after a
/// look where needed, and each has made one account.
async fn creates(server: &'static str, kind: PanelKind, call: &str) {
    let stand = Stand::new(&[(server, kind)], &[]).await;
    let first = stand.create(server, "before").await;
    stand.client.settled(&first).await;
    let before = peak_mb(&stand);
    let panel = stand.panel(server);
    let mut jobs = BTreeMap::new();
    for (n, reply) in nonsense().into_iter().enumerate() {
        for (letter, applied) in [('y', Applied::Yes), ('n', Applied::No)] {
            let name = format!("acme{letter}{n:02}");
            let fault = Fault::on(call).for_user(&name).applied(applied);
            panel.faults().add(fault.reply(reply.clone()));
            let id = stand.create(server, &name).await;
            jobs.insert(name, (id, applied, reply.clone()));
        }
    }
    let mut bad = Vec::new();
    for (name, (id, applied, reply)) in &jobs {
        let job = stand.client.settled(id).await;
        let there = panel.account(name).is_some();
        if job["state"] != "succeeded" || !there {
            bad.push(format!("{reply:?} {applied:?} there: {there} {job}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert_eq!(panel.faults().fired().len(), jobs.len());
    assert_eq!(panel.accounts().len(), jobs.len() + 1);
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in panel.ledger().iter().filter(|entry| entry.call == call) {
        let name = entry.username.clone();
        let incarnations = made.entry(name).or_default();
        assert!(incarnations.insert(entry.incarnation.clone()), "{entry:?}");
        assert_eq!(incarnations.len(), 1, "{entry:?}");
    }
    let grown = peak_mb(&stand) - before;
    println!(
        "{kind}: {} creates answered by nonsense, {grown} MB more",
        jobs.len()
    );
    assert!(grown < 100, "{grown} MB more after endless answers");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_is_answered_by_nonsense_makes_one_account_on_cpanel() {
    creates("web1", PanelKind::Cpanel, "createacct").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_is_answered_by_nonsense_makes_one_account_on_froxlor() {
    creates("web2", PanelKind::Froxlor, "Customers.add").await;
}

/// What is booked for the month, by login name.
async fn booked(stand: &Stand, server: &str, month: &str) -> BTreeMap<String, u64> {
    let path = format!("/v1/servers/{server}/usage?month={month}");
    let (status, rows) = stand.client.get(&path).await;
    assert_eq!(status, 200, "{rows}");
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| {
        let name = row["username"].as_str().unwrap().to_owned();
        (name, row["traffic_bytes"].as_u64().unwrap_or(0))
    })
    .collect()
}

const NAMES: [&str; 3] = ["acme1", "acme2", "acme3"];

/// A reading that meets `reply` once books the panel's figure in the end, and never another. Returns the
/// job and what is wrong.
async fn reading(stand: &Stand, server: &str, call: &str, reply: &Reply, n: u64) -> Vec<String> {
    let panel = stand.panel(server);
    let month = panel.month();
    for (at, name) in NAMES.iter().enumerate() {
        let bytes = (1 << 20) * (n + 1) * (at as u64 + 3);
        assert!(panel.add_traffic(name, &month, bytes));
    }
    panel.faults().add(Fault::on(call).reply(reply.clone()));
    let body = json!({"kind": "get_stats", "server": server, "month": month});
    let id = stand
        .client
        .submit(&format!("stats-{server}-{n}"), &body)
        .await;
    let job = stand.client.settled(&id).await;
    let mut bad = Vec::new();
    if job["state"] != "succeeded" {
        bad.push(format!("{reply:?} {job}"));
    }
    if panel.faults().waiting() > 0 {
        bad.push(format!("{reply:?} did not strike {job}"));
        panel.faults().clear();
    }
    let booked = booked(stand, server, &month).await;
    for name in NAMES {
        let (has, wants) = (booked.get(name).copied(), panel.traffic(name, &month));
        if has != Some(wants) {
            bad.push(format!(
                "{reply:?} {name}: {wants} on the panel, {has:?} booked {job}"
            ));
        }
    }
    bad
}

async fn readings(server: &'static str, kind: PanelKind, call: &str) {
    let stand = Stand::new(&[(server, kind)], &[]).await;
    for name in NAMES {
        let id = stand.create(server, name).await;
        let job = stand.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    let before = peak_mb(&stand);
    let mut bad = Vec::new();
    for (n, reply) in (1..).zip(nonsense()) {
        bad.extend(reading(&stand, server, call, &reply, n).await);
    }
    let grown = peak_mb(&stand) - before;
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    println!("{kind}: readings answered by nonsense, {grown} MB more");
    // A listing may have 64 MB; a buffer that doubles holds twice that and half of it again.
    assert!(grown < 300, "{grown} MB more after endless answers");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_answered_by_nonsense_books_the_right_figure_on_cpanel() {
    readings("web1", PanelKind::Cpanel, "showbw").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_answered_by_nonsense_books_the_right_figure_on_froxlor() {
    readings("web2", PanelKind::Froxlor, "Traffic.listing").await;
}

/// A panel that never comes to its senses: the reading fails after its tries, and what was booked stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_never_answered_sensibly_fails_and_books_nothing() {
    let stand = Stand::new(&[("web1", PanelKind::Cpanel)], &[]).await;
    let made = stand.create("web1", "acme1").await;
    stand.client.settled(&made).await;
    let panel = stand.panel("web1");
    let month = panel.month();
    panel.add_traffic("acme1", &month, 5 << 20);
    let cut = Reply::WrongJson(WrongJson::Truncated);
    panel.faults().add(Fault::on("showbw").times(0).reply(cut));
    let body = json!({"kind": "get_stats", "server": "web1", "month": month});
    let id = stand.client.submit("stats", &body).await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["attempts"].as_array().map(Vec::len), Some(6), "{job}");
    assert_eq!(job["result"], Value::Null);
    let booked = booked(&stand, "web1", &month).await;
    assert_eq!(booked.get("acme1").copied().unwrap_or(0), 0);
    stand.end().await;
}
