//! Envelopes of both generations, and what comes in their place.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use panels::PanelError;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::replay::{KEY, PASSWORD, Replay, acme, play, recorded};
use crate::support::{Answer, Canned, SECRET, TestPanel};

/// What a 0.10 answers to a body of 2.x, before it looks at anything else.
fn no_header() -> Canned {
    let said = json!({"status": 400, "status_message": "Invalid request header", "data": null});
    Canned::json(said.to_string()).status(400)
}

/// A recorded answer in 0.10's envelope.
fn legacy(number: &str) -> Canned {
    let canned = recorded(number);
    let body: Value = serde_json::from_slice(&canned.body).unwrap();
    let said = match body.get("message") {
        Some(message) => json!({"status": canned.status, "status_message": message, "data": null}),
        None => json!({"status": 200, "status_message": "successful", "data": body["data"]}),
    };
    Canned {
        body: said.to_string().into(),
        ..canned
    }
}

/// A 0.10: it refuses bodies without its header, and answers the others in turn.
fn legacy_panel(answers: Vec<Canned>) -> Replay {
    let mut answers = answers.into_iter();
    let panel = TestPanel::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body["header"]["apikey"] == KEY && body["header"]["secret"] == SECRET {
            answers.next().unwrap().into()
        } else {
            no_header().into()
        }
    });
    Replay::driving(panel)
}

#[tokio::test]
async fn a_read_finds_out_the_generation_and_it_is_kept() {
    let replay = legacy_panel(vec![legacy("083"), legacy("083")]);
    assert!(replay.driver.find(&acme()).await.unwrap().is_none());
    assert!(replay.driver.find(&acme()).await.unwrap().is_none());
    let bodies = replay.bodies();
    assert_eq!(bodies.len(), 3);
    assert_eq!(bodies[0]["command"], "Customers.get");
    assert_eq!(
        bodies[2]["body"],
        json!({"command": "Customers.get", "params": {"loginname": "acme"}})
    );
}

#[tokio::test]
async fn the_envelope_tells_in_whatever_words_the_form_is_refused() {
    let unauthenticated = r#"{"status": 401, "status_message": "Unauthenticated", "data": null}"#;
    let panel = TestPanel::scripted(vec![
        Canned::json(unauthenticated).status(401).into(),
        legacy("083").into(),
    ]);
    let replay = Replay::driving(panel);
    assert!(replay.driver.find(&acme()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_never_finds_out_the_generation() {
    let replay = legacy_panel(vec![legacy("257"), legacy("164")]);
    replay.driver.suspend(&acme(), "x").await.unwrap();
    let expected = [
        "Customers.listingCount",
        "Customers.listingCount",
        "Customers.update",
    ];
    assert_eq!(replay.commands(), expected);
    let modern = Replay::of([
        ("Customers.listingCount", recorded("257")),
        ("Customers.update", recorded("164")),
    ]);
    modern.driver.suspend(&acme(), "x").await.unwrap();
    assert_eq!(
        modern.commands(),
        ["Customers.listingCount", "Customers.update"]
    );
}

#[tokio::test]
async fn a_panel_that_was_upgraded_meanwhile_is_found_out_without_a_change() {
    let command_missing = r#"{"message": "Please provide a command."}"#;
    let mut legacy_left = 3;
    let panel = TestPanel::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let old = body.get("header").is_some();
        if legacy_left > 0 {
            legacy_left -= 1;
            return if old { legacy("083") } else { no_header() }.into();
        }
        match (old, body["command"].as_str()) {
            (true, _) => Canned::json(command_missing).status(400).into(),
            (_, Some("Customers.update")) => recorded("164").into(),
            _ => recorded("083").into(),
        }
    });
    let replay = Replay::driving(panel);
    assert!(replay.driver.find(&acme()).await.unwrap().is_none());
    assert!(replay.driver.find(&acme()).await.unwrap().is_none());
    let error = replay.driver.suspend(&acme(), "x").await.unwrap_err();
    assert_eq!(error.class(), "transient", "nothing was done: {error:?}");
    replay.driver.suspend(&acme(), "x").await.unwrap();
}

#[tokio::test]
async fn a_legacy_error_is_no_success_though_it_has_data() {
    let odd = json!({"status": 500, "status_message": "oops", "data": {"customerid": 3}});
    let replay = legacy_panel(vec![legacy("257"), Canned::json(odd.to_string())]);
    let error = replay.driver.suspend(&acme(), "x").await.unwrap_err();
    assert_eq!(error.class(), "in_doubt");
    let replay = legacy_panel(vec![legacy("003")]);
    let error = replay.driver.find(&acme()).await.unwrap_err();
    assert!(matches!(error, PanelError::Auth(_)));
}

#[tokio::test]
async fn credentials_go_as_basic_and_to_either_address() {
    for path in [
        "",
        "/",
        "/froxlor",
        "/froxlor/",
        "/froxlor/api.php",
        "/other.php",
    ] {
        let panel = TestPanel::start(|_| recorded("083").into());
        let mut settings = panel.settings();
        settings.url.push_str(path);
        settings.user = Some(KEY.to_owned());
        let driver = panels::open("froxlor", settings).unwrap();
        assert!(driver.find(&acme()).await.unwrap().is_none());
        let request = &panel.received()[0];
        let expected = match path {
            "" | "/" => "/api.php",
            "/other.php" => path,
            _ => "/froxlor/api.php",
        };
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", expected)
        );
        assert!(
            request
                .header("authorization")
                .unwrap()
                .starts_with("Basic ")
        );
    }
}

