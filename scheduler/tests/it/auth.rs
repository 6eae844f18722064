//! Who gets in, and what they may.

use std::time::Duration;

use crate::support::{self, App, CLIENT, answer, create};
use reqwest::{Method, StatusCode};
use scheduler::registry::{self, NewToken};
use scheduler::{Options, Scheduler, Scope, StartError};
use secrecy::ExposeSecret;
use serde_json::json;

#[tokio::test]
async fn only_a_valid_token_gets_in_and_the_answer_does_not_say_why_not() {
    let app = App::start().await;
    let mut wrong = app.token.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let refused = app.get_as(&wrong, "/v1/jobs").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(
        refused.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer")
    );
    let none = answer(app.request(Method::GET, "/v1/jobs")).await;
    assert_eq!((none.status, none.json()), (refused.status, refused.json()));
    let basic = app
        .request(Method::GET, "/v1/jobs")
        .basic_auth("anything", Some(&app.token));
    assert_eq!(answer(basic).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_or_expired_token_is_refused_from_the_next_request_on() {
    let app = App::start().await;
    let now = app.store().now().await.unwrap();
    let made = registry::create_token(
        app.store(),
        &NewToken {
            platform_id: app.platform,
            name: "short".into(),
            scopes: [Scope::Read].into(),
            servers: None,
            expires_at: Some(now + 3_600_000),
        },
    )
    .await
    .unwrap();
    let text = made.text.expose_secret().to_owned();
    assert_eq!(app.get_as(&text, "/v1/jobs").await.status, StatusCode::OK);
    app.store().advance_clock(Duration::from_secs(3601));
    assert_eq!(
        app.get_as(&text, "/v1/jobs").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
    let mine = registry::tokens(app.store(), Some(app.platform))
        .await
        .unwrap();
    registry::revoke_token(app.store(), &mine[0].public_id)
        .await
        .unwrap();
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::UNAUTHORIZED);
    assert!(registry::revoke_token(app.store(), "nope").await.is_err());
}

#[tokio::test]
async fn a_tokens_use_is_noted_once_a_minute() {
    let app = App::start().await;
    let used = || async { registry::tokens(app.store(), None).await.unwrap()[0].last_used_at };
    assert_eq!(used().await, None);
    app.get("/v1/jobs").await;
    let first = used().await.unwrap();
    app.store().advance_clock(Duration::from_secs(30));
    app.get("/v1/jobs").await;
    assert_eq!(used().await, Some(first));
    app.store().advance_clock(Duration::from_secs(31));
    app.get("/v1/jobs").await;
    assert!(used().await.unwrap() >= first + 60_000);
}

#[tokio::test]
async fn a_tokens_secret_is_kept_as_a_hash_alone() {
    let app = App::start().await;
    let rows = registry::tokens(app.store(), None).await.unwrap();
    let secret = &app.token[21..85];
    assert!(!format!("{rows:?}").contains(secret));
    assert_eq!(rows[0].hash.len(), 64);
}

/// Every route that needs a token, with the scope it needs.
#[tokio::test]
async fn every_route_wants_its_scope() {
    let app = App::start().await;
    let account = app.account("whmcs:1", "acme").await;
    let job = app
        .submit("j", json!({"kind": "suspend", "account": {"id": account}}))
        .await
        .id();
    let routes = [
        (Method::GET, "/v1/jobs".to_owned(), Scope::Read),
        (Method::GET, format!("/v1/jobs/{job}"), Scope::Read),
        (Method::GET, "/v1/servers".to_owned(), Scope::Read),
        (Method::GET, "/v1/servers/web1".to_owned(), Scope::Read),
        (
            Method::GET,
            "/v1/servers/web1/packages".to_owned(),
            Scope::Read,
        ),
        (
            Method::GET,
            "/v1/servers/web1/accounts".to_owned(),
            Scope::Read,
        ),
        (
            Method::GET,
            "/v1/servers/web1/usage".to_owned(),
            Scope::Traffic,
        ),
        (Method::GET, format!("/v1/accounts/{account}"), Scope::Read),
        (
            Method::GET,
            format!("/v1/accounts/{account}/traffic"),
            Scope::Traffic,
        ),
        (Method::GET, "/v1/usage".to_owned(), Scope::Traffic),
    ];
    for (method, path, scope) in routes {
        let others: Vec<Scope> = CLIENT.into_iter().filter(|other| *other != scope).collect();
        let without = app.token_with(&others, None).await;
        let request = app.request(method.clone(), &path);
        let refused = answer(request.bearer_auth(without)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let with = app.token_with(&[scope], None).await;
        let request = app.request(method.clone(), &path);
        assert_eq!(
            answer(request.bearer_auth(with)).await.status,
            StatusCode::OK,
            "{path}"
        );
        let nobody = answer(app.request(method, &path)).await;
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&nobody.status),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_kind_wants_its_scope() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let account = json!({"reference": "whmcs:1"});
    let with = |fields: serde_json::Value| {
        let mut account = account.clone();
        for (name, value) in fields.as_object().unwrap() {
            account[name] = value.clone();
        }
        account
    };
    let jobs = [
        (create("whmcs:2", "two"), Scope::Create),
        (
            json!({"kind": "suspend", "account": account}),
            Scope::Suspend,
        ),
        (
            json!({"kind": "unsuspend", "account": account}),
            Scope::Suspend,
        ),
        (
            json!({"kind": "change_package", "account": with(json!({"package": "gold"}))}),
            Scope::Change,
        ),
        (
            json!({"kind": "change_limits", "account": with(json!({"limits": {"traffic_mb": 1024}}))}),
            Scope::Change,
        ),
        (
            json!({"kind": "change_password", "account": with(json!({"password": "longer-than-8"}))}),
            Scope::Change,
        ),
        (
            json!({"kind": "move", "account": with(json!({"panel": {"target": "reseller"}}))}),
            Scope::Change,
        ),
        (
            json!({"kind": "login_url", "account": account}),
            Scope::Change,
        ),
        (
            json!({"kind": "get_stats", "server": "web1", "month": "2026-11"}),
            Scope::Traffic,
        ),
        (
            json!({"kind": "check_connection", "server": "web1"}),
            Scope::Read,
        ),
        (
            json!({"kind": "get_server_config", "server": "web1"}),
            Scope::Read,
        ),
        (
            json!({"kind": "list_accounts", "server": "web1"}),
            Scope::Operate,
        ),
        (
            json!({"kind": "terminate", "account": account}),
            Scope::Terminate,
        ),
    ];
    for (mut body, scope) in jobs {
        body["idempotency_key"] = json!(format!("{}-{scope}", body["kind"]));
        let others = Scope::ALL
            .into_iter()
            .filter(|other| ![scope, Scope::Admin, Scope::Operate].contains(other))
            .collect::<Vec<_>>();
        let without = app.token_with(&others, None).await;
        let refused = app.post_as(&without, "/v1/jobs", body.clone()).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{body}");
        let with = app.token_with(&[scope], None).await;
        let taken = app.post_as(&with, "/v1/jobs", body.clone()).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED, "{body} {}", taken.text);
    }
}

#[tokio::test]
async fn a_list_of_servers_confines_a_token() {
    let app = App::start().await;
    support::add_server(&app.ledger, "web2").await;
    let account = app.account("whmcs:1", "acme").await;
    let job = app
        .submit("j", json!({"kind": "suspend", "account": {"id": account}}))
        .await
        .id();
    let confined = app.token_with(&CLIENT, Some(&["web2"])).await;
    let mut body = create("whmcs:2", "two");
    body["idempotency_key"] = json!("k");
    assert_eq!(
        app.post_as(&confined, "/v1/jobs", body.clone())
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    body["server"] = json!("no-such");
    let unknown = app.post_as(&confined, "/v1/jobs", body.clone()).await;
    assert_eq!(
        unknown.status,
        StatusCode::FORBIDDEN,
        "it does not learn which servers exist"
    );
    body["server"] = json!("web2");
    assert_eq!(
        app.post_as(&confined, "/v1/jobs", body).await.status,
        StatusCode::ACCEPTED
    );
    let suspend = json!({"kind": "suspend", "account": {"id": account}, "idempotency_key": "s"});
    assert_eq!(
        app.post_as(&confined, "/v1/jobs", suspend).await.status,
        StatusCode::FORBIDDEN
    );
    for path in [
        format!("/v1/jobs/{job}"),
        "/v1/servers/web1".to_owned(),
        "/v1/servers/web1/usage".to_owned(),
        format!("/v1/accounts/{account}"),
    ] {
        assert_eq!(
            app.get_as(&confined, &path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let servers = app.get_as(&confined, "/v1/servers").await.json();
    assert_eq!(servers["items"].as_array().unwrap().len(), 1);
    let jobs = app.get_as(&confined, "/v1/jobs").await.json();
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_platform_sees_nothing_of_another() {
    let app = App::start().await;
    let account = app.account("whmcs:1", "acme").await;
    let job = app
        .submit("j", json!({"kind": "suspend", "account": {"id": account}}))
        .await
        .id();
    let foreign = app.foreign_token().await;
    for path in [
        format!("/v1/jobs/{job}"),
        format!("/v1/accounts/{account}"),
        format!("/v1/accounts/{account}/traffic"),
    ] {
        assert_eq!(
            app.get_as(&foreign, &path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for path in [
        format!("/v1/jobs/{job}/cancel"),
        format!("/v1/jobs/{job}/replay"),
        format!("/v1/jobs/{job}/secret"),
    ] {
        assert_eq!(
            app.post_as(&foreign, &path, json!({})).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for path in [
        "/v1/jobs",
        "/v1/jobs?idempotency_key=j",
        "/v1/jobs?account=whmcs:1",
        "/v1/servers/web1/accounts",
        "/v1/usage",
    ] {
        let list = app.get_as(&foreign, path).await.json();
        assert_eq!(list["items"], json!([]), "{path}");
    }
    for path in [
        "/v1/servers/web1/usage",
        "/v1/servers/web1/usage?reference=whmcs:1",
    ] {
        assert_eq!(app.get_as(&foreign, path).await.json(), json!([]), "{path}");
    }
    let operator = app.token_with(&[Scope::Operate], None).await;
    assert_eq!(
        app.get_as(&operator, "/v1/jobs").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_server_shows_its_address_to_operators_alone() {
    let app = App::start().await;
    let seen = app.get("/v1/servers/web1").await;
    assert_eq!(
        (seen.json()["panel"].clone(), seen.json()["state"].clone()),
        (json!("example"), json!("open"))
    );
    assert!(!seen.text.contains("panel.example.com"));
    let operator = app.token_with(&[Scope::Operate], None).await;
    let more = app.get_as(&operator, "/v1/servers/web1").await;
    assert_eq!(
        more.json()["operator"]["url"],
        "https://panel.example.com:2087/"
    );
    assert!(!more.text.contains("panel-token-canary"));
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_slowed_and_others_are_not() {
    let app = App::start_with(|options| options.requests_a_second = 1).await;
    let all = (0..20).map(|_| app.get("/v1/servers"));
    let answers = futures::future::join_all(all).await;
    let slowed = answers
        .iter()
        .find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS)
        .unwrap();
    assert_eq!(slowed.headers["retry-after"], "1");
    let other = app.token_with(&[Scope::Read], None).await;
    assert_eq!(
        app.get_as(&other, "/v1/servers").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn guessing_is_slowed_but_a_valid_token_passes() {
    let app = App::start().await;
    let mut statuses = Vec::new();
    for _ in 0..14 {
        statuses.push(app.get_as("hst_guess", "/v1/jobs").await.status);
    }
    assert!(
        statuses[..10]
            .iter()
            .all(|status| *status == StatusCode::UNAUTHORIZED)
    );
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_sites_page_cannot_act_in_a_browser() {
    let app = App::start().await;
    let request = |site: &str| {
        app.request(Method::POST, "/v1/jobs")
            .basic_auth("x", Some(&app.token))
            .header("sec-fetch-site", site)
            .json(&json!({"kind": "check_connection", "server": "web1"}))
    };
    assert_eq!(
        answer(request("cross-site")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        answer(request("same-origin")).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn a_plain_listener_is_refused_where_others_can_reach_it() {
    let ledger = support::ledger().await;
    let start = |change: fn(&mut Options)| {
        let mut options = Options::new("0.0.0.0:0".parse().unwrap());
        change(&mut options);
        Scheduler::start(
            options,
            ledger.store.clone(),
            jobs::queue::Doorbell::local(),
            ledger.keyring.clone(),
            std::future::ready(()),
        )
    };
    assert!(matches!(
        start(|_| {}).await,
        Err(StartError::PlainListener(_))
    ));
    start(|options| options.insecure_listen = true)
        .await
        .unwrap()
        .ended()
        .await;
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = scheduler::Tls {
        certificates: made.cert.pem().into_bytes(),
        key: made.signing_key.serialize_pem().into(),
    };
    let app = App::start_with(|options| options.tls = Some(tls)).await;
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client to our own listener"
    )]
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/healthz", app.serving.address.port());
    assert_eq!(
        client.get(url).send().await.unwrap().status(),
        StatusCode::OK
    );
    let broken = scheduler::Tls {
        certificates: b"no pem".to_vec(),
        key: "no pem".into(),
    };
    let mut options = Options::new("127.0.0.1:0".parse().unwrap());
    options.tls = Some(broken);
    let ledger = support::ledger().await;
    let refused = Scheduler::start(
        options,
        ledger.store.clone(),
        jobs::queue::Doorbell::local(),
        ledger.keyring.clone(),
        std::future::pending(),
    )
    .await;
    assert!(matches!(refused, Err(StartError::Tls(_))));
}
