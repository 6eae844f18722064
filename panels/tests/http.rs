//! The HTTP client against real sockets: what goes wrong below an answer, and in which class it falls.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use panels::http::{Body, Call, PanelClient, Reply, present};
use panels::{PanelError, ServerSettings};
use secrecy::SecretString;
use support::{Answer, Canned, SECRET, TestPanel};

fn authorization() -> SecretString {
    format!("whm root:{SECRET}").into()
}

async fn read(settings: &ServerSettings) -> Result<Reply, PanelError> {
    let authorization = authorization();
    let client = PanelClient::new(settings, 2087)?;
    client
        .send(Call::read("version", "/json-api/version", &authorization))
        .await
}

async fn change(settings: &ServerSettings) -> Result<Reply, PanelError> {
    let authorization = authorization();
    let password = SecretString::from("p&ss wörd");
    let client = PanelClient::new(settings, 2087)?;
    let call = Call {
        body: Body::Form(&[("user", "acme1"), ("new", "p&ss wörd")]),
        secrets: &[&password],
        ..Call::change("passwd", "/json-api/passwd", &authorization)
    };
    client.send(call).await
}

/// The class of both, a read's first.
async fn classes(panel: &TestPanel, answer: impl Fn() -> Answer) -> (&'static str, &'static str) {
    panel.rescript(vec![answer(), answer()]);
    let settings = panel.settings();
    let errors = (
        read(&settings).await.unwrap_err(),
        change(&settings).await.unwrap_err(),
    );
    for error in [&errors.0, &errors.1] {
        let shown = format!("{error:?} {error} {}", error.detail());
        for secret in [SECRET, "p&ss wörd", "p%26ss+w%C3%B6rd", "T0PSECRET"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    (errors.0.class(), errors.1.class())
}

#[tokio::test]
async fn an_answer_comes_back_whole_with_the_panels_clock() {
    let canned = Canned::json("{\"a\":1}")
        .with("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .with("Retry-After", "7");
    let panel = TestPanel::scripted(vec![canned.into()]);
    let reply = change(&panel.settings()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json().unwrap(), serde_json::json!({"a": 1}));
    assert_eq!(reply.panel_clock, Some(784_111_777_000));
    assert_eq!(reply.retry_after.as_deref(), Some("7"));
    let received = panel.received().remove(0);
    assert_eq!(received.method, "POST");
    assert_eq!(received.path, "/json-api/passwd");
    assert_eq!(received.field("new"), Some("p&ss wörd"));
    assert_eq!(
        received.header("authorization"),
        Some(format!("whm root:{SECRET}").as_str())
    );
    assert!(
        received
            .header("user-agent")
            .unwrap()
            .starts_with("hostler/")
    );
    assert_eq!(received.header("accept-encoding"), None);
}

#[tokio::test]
async fn what_breaks_after_sending_is_harmless_for_a_read_and_a_doubt_for_a_change() {
    let panel = TestPanel::scripted(Vec::new());
    let unknown = ("transient", "in_doubt");
    assert_eq!(classes(&panel, || Answer::Closed).await, unknown);
    let cut = || Answer::CutAfter(3, Canned::json("{\"a\":1}"));
    assert_eq!(classes(&panel, cut).await, unknown);
    let endless = || Canned::json(vec![b' '; (1 << 20) + 1]).into();
    assert_eq!(classes(&panel, endless).await, unknown);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let panel = TestPanel::scripted(Vec::new());
    let redirect = || {
        Canned::new(307, "text/html", "")
            .with("Location", "https://elsewhere.example/")
            .into()
    };
    assert_eq!(classes(&panel, redirect).await, ("auth", "auth"));
    assert_eq!(panel.received().len(), 2);
}

#[tokio::test]
async fn no_answer_in_time_is_a_doubt_for_a_change() {
    let panel = TestPanel::scripted(vec![Answer::Silence, Answer::Silence]);
    let settings = panel.settings();
    let call = tokio::spawn(async move { change(&settings).await });
    panel.arrival().await;
    // From here the clock jumps to the deadline whenever nothing else is to do.
    tokio::time::pause();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.class(), "in_doubt");
    assert!(error.detail().what.contains("no answer in time"));
    tokio::time::resume();

    let settings = panel.settings();
    let call = tokio::spawn(async move { read(&settings).await });
    panel.arrival().await;
    tokio::time::pause();
    assert_eq!(call.await.unwrap().unwrap_err().class(), "transient");
}

#[tokio::test]
async fn refused_connections_and_unknown_names_are_surely_not_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let panel = TestPanel::scripted(Vec::new());
    let mut settings = panel.settings();
    settings.url = format!("https://{address}");
    assert_eq!(change(&settings).await.unwrap_err().class(), "transient");
    // Too long a label: the lookup fails without a network.
    settings.url = format!("https://{}.example", "a".repeat(64));
    assert_eq!(change(&settings).await.unwrap_err().class(), "transient");
}

#[tokio::test]
async fn a_handshake_that_does_not_finish_is_surely_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 No TLS\r\n\r\n")
            .await
            .unwrap();
    });
    let panel = TestPanel::scripted(Vec::new());
    let mut settings = panel.settings();
    settings.url = format!("https://{address}");
    assert_eq!(change(&settings).await.unwrap_err().class(), "transient");
    plain.await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_no_credential() {
    let panel = TestPanel::scripted(vec![Canned::json("{}").into()]);
    let other = TestPanel::scripted(Vec::new());
    for distrust in [
        |settings: &mut ServerSettings, other: &TestPanel| settings.pins = vec![other.pin.clone()],
        |settings: &mut ServerSettings, _: &TestPanel| settings.pins.clear(),
        |settings: &mut ServerSettings, other: &TestPanel| {
            settings.pins.clear();
            settings.ca_pem = Some(other.certificate_pem.clone());
        },
        |settings: &mut ServerSettings, other: &TestPanel| {
            settings.ca_pem = Some(other.certificate_pem.clone());
        },
    ] {
        let mut settings = panel.settings();
        distrust(&mut settings, &other);
        let error = change(&settings).await.unwrap_err();
        assert_eq!(error.class(), "auth", "{}", error.detail());
        assert!(error.detail().what.contains("nothing was sent"));
    }
    assert_eq!(panel.received().len(), 0);
}