#[test]
fn settings_without_a_key_are_refused() {
    let panel = TestPanel::scripted(Vec::new());
    for user in [None, Some(""), Some("a:b")] {
        let mut settings = panel.settings();
        settings.user = user.map(str::to_owned);
        let error = panels::open("froxlor", settings).unwrap_err();
        assert_eq!(error.code(), "server_settings");
    }
}

/// The class of what comes of a find and of a suspend that are answered so.
async fn classes(answer: impl Fn() -> Answer) -> (String, String) {
    let mut answers = play([("Customers.listingCount", recorded("257"))]);
    answers.push(("Customers.get", answer()));
    answers.push(("Customers.update", answer()));
    let replay = Replay::playing(answers);
    let read = replay.driver.find(&acme()).await.unwrap_err();
    let change = replay.driver.suspend(&acme(), "x").await.unwrap_err();
    for error in [&read, &change] {
        let all = format!("{error} {error:?} {}", error.detail());
        assert!(!all.contains(KEY) && !all.contains(SECRET), "{all}");
    }
    (read.class().to_owned(), change.class().to_owned())
}

#[tokio::test]
async fn each_answer_has_one_meaning_for_reads_and_one_for_changes() {
    let html = |text: &str| Canned::html(text.to_owned());
    let login = "<html><form><input type=\"password\"></form></html>";
    let cases: Vec<(&str, Answer, [&str; 2])> = vec![
        ("API off", recorded("001").into(), ["auth"; 2]),
        ("no credentials", recorded("002").into(), ["auth"; 2]),
        ("wrong key", recorded("003").into(), ["auth"; 2]),
        ("wrong key, nginx", recorded("260").into(), ["auth"; 2]),
        ("admin deactivated", recorded("123").into(), ["auth"; 2]),
        ("API not allowed", recorded("124").into(), ["auth"; 2]),
        ("customer's key", recorded("125").into(), ["auth"; 2]),
        (
            "customer's key, other customer",
            recorded("133").into(),
            ["auth"; 2],
        ),
        ("login page", html(login).into(), ["auth"; 2]),
        (
            "redirect",
            html("").status(302).with("Location", "/install").into(),
            ["auth"; 2],
        ),
        (
            "other web server",
            html("<html>404</html>").status(404).into(),
            ["transient", "in_doubt"],
        ),
        ("rate limit", recorded("248").into(), ["throttled"; 2]),
        (
            "rate limit, nginx",
            recorded("263").into(),
            ["throttled"; 2],
        ),
        ("validation", recorded("060").into(), ["rejected"; 2]),
        ("not supported", recorded("215").into(), ["rejected"; 2]),
        (
            "database down",
            recorded("249").into(),
            ["transient", "in_doubt"],
        ),
        (
            "database down, nginx",
            recorded("264").into(),
            ["transient", "in_doubt"],
        ),
        (
            "fatal error",
            recorded("017").into(),
            ["transient", "in_doubt"],
        ),
        (
            "fatal error, nginx",
            recorded("261").into(),
            ["transient", "in_doubt"],
        ),
        (
            "SQL error",
            recorded("155").into(),
            ["transient", "in_doubt"],
        ),
        (
            "no content",
            recorded("276").into(),
            ["transient", "in_doubt"],
        ),
        (
            "maintenance",
            html("<html>soon</html>").into(),
            ["transient", "in_doubt"],
        ),
        (
            "gateway",
            html("<html>502</html>").status(502).into(),
            ["transient", "in_doubt"],
        ),
        (
            "unavailable",
            html("").status(503).into(),
            ["transient", "in_doubt"],
        ),
        (
            "a list",
            Canned::json("[{\"data\":{}}]").into(),
            ["transient", "in_doubt"],
        ),
        (
            "a number",
            Canned::json("5").into(),
            ["transient", "in_doubt"],
        ),
        (
            "nothing known",
            Canned::json("{}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "no data",
            Canned::json("{\"data\":null}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "no record",
            Canned::json("{\"data\":[]}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "only a message",
            Canned::json("{\"message\":\"x\"}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "both",
            Canned::json("{\"message\":\"x\",\"data\":{}}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "a mark first",
            Canned::json("\u{feff}{\"data\":{}}").into(),
            ["transient", "in_doubt"],
        ),
        (
            "not UTF-8",
            Canned::json(b"{\"data\":\"\xe9\"}".to_vec()).into(),
            ["transient", "in_doubt"],
        ),
        (
            "too deep",
            Canned::json("[".repeat(5000)).into(),
            ["transient", "in_doubt"],
        ),
        (
            "cut off",
            Answer::CutAfter(400, recorded("076")),
            ["transient", "in_doubt"],
        ),
        ("closed", Answer::Closed, ["transient", "in_doubt"]),
    ];
    for (name, answer, [read, change]) in cases {
        let (was_read, was_change) = classes(|| answer.clone()).await;
        assert_eq!(
            (was_read.as_str(), was_change.as_str()),
            (read, change),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_wait_that_a_rate_limit_asks_for_is_capped() {
    let replay = Replay::of([("Customers.get", recorded("263"))]);
    match replay.driver.find(&acme()).await.unwrap_err() {
        PanelError::Throttled { after, .. } => {
            assert!(after.unwrap() <= Duration::from_secs(3600));
        }
        other => assert_eq!(other.class(), "throttled"),
    }
}

#[tokio::test]
async fn no_beginning_of_an_answer_is_taken_for_a_done_change() {
    let record: Value = serde_json::from_slice(&recorded("164").body).unwrap();
    let needed = [
        "customerid",
        "loginname",
        "password",
        "adminid",
        "standardsubdomain",
        "guid",
        "deactivated",
    ];
    let short: Value = needed
        .iter()
        .map(|name| ((*name).to_owned(), record["data"][name].clone()))
        .collect();
    let whole = Canned::json(json!({"data": short}).to_string());
    let length = whole.body.len();
    let mut answers = play([("Customers.listingCount", recorded("257"))]);
    // What a panel sends that dies while it writes.
    answers
        .extend((0..length).map(|cut| ("Customers.update", Answer::Truncated(cut, whole.clone()))));
    answers.push(("Customers.update", whole.into()));
    let replay = Replay::playing(answers);
    for cut in 0..length {
        let error = replay.driver.suspend(&acme(), "x").await.unwrap_err();
        assert_eq!(
            error.class(),
            "in_doubt",
            "cut after {cut} of {length}: {error:?}"
        );
        assert!(!format!("{error:?}").contains("REDACTED"), "{error:?}");
    }
    replay.driver.suspend(&acme(), "x").await.unwrap();
}

#[tokio::test]
async fn no_text_shows_a_secret() {
    let quoted = |secret: &str| {
        let text = format!("bad password {PASSWORD} of key {secret} and {KEY}");
        Canned::json(json!({"message": text}).to_string())
    };
    for answer in [
        quoted(SECRET).status(400),
        quoted(SECRET).status(500),
        quoted(SECRET),
    ] {
        let replay = Replay::of([
            ("Customers.listingCount", recorded("257")),
            ("Customers.update", answer),
        ]);
        let error = replay
            .driver
            .change_password(&acme(), &PASSWORD.into())
            .await
            .unwrap_err();
        let sources = serde_json::to_string(error.detail()).unwrap();
        let all = format!("{error} {error:?} {sources} {:?}", replay.driver);
        for secret in [
            KEY,
            SECRET,
            PASSWORD,
            PASSWORD.to_owned().into_boxed_str().as_ref(),
        ] {
            assert!(!all.contains(secret), "{all}");
        }
        let settings = replay.panel.settings();
        assert!(!format!("{settings:?}").contains(settings.secret.expose_secret()));
    }
}
