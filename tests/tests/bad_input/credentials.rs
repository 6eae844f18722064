//! A panel that does not know us: its jobs wait for a person, and it is left alone meanwhile.

use serde_json::Value;
use simulator::{Applied, Fault, PanelKind, Reply};
use tests::stand::Stand;

const JOBS: usize = 50;

/// Gives the server this secret, as an operator does.
fn set_secret(stand: &Stand, server: &str, secret: &str) {
    let file = stand.installation.folder().join("another.secret");
    std::fs::write(&file, secret).unwrap();
    let file = file.to_str().unwrap();
    stand
        .installation
        .hostler(&["server", "set", server, "--secret-file", file]);
}

async fn state(stand: &Stand, id: &str) -> Value {
    stand.client.get(&format!("/v1/jobs/{id}?wait=1")).await.1
}

async fn a_wrong_token(server: &'static str, kind: PanelKind) {
    let stand = Stand::new(&[(server, kind)], &[]).await;
    let right = stand.panel(server).secret().to_owned();
    let wrong: String = right.chars().rev().collect();
    set_secret(&stand, server, &wrong);
    let mut ids = Vec::new();
    for n in 0..JOBS {
        ids.push(stand.create(server, &format!("acme{n:02}")).await);
    }
    let first = stand.client.settled(&ids[0]).await;
    assert_eq!(first["state"], "held", "{first}");
    assert_eq!(first["error"]["class"], "auth", "{first}");
    // A second in which a storm would be hundreds of calls.
    let last = state(&stand, &ids[JOBS - 1]).await;
    assert_eq!(last["waiting_for"]["reason"], "auth_hold", "{last}");
    let calls = stand.calls();
    println!("{kind}: {JOBS} jobs with a refused token made {calls} calls");
    assert!(calls <= 6, "{calls} calls with a token that is refused");

    let check = stand.installation.try_hostler(&["server", "check", server]);
    assert_eq!(check.code, 1, "{}{}", check.out, check.err);
    assert_eq!(state(&stand, &ids[0]).await["state"], "held");

    set_secret(&stand, server, &right);
    stand.installation.hostler(&["server", "check", server]);
    for id in &ids {
        let job = stand.client.settled(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    assert_eq!(stand.panel(server).accounts().len(), JOBS);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_whm_token_costs_a_handful_of_calls_and_no_job() {
    a_wrong_token("web1", PanelKind::Cpanel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_froxlor_secret_costs_a_handful_of_calls_and_no_job() {
    a_wrong_token("web2", PanelKind::Froxlor).await;
}

/// Whether the account was made behind the login page or not, the job that asked for it goes on once the
/// server is in order, and there is one account.
async fn a_login_page(server: &'static str, kind: PanelKind, call: &str, applied: Applied) {
    let stand = Stand::new(&[(server, kind)], &[]).await;
    let page = Fault::on(call).applied(applied).reply(Reply::Html);
    stand.panel(server).faults().add(page);
    let id = stand.create(server, "acme").await;
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "held", "{job}");
    assert_eq!(job["error"]["class"], "auth", "{job}");
    stand.installation.hostler(&["server", "check", server]);
    let job = stand.client.settled(&id).await;
    assert_eq!(job["state"], "succeeded", "{applied:?} {job}");
    assert_eq!(job["account"]["state"], "active", "{job}");
    assert_eq!(stand.panel(server).accounts().len(), 1);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_page_instead_of_an_answer_to_a_create_holds_it_and_makes_one_account() {
    for (server, kind, call) in [
        ("web1", PanelKind::Cpanel, "createacct"),
        ("web2", PanelKind::Froxlor, "Customers.add"),
    ] {
        a_login_page(server, kind, call, Applied::Yes).await;
        a_login_page(server, kind, call, Applied::No).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_page_instead_of_the_traffic_holds_the_reading_and_books_nothing() {
    for (server, kind, call) in [
        ("web1", PanelKind::Cpanel, "showbw"),
        ("web2", PanelKind::Froxlor, "Customers.listing"),
    ] {
        let stand = Stand::new(&[(server, kind)], &[]).await;
        let made = stand.create(server, "acme").await;
        assert_eq!(stand.client.settled(&made).await["state"], "succeeded");
        let panel = stand.panel(server);
        let month = panel.month();
        panel.faults().add(Fault::on(call).reply(Reply::Html));
        let body = serde_json::json!({"kind": "get_stats", "server": server, "month": month});
        let id = stand.client.submit("stats", &body).await;
        let job = stand.client.settled(&id).await;
        assert_eq!(
            (&job["state"], &job["error"]["class"]),
            (&"held".into(), &"auth".into()),
            "{job}"
        );
        stand.installation.hostler(&["server", "check", server]);
        let job = stand.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        stand.end().await;
    }
}