#[tokio::test]
async fn one_of_several_pins_or_the_operators_ca_is_enough() {
    let panel = TestPanel::start(|_| Canned::json("{}").into());
    let other = TestPanel::scripted(Vec::new());
    let mut settings = panel.settings();
    settings.pins = vec![other.pin.clone(), panel.pin.clone()];
    assert!(read(&settings).await.is_ok());
    settings.pins.clear();
    settings.ca_pem = Some(panel.certificate_pem.clone());
    assert!(read(&settings).await.is_ok());
}

#[tokio::test]
async fn the_pinned_certificate_in_other_hands_is_not_believed() {
    let (owner, thief) = (
        rcgen::KeyPair::generate().unwrap(),
        rcgen::KeyPair::generate().unwrap(),
    );
    let panel = TestPanel::start_with(&owner, &thief, |_| Canned::json("{}").into());
    let error = change(&panel.settings()).await.unwrap_err();
    assert_eq!(error.class(), "auth", "{}", error.detail());
    assert_eq!(panel.received().len(), 0);
}

#[tokio::test]
async fn a_closed_network_is_refused_by_number_and_by_name() {
    let panel = TestPanel::scripted(Vec::new());
    let mut settings = panel.settings();
    settings.allow_networks.clear();
    let error = change(&settings).await.unwrap_err();
    assert_eq!(error.code(), "server_settings");
    settings.url = format!("https://localhost:{}", panel.address.port());
    let error = change(&settings).await.unwrap_err();
    assert_eq!(error.class(), "auth");
    assert!(error.detail().what.contains("private or special network"));
    assert_eq!(panel.received().len(), 0);
}

