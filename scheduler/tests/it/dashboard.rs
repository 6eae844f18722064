//! The pages for the operator's browser.

use std::sync::Arc;

use entity::job;
use reqwest::{Method, StatusCode};
use scheduler::cron::{Cron, Retention};
use scheduler::{Scope, registry};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, EntityTrait};

use crate::support::{Answer, App, add_server, answer, change_server};

async fn page(app: &App, token: Option<&str>) -> Answer {
    let request = app.request(Method::GET, "/dashboard/nights");
    answer(match token {
        Some(token) => request.basic_auth("anybody", Some(token)),
        None => request,
    })
    .await
}

/// A night has begun on all servers.
async fn begin_night(app: &App) {
    for row in registry::servers(app.store()).await.unwrap() {
        // A server has no night from before it was known.
        change_server(app.store(), row.id, |server| server.created_at = Set(0)).await;
    }
    let now = app.store().now().await.unwrap();
    let mut cron = Cron::new(
        app.store().clone(),
        app.doorbell.clone(),
        Arc::clone(&app.ledger.keyring),
        Retention::default(),
    );
    cron.tick(now).await.unwrap();
}

#[tokio::test]
async fn a_page_is_for_operators_and_says_how_to_sign_in() {
    let app = App::start().await;
    let reader = app.token.clone();
    for token in [None, Some("wrong"), Some(reader.as_str())] {
        let refused = page(&app, token).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let ask = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(ask.starts_with("Basic "), "{ask}");
        assert!(refused.text.contains("--scope operate"), "{}", refused.text);
        assert!(!refused.text.contains("web1"), "{}", refused.text);
    }
    for _ in 0..20 {
        let asked = page(&app, None).await;
        assert_eq!(asked.status, StatusCode::UNAUTHORIZED, "that is no guess");
    }
    let operator = app.token_with(&[Scope::Operate], None).await;
    let shown = page(&app, Some(&operator)).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.text.contains("web1") && shown.text.contains("none yet"));
    let mut late = page(&app, Some("wrong")).await;
    for _ in 0..20 {
        late = page(&app, Some("wrong")).await;
    }
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!late.headers.contains_key("www-authenticate"));
    assert_eq!(late.headers["refresh"], "10");
}

#[tokio::test]
async fn a_browser_may_do_nothing_with_a_page_but_show_it() {
    let app = App::start().await;
    let operator = app.token_with(&[Scope::Operate], None).await;
    for answer in [page(&app, Some(&operator)).await, page(&app, None).await] {
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"));
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert!(!answer.text.contains("<script") && !answer.text.contains("style="));
    }
    let style = answer(app.request(Method::GET, "/dashboard/style.css")).await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    let start = app.request(Method::GET, "/dashboard");
    let start = answer(start.basic_auth("", Some(&operator))).await;
    assert!(start.text.contains("<h1>Last night</h1>"), "{}", start.text);
}

#[tokio::test]
async fn what_comes_from_elsewhere_is_text_and_never_a_part_of_the_page() {
    let app = App::start().await;
    begin_night(&app).await;
    let hostile = "<img src=x onerror=alert(1)>\"'</td><script>alert(2)</script>&";
    job::Entity::update_many()
        .col_expr(job::Column::ErrorCode, Expr::val(hostile))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
    let operator = app.token_with(&[Scope::Operate], None).await;
    let shown = page(&app, Some(&operator)).await;
    assert_eq!(shown.status, StatusCode::OK);
    for piece in ["<img", "<script", "\"'</td>"] {
        assert!(!shown.text.contains(piece), "{piece}");
    }
    assert!(shown.text.contains("&#60;img"), "{}", shown.text);
}

#[tokio::test]
async fn a_token_for_some_servers_shows_those() {
    let app = App::start().await;
    add_server(&app.ledger, "other9").await;
    begin_night(&app).await;
    let operator = app.token_with(&[Scope::Operate], None).await;
    let all = page(&app, Some(&operator)).await;
    assert!(all.text.contains("web1") && all.text.contains("other9"));
    assert!(
        all.text.contains("0 of 2 servers have ended"),
        "{}",
        all.text
    );
    assert_eq!(all.headers["refresh"], "10");
    let one = app.token_with(&[Scope::Operate], Some(&["web1"])).await;
    let one = page(&app, Some(&one)).await;
    assert!(one.text.contains("web1") && !one.text.contains("other9"));
    assert!(one.text.contains("0 of 1 servers"), "{}", one.text);
}
