//! Clients that know no JSON: a form in, a line of text out.

use jobs::store::Outcome;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{App, answer, create, succeeded};

const FORM: &str = "application/x-www-form-urlencoded";

/// The create of `support::create`, as a form.
fn form() -> Vec<(&'static str, &'static str)> {
    vec![
        ("kind", "create"),
        ("server", "web1"),
        ("idempotency_key", "blesta:7:create"),
        ("account[reference]", "billing:7"),
        ("account[username]", "acme"),
        ("account.domain", "acme.example.com"),
        ("account[email]", "owner@example.com"),
        ("account[package]", "gold"),
        ("client_id", "12"),
    ]
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

#[tokio::test]
async fn a_form_is_the_same_request_as_its_json() {
    let app = App::start().await;
    let post = |fields: &[(&str, &str)]| {
        app.request(Method::POST, "/v1/jobs")
            .basic_auth("hostler", Some(&app.token))
            .header("content-type", FORM)
            .header("accept", "text/plain")
            .body(encoded(fields))
    };
    let first = answer(post(&form())).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    assert!(
        first.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let id = first
        .text
        .trim()
        .strip_prefix("state=queued id=")
        .unwrap()
        .to_owned();
    let again = answer(post(&form())).await;
    assert_eq!((again.status, again.text), (StatusCode::OK, first.text));
    let json = app
        .submit("blesta:7:create", create("billing:7", "acme"))
        .await;
    assert_eq!(
        (json.status, json.id()),
        (StatusCode::OK, id.clone()),
        "the same body in JSON"
    );

    app.work(&id, succeeded()).await;
    let ended = answer(post(&form())).await;
    assert_eq!(ended.text, format!("state=succeeded id={id}\n"));
    let look = app.request(Method::GET, &format!("/v1/jobs/{id}"));
    let look = look.bearer_auth(&app.token).header("accept", "text/plain");
    assert_eq!(answer(look).await.text, ended.text);
}

#[tokio::test]
async fn what_is_wrong_in_a_form_is_named_as_in_json() {
    let app = App::start().await;
    let post = |body: String| {
        app.request(Method::POST, "/v1/jobs")
            .bearer_auth(&app.token)
            .header("content-type", FORM)
            .body(body)
    };
    let mut wrong = form();
    wrong.push(("account[limits][disk_mb]", "some"));
    let refused = answer(post(encoded(&wrong))).await;
    assert_eq!(refused.fields(), ["account.limits.disk_mb"]);
    let mut unknown = form();
    unknown.push(("account[colour]", "red"));
    assert_eq!(
        answer(post(encoded(&unknown))).await.fields(),
        ["account.colour"]
    );
    let twice = answer(post("kind=suspend&kind=terminate".to_owned())).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    let browser = answer(post(encoded(&form())).header("origin", "https://evil.example")).await;
    assert_eq!(browser.status, StatusCode::FORBIDDEN);
    let jobs = app.get("/v1/jobs").await.json();
    assert_eq!(jobs["items"], json!([]), "nothing was taken in");
}

#[tokio::test]
async fn a_failure_in_text_cannot_look_like_a_success() {
    let app = App::start().await;
    let id = app.submit("k", create("billing:7", "acme")).await.id();
    let row = app.row(&id).await;
    let claimed = crate::support::claim(app.store(), row.id).await;
    let mut finish = crate::support::finish(&claimed, Outcome::Failed);
    finish.error = Some(jobs::store::JobError {
        class: "rejected".into(),
        code: "panel_refused".into(),
        message: "no\nstate=succeeded".into(),
        detail: None,
    });
    app.store().write_group(&[], &[finish]).await.unwrap();
    let look = app.request(Method::GET, &format!("/v1/jobs/{id}"));
    let look = look.bearer_auth(&app.token).header("accept", "text/plain");
    let text = answer(look).await.text;
    assert_eq!(
        text,
        format!("state=failed id={id} error=panel_refused no state succeeded\n")
    );
}