#[tokio::test]
async fn a_status_means_the_same_for_every_panel() {
    let panel = TestPanel::start(|_| Answer::Closed);
    for (status, as_read, as_change) in [
        (401, "auth", "auth"),
        (403, "auth", "auth"),
        (404, "transient", "in_doubt"),
        (405, "transient", "in_doubt"),
        (410, "transient", "in_doubt"),
        (429, "throttled", "throttled"),
        (500, "transient", "in_doubt"),
        (503, "transient", "in_doubt"),
        (304, "transient", "in_doubt"),
        (408, "transient", "in_doubt"),
    ] {
        let canned = || Answer::from(Canned::new(status, "text/plain", "x"));
        panel.rescript(vec![canned(), canned()]);
        let settings = panel.settings();
        let on_read = read(&settings).await.unwrap().judge_status().unwrap_err();
        let on_change = change(&settings).await.unwrap().judge_status().unwrap_err();
        assert_eq!(
            (on_read.class(), on_change.class()),
            (as_read, as_change),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_refusal_counts_even_when_its_body_is_cut() {
    let forbidden = Canned::new(403, "text/html", "<html>Forbidden</html>");
    let panel = TestPanel::scripted(vec![Answer::CutAfter(5, forbidden)]);
    let reply = change(&panel.settings()).await.unwrap();
    assert_eq!(reply.judge_status().unwrap_err().class(), "auth");
}

#[tokio::test]
async fn a_throttle_says_how_long_by_the_panels_own_clock() {
    let canned = Canned::new(429, "text/plain", "slow down")
        .with("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .with("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT");
    let panel = TestPanel::scripted(vec![canned.into()]);
    let reply = change(&panel.settings()).await.unwrap();
    match reply.judge_status().unwrap_err() {
        PanelError::Throttled { after, .. } => {
            assert_eq!(after, Some(std::time::Duration::from_secs(30)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn web_pages_are_told_apart() {
    let login = "<!DOCTYPE html><html><title>WHM Login</title><input type=\"password\"></html>";
    let panel = TestPanel::scripted(vec![
        Canned::json(login).into(),
        Canned::json("<html><body>Maintenance</body></html>").into(),
        Canned::html("{\"a\":1}").into(),
        Canned::json("").into(),
        Canned::json("\u{feff}{\"a\":1}").into(),
        Canned::json(b"{\"a\":\"\xe4\"}".to_vec()).into(),
    ]);
    let settings = panel.settings();
    let mut classes = Vec::new();
    for _ in 0..6 {
        let json = change(&settings).await.unwrap().json();
        classes.push(json.map_or_else(|error| error.class(), |_| "ok"));
    }
    let doubt = "in_doubt";
    assert_eq!(classes, ["auth", doubt, "ok", doubt, doubt, doubt]);
}

#[tokio::test]
async fn the_shown_certificate_can_be_read_before_it_is_trusted() {
    let panel = TestPanel::scripted(Vec::new());
    let mut settings = panel.settings();
    settings.pins.clear();
    let shown = present(&settings, 2087).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].pin, panel.pin);
    assert!(shown[0].not_before < shown[0].not_after);
    assert_eq!(panel.received().len(), 0);
}

#[tokio::test]
async fn a_credential_that_no_header_holds_is_never_shown() {
    let panel = TestPanel::scripted(Vec::new());
    let authorization = SecretString::from("whm root:abc\ndefghi");
    let client = PanelClient::new(&panel.settings(), 2087).unwrap();
    let call = Call::read("version", "/json-api/version", &authorization);
    let error = client.send(call).await.unwrap_err();
    assert_eq!(error.class(), "auth");
    assert!(!format!("{error:?}").contains("defghi"));
}
