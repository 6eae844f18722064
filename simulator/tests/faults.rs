//! What clients get to see when something goes wrong, and what the ledger says about it.

mod support;

use std::time::Duration;

use serde_json::Value;
use simulator::{
    Applied, Certificate, Fault, FaultPlan, Identity, Options, PanelKind, Reply, Scope, Simulator,
    WrongJson,
};
use support::Bench;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CREATE: [(&str, &str); 4] = [
    ("username", "acme"),
    ("domain", "acme.example.com"),
    ("plan", "gold"),
    ("password", "xK9!mQ2#vB7@"),
];

/// A create whose reply is spoilt: the client's result, after a limit of time that only silence reaches.
async fn create(
    bench: &Bench,
    reply: Reply,
) -> Result<(u16, reqwest::header::HeaderMap, Vec<u8>), reqwest::Error> {
    bench
        .panel
        .faults()
        .add(Fault::on("createacct").reply(reply));
    let request = bench
        .whm_request("createacct", &CREATE)
        .timeout(Duration::from_millis(700));
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok((status, headers, response.bytes().await?.to_vec()))
}

#[tokio::test]
async fn every_reply_breaks_the_answer_and_not_the_effect() {
    let broken = [
        Reply::Never,
        Reply::Reset,
        Reply::CutBody { after: 10 },
        Reply::CutResponse { after: 0 },
        Reply::CutResponse { after: 20 },
        Reply::Endless,
        Reply::EndlessHeaders,
        Reply::Slow {
            bytes_per_second: 1,
        },
        Reply::Raw {
            text: "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        },
    ];
    for reply in broken {
        let bench = Bench::whm().await;
        assert!(create(&bench, reply.clone()).await.is_err(), "{reply:?}");
        assert_eq!(
            (bench.panel.accounts().len(), bench.panel.ledger().len()),
            (1, 1),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn replies_that_end_say_what_they_were_told_to() {
    let status = |code| Reply::Status {
        code,
        body: "<html>bad gateway</html>".to_owned(),
    };
    for (reply, expected) in [
        (status(502), 502),
        (status(503), 503),
        (Reply::Html, 200),
        (Reply::Empty, 200),
        (Reply::Unauthorized, 401),
        (Reply::Forbidden, 403),
        (
            Reply::Throttled {
                retry_after: "120".to_owned(),
            },
            429,
        ),
        (
            Reply::Redirect {
                status: 307,
                to: "https://example.org/".to_owned(),
            },
            307,
        ),
        (Reply::WrongJson(WrongJson::Truncated), 200),
        (Reply::Late { ms: 1 }, 200),
    ] {
        let bench = Bench::whm().await;
        let (status, headers, body) = create(&bench, reply.clone()).await.unwrap();
        assert_eq!(status, expected, "{reply:?}");
        assert_eq!(bench.panel.accounts().len(), 1, "{reply:?}");
        let json = serde_json::from_slice::<Value>(&body).is_ok();
        match reply {
            Reply::Throttled { .. } => assert_eq!(headers["retry-after"], "120"),
            Reply::Redirect { .. } => assert_eq!(headers["location"], "https://example.org/"),
            Reply::Late { .. } | Reply::Forbidden => assert!(json),
            Reply::Empty => assert!(body.is_empty()),
            _ => assert!(!json, "{reply:?}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

#[tokio::test]
async fn an_answer_can_be_a_lie() {
    let bench = Bench::whm().await;
    bench
        .panel
        .faults()
        .add(Fault::on("createacct").applied(Applied::No));
    let answer = bench.whm_call("createacct", &CREATE).await;
    assert_eq!(answer["metadata"]["reason"], "Account Creation Ok");
    assert!(bench.panel.accounts().is_empty() && bench.panel.ledger().is_empty());
    let again = bench.whm_call("createacct", &CREATE).await;
    assert_eq!(
        again["metadata"]["result"], 1,
        "the fault was for one call: {again}"
    );
}

#[tokio::test]
async fn an_effect_can_come_long_after_the_connection_is_gone() {
    let bench = Bench::whm().await;
    bench.panel.faults().add(
        Fault::on("createacct")
            .applied(Applied::AfterSeconds(45))
            .reply(Reply::Reset),
    );
    assert!(
        bench
            .whm_request("createacct", &CREATE)
            .send()
            .await
            .is_err()
    );
    let summary = bench
        .whm_reason("accountsummary", &[("user", "acme")], false)
        .await;
    assert_eq!(
        (summary.as_str(), bench.panel.deferred()),
        ("Account does not exist", 1)
    );
    bench.panel.advance(Duration::from_secs(46));
    bench
        .whm_reason("accountsummary", &[("user", "acme")], true)
        .await;
    let ledger = bench.panel.ledger();
    assert_eq!(
        (ledger.len(), ledger[0].request, bench.panel.deferred()),
        (1, 1, 0)
    );
    assert!(
        ledger[0].end_ms - ledger[0].begin_ms >= 45_000,
        "{ledger:?}"
    );
}

#[tokio::test]
async fn a_change_during_the_panels_own_work_overlaps_with_it() {
    let bench = Bench::whm().await;
    bench.create("acme").await;
    let later = Fault::on("suspendacct").applied(Applied::AfterSeconds(45));
    bench.panel.faults().add(later.reply(Reply::Reset));
    assert!(
        bench
            .whm_request("suspendacct", &[("user", "acme")])
            .send()
            .await
            .is_err()
    );
    bench
        .whm_reason("unsuspendacct", &[("user", "acme")], true)
        .await;
    bench.panel.advance(Duration::from_secs(46));
    assert_eq!(simulator::overlapping(&bench.panel.ledger()), [(2, 3)]);
    assert!(
        bench.panel.account("acme").unwrap().suspended,
        "the older one landed after the newer one"
    );
    bench.create("other").await;
    assert_eq!(simulator::overlapping(&bench.panel.ledger()).len(), 1);
}

#[tokio::test]
async fn a_create_that_is_under_way_refuses_a_second_one() {
    let bench = Bench::whm().await;
    let slow = Fault::on("createacct").applied(Applied::AfterSeconds(45));
    bench.panel.faults().add(slow.reply(Reply::Reset));
    assert!(
        bench
            .whm_request("createacct", &CREATE)
            .send()
            .await
            .is_err()
    );
    bench
        .whm_reason("accountsummary", &[("user", "acme")], false)
        .await;
    let second = bench.whm_reason("createacct", &CREATE, false).await;
    assert_eq!(second, "Sorry, a group for that username already exists.");
    bench.panel.advance(Duration::from_secs(46));
    let third = bench.whm_reason("createacct", &CREATE, false).await;
    assert_eq!(third, "This system already has an account named “acme”.");
    assert_eq!(
        (bench.panel.accounts().len(), bench.panel.ledger().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn half_a_create_leaves_a_group_behind() {
    let bench = Bench::whm().await;
    bench
        .panel
        .faults()
        .add(Fault::on("createacct").applied(Applied::Half));
    bench.whm_reason("createacct", &CREATE, false).await;
    let second = bench.whm_reason("createacct", &CREATE, false).await;
    assert_eq!(second, "Sorry, a group for that username already exists.");
    bench
        .whm_reason("accountsummary", &[("user", "acme")], false)
        .await;
}

#[tokio::test]
async fn half_an_add_leaves_a_customer_without_an_ftp_user() {
    let bench = Bench::froxlor().await;
    bench
        .panel
        .faults()
        .add(Fault::on("Customers.add").applied(Applied::Half));
    let add =
        serde_json::json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"});
    assert_eq!(bench.froxlor_call("Customers.add", add).await.0, 500);
    assert!(bench.panel.account("acme").unwrap().half_made);
    assert_eq!(bench.panel.ledger().len(), 1);
}

#[tokio::test]
async fn faults_find_their_calls_by_account_order_and_kind() {
    let bench = Bench::whm().await;
    let plan = FaultPlan::from_toml(
        "[[fault]]\ncall = \"*\"\nonly = \"change\"\nusername = \"acme\"\nnth = 2\nreply = \"forbidden\"\n",
    )
    .unwrap();
    bench.panel.add_faults(&plan);
    bench.create("acme").await;
    bench.create("other").await;
    bench
        .whm_reason("accountsummary", &[("user", "acme")], true)
        .await;
    let response = bench
        .whm_request("suspendacct", &[("user", "ACME")])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    let fired = bench.panel.faults().fired();
    assert_eq!(
        (
            fired.len(),
            fired[0].call.as_str(),
            fired[0].username.as_deref()
        ),
        (1, "suspendacct", Some("acme"))
    );
    let seen = bench.panel.requests();
    assert_eq!(seen.last().unwrap().fault.as_deref(), Some("forbidden"));
    assert_eq!(plan.faults[0].only, Scope::Change);
}

#[tokio::test]
async fn the_connection_itself_can_fail() {
    for reply in [Reply::Reset, Reply::CutResponse { after: 0 }, Reply::Html] {
        let bench = Bench::whm().await;
        bench
            .panel
            .faults()
            .add(Fault::on("connect").reply(reply.clone()));
        assert!(
            bench.whm_request("version", &[]).send().await.is_err(),
            "{reply:?}"
        );
        assert!(bench.panel.requests().is_empty(), "{reply:?}");
        assert_eq!(bench.panel.faults().fired().len(), 1);
    }
}

#[tokio::test]
async fn a_panel_that_is_down_refuses_and_comes_back_with_its_state() {
    let bench = Bench::whm().await;
    bench.create("acme").await;
    bench.panel.stop_listening().await;
    assert!(
        bench
            .whm_request("version", &[])
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
    bench.panel.listen_again().unwrap();
    bench
        .whm_reason("accountsummary", &[("user", "acme")], true)
        .await;
    bench.panel.restart().await.unwrap();
    bench
        .whm_reason("accountsummary", &[("user", "acme")], true)
        .await;
}

#[tokio::test]
async fn certificates_can_be_wrong() {
    for certificate in [Certificate::Expired, Certificate::WrongHost] {
        let bench = Bench::start(Options {
            certificate,
            ..Options::new(PanelKind::Cpanel)
        })
        .await;
        assert!(
            bench.whm_request("version", &[]).send().await.is_err(),
            "{certificate:?}"
        );
        assert!(bench.panel.requests().is_empty());
    }
    let bench = Bench::whm().await;
    let pin = bench.panel.pin();
    bench
        .panel
        .replace_identity(Identity::new("web1.example.net", Certificate::Good).unwrap());
    assert_ne!(pin, bench.panel.pin());
    assert!(bench.whm_request("version", &[]).send().await.is_err());
    assert!(pin.starts_with("sha256/") && pin.len() == "sha256/".len() + 44);
}

#[tokio::test]
async fn the_ledger_is_in_its_file_before_the_answer_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let options = Options {
        ledger: Some(path.clone()),
        ..Options::new(PanelKind::Cpanel)
    };
    let bench = Bench::start(options.clone()).await;
    for user in ["acme", "other"] {
        bench.create(user).await;
        assert_eq!(Simulator::read_ledger(&path).unwrap(), bench.panel.ledger());
    }
    bench.panel.stop().await;
    // What a crash cut short is not taken for an entry, and the count goes on.
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"seq\": 3, \"at_");
    std::fs::write(&path, torn).unwrap();
    assert_eq!(Simulator::read_ledger(&path).unwrap().len(), 2);
    let again = Bench::start(options).await;
    again.create("third").await;
    let seqs: Vec<u64> = Simulator::read_ledger(&path)
        .unwrap()
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
}

#[tokio::test]
async fn the_ledger_holds_what_changed_and_no_secret() {
    let bench = Bench::whm().await;
    bench.create("acme").await;
    bench
        .whm_reason(
            "passwd",
            &[("user", "acme"), ("password", "n3W!Secret#pw9")],
            true,
        )
        .await;
    bench
        .whm_reason("suspendacct", &[("user", "acme"), ("reason", "late")], true)
        .await;
    let ledger = bench.panel.ledger();
    assert_eq!(ledger[0].change["domain"], "acme.example.com");
    assert_eq!(
        ledger[2].change["suspended"],
        serde_json::json!([false, true])
    );
    assert!(
        bench
            .panel
            .account("acme")
            .unwrap()
            .password_is("n3W!Secret#pw9")
    );
    let all = format!(
        "{ledger:?} {:?} {:?}",
        bench.panel.requests(),
        bench.panel.accounts()
    );
    for secret in ["n3W!Secret#pw9", "xK9!mQ2#vB7@", bench.panel.secret()] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(
        bench
            .panel
            .requests()
            .iter()
            .all(|request| request.had_authorization)
    );
}

#[tokio::test]
async fn calls_on_one_account_at_one_time_are_noted() {
    let bench = Bench::whm().await;
    bench.create("acme").await;
    bench
        .panel
        .faults()
        .add(Fault::on("suspendacct").reply(Reply::Never));
    let hanging = tokio::spawn(bench.whm_request("suspendacct", &[("user", "acme")]).send());
    bench.panel.wait_for_call("suspendacct", 1).await;
    bench
        .whm_reason(
            "changepackage",
            &[("user", "acme"), ("pkg", "silver")],
            true,
        )
        .await;
    hanging.abort();
    let ledger = bench.panel.ledger();
    let change = ledger
        .iter()
        .find(|entry| entry.call == "changepackage")
        .unwrap();
    assert_eq!(change.overlaps, [2], "{ledger:?}");
    assert!(ledger[0].overlaps.is_empty());
    assert_eq!(simulator::overlapping(&ledger), [(2, 3)]);
    bench.create("other").await;
    assert!(bench.panel.ledger().last().unwrap().overlaps.is_empty());
}

#[tokio::test]
async fn requests_may_come_in_pieces_and_in_chunks() {
    let bench = Bench::whm().await;
    let parts = ["api.ver", "sion=1"].map(|part| Ok::<_, std::io::Error>(part.as_bytes()));
    let chunks = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    let url = format!("{}/json-api/version", bench.panel.url());
    let header = format!("whm root:{}", bench.panel.secret());
    let response = bench
        .client
        .get(format!("{url}?api.version=1"))
        .header("Authorization", &header)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.json::<Value>().await.unwrap()["data"]["version"],
        "11.138.0.10"
    );
    let response = bench
        .client
        .post(&url)
        .header("Authorization", &header)
        .body(chunks)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.json::<Value>().await.unwrap()["metadata"]["result"],
        1
    );
    // What is no TLS ends the connection and nothing else.
    let mut plain = tokio::net::TcpStream::connect(bench.panel.address())
        .await
        .unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    assert_eq!(bench.panel.requests().len(), 2);
}

#[test]
fn plans_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let (toml, json) = (
        folder.path().join("plan.toml"),
        folder.path().join("plan.json"),
    );
    std::fs::write(
        &toml,
        "[[fault]]\ncall = \"createacct\"\nreply = \"never\"\n",
    )
    .unwrap();
    std::fs::write(
        &json,
        r#"{"fault": [{"call": "createacct", "reply": "never"}]}"#,
    )
    .unwrap();
    let plan = FaultPlan::read(&toml).unwrap();
    assert_eq!(plan.faults, [Fault::on("createacct").reply(Reply::Never)]);
    assert_eq!(FaultPlan::read(&json).unwrap(), plan);
    assert!(FaultPlan::read(&folder.path().join("none")).is_err());
    std::fs::write(&toml, "[[fault]]\nreply = \"sing\"\n").unwrap();
    let error = FaultPlan::read(&toml).unwrap_err().to_string();
    assert!(
        error.contains("plan.toml") && error.contains("sing"),
        "{error}"
    );
}
