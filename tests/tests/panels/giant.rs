//! Bodies without an end, 64 at once.

use serde_json::json;
use simulator::{Fault, PanelKind, Reply};
use tests::stand::Stand;

use crate::{BOTH, make};

const AT_ONCE: usize = 64;
const PAGE: u64 = 4096;

/// Resident bytes now.
fn resident(stand: &Stand) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", stand.role.id())).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE
}

/// The most that were resident so far.
fn peak(stand: &Stand) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", stand.role.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// How many MB more the process needs for that many jobs at once whose first read never ends.
async fn grown(server: &'static str, kind: PanelKind, at_once: usize) -> u64 {
    let concurrency = at_once.to_string();
    let stand = Stand::serving(&[(server, kind)], &["--concurrency", &concurrency]).await;
    stand
        .installation
        .hostler(&["server", "set", server, "--max-jobs", &concurrency]);
    let client = stand.admin();
    let names: Vec<String> = (0..at_once).map(|n| format!("acme{n:02}")).collect();
    make(
        &stand,
        server,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let before = resident(&stand);
    let panel = stand.panel(server);
    let find = match kind {
        PanelKind::Cpanel => "accountsummary",
        PanelKind::Froxlor => "Customers.get",
        PanelKind::HostBill => unreachable!("it is no hosting server"),
    };
    let endless = Fault::on(find).times(at_once as u64);
    panel.faults().add(endless.reply(Reply::Endless));
    // All of them begin at the same moment.
    stand.installation.hostler(&["server", "pause", server]);
    let mut ids = Vec::new();
    for name in &names {
        let job = crate::body("suspend", server, name, &json!({}));
        ids.push(client.submit(&format!("suspend-{name}"), &job).await);
    }
    stand.installation.hostler(&["server", "resume", server]);
    for id in &ids {
        let job = client.settled(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    assert_eq!(panel.faults().waiting(), 0, "all of them struck");
    let grown = peak(&stand).saturating_sub(before) >> 20;
    println!("{kind}: {at_once} endless bodies at once, {grown} MB more");
    stand.end().await;
    grown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_an_end_takes_32_mb_at_most() {
    for (server, kind) in BOTH {
        let grown = grown(server, kind, 1).await;
        assert!(grown < 32, "{grown} MB more");
    }
}

/// The cap of each is 1 MB; what TLS and the allocator need comes on top.
async fn sixty_four((server, kind): (&'static str, PanelKind)) {
    let grown = grown(server, kind, AT_ONCE).await;
    // A buffer that doubles holds half of its cap again while it moves.
    assert!(grown < 128, "{grown} MB more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_bodies_without_an_end_take_no_more_than_their_caps_on_cpanel() {
    sixty_four(BOTH[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the same client as on cPanel, and half a minute"]
async fn sixty_four_bodies_without_an_end_take_no_more_than_their_caps_on_froxlor() {
    sixty_four(BOTH[1]).await;
}
