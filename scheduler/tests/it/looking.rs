//! Lists, replay and cancel, health, the API's own description.

use std::time::Duration;

use jobs::store::Outcome;
use reqwest::{Method, StatusCode};
use scheduler::Scope;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{self, App, answer, create, succeeded};

async fn check(app: &App, key: &str) -> String {
    let body = json!({"kind": "check_connection", "server": "web1"});
    app.submit(key, body).await.id()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_hold_every_job_once_newest_first() {
    let app = App::start().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(check(&app, &format!("k{n}")).await);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=3".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = app.get(&path).await.json();
        sizes.push(ids(&page).len());
        seen.extend(ids(&page));
        // What comes in meanwhile does not move the pages.
        check(&app, &format!("late{}", sizes.len())).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((seen, sizes), (made, vec![3, 3, 1]));
    for (path, field) in [
        ("/v1/jobs?cursor=nope", "cursor"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=201", "limit"),
        ("/v1/jobs?state=done", "state"),
        ("/v1/jobs?kind=make", "kind"),
        ("/v1/jobs?since=monday", "since"),
        ("/v1/jobs?colour=red", "colour"),
        ("/v1/jobs?limit=many", "limit"),
        ("/v1/jobs?account=a%00b", "account"),
    ] {
        assert_eq!(app.get(path).await.fields(), [field], "{path}");
    }
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let app = App::start().await;
    support::add_server(&app.ledger, "web2").await;
    let account = app.account("whmcs:1", "acme").await;
    let suspend = app
        .submit("s", json!({"kind": "suspend", "account": {"id": account}}))
        .await
        .id();
    let other = app
        .submit("o", json!({"kind": "check_connection", "server": "web2"}))
        .await
        .id();
    app.work(&other, Outcome::Failed).await;
    for (query, wanted) in [
        ("state=queued", vec![&suspend]),
        ("state=failed,held", vec![&other]),
        ("kind=suspend", vec![&suspend]),
        ("server=web2", vec![&other]),
        ("account=whmcs:1&state=queued", vec![&suspend]),
        ("idempotency_key=s", vec![&suspend]),
        ("idempotency_key=S", vec![]),
        ("account=nobody", vec![]),
        ("since=2100-01-01T00:00:00Z", vec![]),
    ] {
        let page = app.get(&format!("/v1/jobs?{query}")).await.json();
        assert_eq!(ids(&page).iter().collect::<Vec<_>>(), wanted, "{query}");
    }
    let by_id = app.get(&format!("/v1/jobs?account={account}")).await.json();
    assert_eq!(ids(&by_id).len(), 2);
    let none = app.get("/v1/jobs?server=web9").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_job_behind_another_says_what_it_waits_for() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let account = json!({"reference": "whmcs:1"});
    let first = app
        .submit("a", json!({"kind": "suspend", "account": account}))
        .await
        .id();
    let body = json!({"kind": "change_limits", "account": {"reference": "whmcs:1", "limits": {"traffic_mb": 2048}}});
    let second = app.submit("b", body).await.job();
    assert_eq!(
        second["waiting_for"],
        json!({"reason": "earlier_job", "job_id": first})
    );
    let server = scheduler::registry::server_named(app.store(), "web1")
        .await
        .unwrap();
    let pause = jobs::store::Pause::default();
    app.store().pause_server(server.id, &pause).await.unwrap();
    let head = app.get(&format!("/v1/jobs/{first}")).await.json();
    assert_eq!(head["waiting_for"]["reason"], "server_paused");
    assert_eq!(app.get("/v1/servers/web1").await.json()["state"], "paused");
}

#[tokio::test]
async fn a_failed_job_is_replayed_and_a_waiting_one_cancelled() {
    let app = App::start().await;
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    let (replay, cancel) = (
        format!("/v1/jobs/{job}/replay"),
        format!("/v1/jobs/{job}/cancel"),
    );
    let early = app.post(&replay, json!({})).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert!(early.json()["detail"].as_str().unwrap().contains("queued"));
    app.work(&job, Outcome::Failed).await;
    let again = app.post(&replay, json!({"reason": "panel is back"})).await;
    assert_eq!(again.job()["id"], job.as_str(), "the same row");
    assert_eq!(again.job()["state"], "queued");
    let cancelled = app.post(&cancel, Value::Null).await;
    assert_eq!(cancelled.job()["state"], "cancelled");
    assert_eq!(
        app.post(&cancel, Value::Null).await.status,
        StatusCode::CONFLICT
    );
    let odd = app.post(&replay, json!({"forse": true})).await;
    assert_eq!(odd.fields(), ["forse"]);
    let operator = app.token_with(&[Scope::Operate], None).await;
    let seen = app
        .get_as(&operator, &format!("/v1/jobs/{job}"))
        .await
        .json();
    let events = seen["operator"]["events"].as_array().unwrap();
    assert_eq!(events[0]["event"], "replayed");
    assert_eq!(events[0]["reason"], "panel is back");
}

#[tokio::test]
async fn an_overtaken_job_is_replayed_by_force_alone_and_force_wants_an_operator() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let account = json!({"reference": "whmcs:1"});
    let old = app
        .submit("a", json!({"kind": "suspend", "account": account}))
        .await
        .id();
    app.work(&old, Outcome::Failed).await;
    let new = app
        .submit("b", json!({"kind": "unsuspend", "account": account}))
        .await
        .id();
    app.work(&new, succeeded()).await;
    let replay = format!("/v1/jobs/{old}/replay");
    let refused = app.post(&replay, json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("overtaken"));
    let force = json!({"force": true, "reason": "really"});
    let client = app.post(&replay, force.clone()).await;
    assert_eq!(client.status, StatusCode::FORBIDDEN);
    let operator = app.token_with(&[Scope::Operate], None).await;
    let forced = app.post_as(&operator, &replay, force).await;
    assert_eq!(forced.job()["state"], "queued");
}

#[tokio::test]
async fn a_token_acts_on_jobs_of_its_kinds_alone() {
    let app = App::start().await;
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    let reader = app.token_with(&[Scope::Read, Scope::Suspend], None).await;
    let path = format!("/v1/jobs/{job}/cancel");
    let refused = app.post_as(&reader, &path, Value::Null).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let all = json!({"filter": {"kind": "create"}});
    let many = app.post_as(&reader, "/v1/jobs/cancel", all).await.json();
    assert_eq!(many["done"], json!([]));
    assert_eq!(many["refused"][0]["id"], job.as_str());
    assert_eq!(app.row(&job).await.state, "queued");
}

#[tokio::test]
async fn a_filter_is_tried_dry_before_it_is_done() {
    let app = App::start().await;
    let mut failed = Vec::new();
    for n in 0..3 {
        let job = check(&app, &format!("k{n}")).await;
        app.work(&job, Outcome::Failed).await;
        failed.push(job);
    }
    let kept = check(&app, "waits").await;
    let mut request = json!({"filter": {"server": "web1"}, "dry_run": true, "reason": "all again"});
    let dry = app.post("/v1/jobs/replay", request.clone()).await.json();
    assert_eq!(dry["done"], json!(failed), "oldest first");
    assert_eq!(
        (&dry["dry_run"], &dry["more"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(app.row(&failed[0]).await.state, "failed");
    request["dry_run"] = json!(false);
    let done = app.post("/v1/jobs/replay", request.clone()).await.json();
    assert_eq!(done["done"], json!(failed));
    assert_eq!(app.row(&failed[0]).await.state, "queued");
    let states = json!({"filter": {"state": "queued", "kind": "check_connection"}});
    let refused = app.post("/v1/jobs/replay", states.clone()).await.json();
    assert_eq!(refused["refused"].as_array().unwrap().len(), 4);
    let cancelled = app.post("/v1/jobs/cancel", states).await.json();
    assert_eq!(cancelled["done"].as_array().unwrap().len(), 4);
    assert_eq!(app.row(&kept).await.state, "cancelled");
    let all = app.post("/v1/jobs/replay", json!({"filter": {}})).await;
    assert_eq!(all.fields(), ["filter"]);
    let none = app.post("/v1/jobs/replay", json!({})).await;
    assert_eq!(none.fields(), ["filter"]);
}

#[tokio::test]
async fn it_is_ready_while_jobs_can_be_processed() {
    let app = App::start().await;
    let ready = || answer(app.request(Method::GET, "/readyz"));
    assert_eq!(ready().await.status, StatusCode::OK);
    let alive = answer(app.request(Method::GET, "/healthz")).await;
    assert_eq!(alive.status, StatusCode::OK);
    let job = check(&app, "k").await;
    assert_eq!(ready().await.status, StatusCode::OK);
    app.store().advance_clock(Duration::from_secs(31));
    let starved = ready().await;
    assert_eq!(starved.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(starved.text.contains("no worker"));
    app.work(&job, succeeded()).await;
    assert_eq!(ready().await.status, StatusCode::OK);
    let drop = "ALTER TABLE job DROP COLUMN trace";
    let writer = app.store().writer_connection();
    writer.execute_unprepared(drop).await.unwrap();
    let old = ready().await;
    assert_eq!(old.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(old.text.contains("schema"), "{}", old.text);
}

#[tokio::test]
async fn it_is_not_ready_while_its_own_workers_are_not() {
    let app = App::start_with(|options| {
        options.workers_ready = Some(std::sync::Arc::new(|| false));
    })
    .await;
    let ready = answer(app.request(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_api_describes_itself_completely() {
    let app = App::start().await;
    let document = answer(app.request(Method::GET, "/openapi.json"))
        .await
        .json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/v1/jobs", "post"),
        ("/v1/jobs", "get"),
        ("/v1/jobs/batch", "post"),
        ("/v1/forms/{kind}", "post"),
        ("/v1/jobs/{id}", "get"),
        ("/v1/jobs/{id}/replay", "post"),
        ("/v1/jobs/{id}/cancel", "post"),
        ("/v1/jobs/replay", "post"),
        ("/v1/jobs/cancel", "post"),
        ("/v1/jobs/{id}/secret", "post"),
        ("/v1/jobs/{id}/secret/ack", "post"),
        ("/v1/servers", "get"),
        ("/v1/servers/{name}", "get"),
        ("/v1/servers/{name}/packages", "get"),
        ("/v1/servers/{name}/accounts", "get"),
        ("/v1/servers/{name}/usage", "get"),
        ("/v1/accounts/{id}", "get"),
        ("/v1/accounts/{id}/traffic", "get"),
        ("/v1/usage", "get"),
    ] {
        assert!(paths[path].get(method).is_some(), "{method} {path}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.contains_key("JobView") && schemas.contains_key("JobRequest"));
    // What refers to a schema finds it.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

/// A path for each operation with a token that the document describes.
#[tokio::test]
async fn every_operation_that_is_described_wants_a_token() {
    let app = App::start().await;
    let document = serde_json::to_value(scheduler::api::document()).unwrap();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{id}", "x").replace("{name}", "web1");
            let path = path.replace("{kind}", "suspend");
            let open = !path.starts_with("/v1/");
            for token in [None, Some("hst_guess")] {
                let mut request = app.request(method.clone(), &path);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let status = answer(request).await.status;
                let refused =
                    [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status);
                assert_eq!(refused, !open, "{method} {path} {status}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 46);
}

#[tokio::test]
async fn what_is_wrong_in_a_query_is_named_with_what_would_be_right() {
    let app = App::start().await;
    let limit = app.get("/v1/jobs?limit=many").await.json();
    assert_eq!(limit["errors"][0]["message"], "must be a whole number");
    let unknown = app.get("/v1/jobs?colour=red").await.json();
    let message = unknown["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("expected one of `state`"), "{message}");
    let broken = app.get("/v1/jobs/%FF").await;
    assert_eq!(
        (broken.status, broken.fields()),
        (StatusCode::NOT_FOUND, vec![]),
        "a path that is no text"
    );
    assert_eq!(app.get("/v1/servers/a%00b").await.status, 404);
}

#[tokio::test]
async fn what_does_not_exist_is_a_problem_too() {
    let app = App::start().await;
    let path = app.get("/v2/jobs").await;
    assert_eq!(
        (path.status, path.fields()),
        (StatusCode::NOT_FOUND, vec![])
    );
    let method = answer(
        app.request(Method::DELETE, "/v1/jobs")
            .bearer_auth(&app.token),
    )
    .await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(method.fields(), Vec::<String>::new());
    let id = answer(
        app.request(Method::GET, "/healthz")
            .header("x-request-id", "from-client-7"),
    )
    .await;
    assert_eq!(id.headers["x-request-id"], "from-client-7");
}
