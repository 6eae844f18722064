//! Webhooks on real sockets: under the same rules as calls to panels.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use panels::PanelError;
use panels::http::{Courier, Delivered};
use support::{Answer, Canned, TestPanel};

fn courier(receiver: &TestPanel) -> Courier {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let ca = Some(receiver.certificate_pem.clone());
    Courier::new(networks, ca, Duration::from_secs(15)).unwrap()
}

fn address(receiver: &TestPanel) -> String {
    format!(
        "https://localhost:{}/hook?from=hostler",
        receiver.address.port()
    )
}

async fn post(receiver: &TestPanel) -> Result<Delivered, PanelError> {
    let headers = [("content-type", "application/json"), ("webhook-id", "J1")];
    courier(receiver)
        .post(&address(receiver), &headers, "{\"a\":1}")
        .await
}

#[tokio::test]
async fn the_body_arrives_as_it_was_signed() {
    let receiver = TestPanel::scripted(vec![Canned::new(204, "text/plain", "").into()]);
    assert_eq!(post(&receiver).await.unwrap().status, 204);
    let got = receiver.received().remove(0);
    assert_eq!(
        (got.method.as_str(), got.body.as_slice()),
        ("POST", &b"{\"a\":1}"[..])
    );
    assert_eq!(got.path.split('?').next(), Some("/hook"));
    assert_eq!(got.header("webhook-id"), Some("J1"));
    assert_eq!(got.header("authorization"), None);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let redirect = Canned::new(308, "text/html", "").with("Location", "https://localhost/");
    let receiver = TestPanel::scripted(vec![redirect.into()]);
    assert_eq!(post(&receiver).await.unwrap().status, 308);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn patience_that_is_asked_for_is_passed_on() {
    let busy = Canned::new(429, "text/plain", "").with("Retry-After", "90");
    let receiver = TestPanel::scripted(vec![busy.into()]);
    let delivered = post(&receiver).await.unwrap();
    assert_eq!(delivered.retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn an_answer_that_never_came_may_be_sent_again() {
    let receiver = TestPanel::scripted(vec![Answer::Closed]);
    assert_eq!(post(&receiver).await.unwrap_err().class(), "transient");
}

#[tokio::test]
async fn private_addresses_plain_http_and_unknown_certificates_are_refused() {
    let receiver = TestPanel::scripted(Vec::new());
    let limit = Duration::from_secs(15);
    let ca = Some(receiver.certificate_pem.clone());
    let closed = Courier::new(Vec::new(), ca, limit).unwrap();
    let error = closed
        .post(&address(&receiver), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.class(), "auth");
    let numbers = format!("https://{}/hook", receiver.address);
    let error = closed.post(&numbers, &[], "{}").await.unwrap_err();
    assert_eq!(error.code(), "server_settings");
    let plain = address(&receiver).replace("https", "http");
    let error = courier(&receiver)
        .post(&plain, &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "server_settings");
    let public = Courier::new(vec!["127.0.0.0/8".parse().unwrap()], None, limit).unwrap();
    let error = public
        .post(&address(&receiver), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.class(), "auth");
    assert!(receiver.received().is_empty());
}
