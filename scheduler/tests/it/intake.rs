//! What is taken in, what is refused and why, and what a repeated request gets.

use crate::support::{self, App, answer, create, succeeded, with_packages};
use entity::{account, job, secret};
use jobs::store::Outcome;
use reqwest::{Method, StatusCode};
use scheduler::intake::{Body, Intake};
use scheduler::{Caller, Scope};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

async fn rows(app: &App) -> u64 {
    job::Entity::find()
        .count(app.store().reader())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_job_is_taken_in_and_shown_as_the_interface_says() {
    let app = App::start().await;
    let taken = app.submit("k1", create("whmcs:42", "acme")).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    let job = taken.job();
    assert_eq!(
        taken.headers["location"],
        format!("/v1/jobs/{}", taken.id())
    );
    for (field, value) in [
        ("kind", json!("create")),
        ("state", json!("queued")),
        ("server", json!("web1")),
        ("attempt", json!(0)),
        ("max_attempts", json!(8)),
        ("waiting_for", Value::Null),
        ("started_at", Value::Null),
        ("finished_at", Value::Null),
        ("result", Value::Null),
        ("error", Value::Null),
        ("secret_available", json!(false)),
        ("replay_of", Value::Null),
        ("attempts", json!([])),
        ("idempotency_key", json!("k1")),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
    assert_eq!(job["account"]["reference"], "whmcs:42");
    assert_eq!(job["account"]["username"], "acme");
    assert_eq!(job["account"]["domain"], "acme.example.com");
    assert_eq!(job["account"]["state"], "requested");
    let created = job["created_at"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.len() == "2026-11-22T01:02:03.004Z".len());
    assert!(job.get("operator").is_none());
    assert_eq!(
        app.get(&format!("/v1/jobs/{}", taken.id())).await.json(),
        job
    );
}

#[tokio::test]
async fn every_field_that_is_not_right_is_named_and_nothing_is_written() {
    let app = App::start().await;
    let server = support::add_server(&app.ledger, "web2").await;
    with_packages(app.store(), server.id).await;
    let account = |fields: Value| {
        let mut body = create("whmcs:1", "acme");
        for (name, value) in fields.as_object().unwrap() {
            body["account"][name] = value.clone();
        }
        body
    };
    let on_web2 = |package: &str| {
        let mut body = account(json!({"package": package}));
        body["server"] = json!("web2");
        body
    };
    let cases = [
        (json!({"kind": "make", "server": "web1"}), "kind"),
        (json!({"kind": "deliver_webhook", "server": "web1"}), "kind"),
        (json!({"server": "web1"}), "kind"),
        (
            json!({"kind": "create", "account": {"domain": "a.example.com"}}),
            "server",
        ),
        (
            json!({"kind": "create", "server": "web9", "account": {"domain": "a.example.com"}}),
            "server",
        ),
        (
            json!({"kind": "create", "server": "web1"}),
            "account.domain",
        ),
        (
            json!({"kind": "suspend", "server": "web1", "akcount": {}}),
            "akcount",
        ),
        (account(json!({"usrname": "x"})), "account.usrname"),
        (account(json!({"domain": "no domain"})), "account.domain"),
        (account(json!({"username": "9lives"})), "account.username"),
        (account(json!({"username": "root"})), "account.username"),
        (account(json!({"email": "nobody"})), "account.email"),
        (account(json!({"password": "short"})), "account.password"),
        (account(json!({"password": 12345678})), "account.password"),
        (
            account(json!({"dedicated_ip": true})),
            "account.dedicated_ip",
        ),
        (
            account(json!({"limits": {"traffic_mb": 1000}})),
            "account.limits.traffic_mb",
        ),
        (
            account(json!({"limits": {"disk_mb": 5}})),
            "account.limits.disk_mb",
        ),
        (
            account(json!({"limits": {"disc_mb": 5}})),
            "account.limits.disc_mb",
        ),
        (
            account(json!({"limits": {"traffic_mb": -1}})),
            "account.limits.traffic_mb",
        ),
        (
            account(json!({"panel": {"colour": "red"}})),
            "account.panel.colour",
        ),
        (account(json!({"id": "x"})), "account.id"),
        (on_web2("platinum"), "account.package"),
        (
            json!({"kind": "unlock", "server": "web1", "account": {"username": "acme"}}),
            "kind",
        ),
        (json!({"kind": "suspend"}), "account"),
        (
            json!({"kind": "suspend", "account": {"id": "nope"}}),
            "account.id",
        ),
        (
            json!({"kind": "suspend", "account": {"reference": "nope"}}),
            "account.reference",
        ),
        (
            json!({"kind": "suspend", "server": "web1", "account": {"username": "acme", "package": "gold"}}),
            "account.package",
        ),
        (
            json!({"kind": "change_package", "server": "web1", "account": {"username": "acme"}}),
            "account.package",
        ),
        (
            json!({"kind": "change_limits", "server": "web1", "account": {"username": "acme"}}),
            "account.limits",
        ),
        (
            json!({"kind": "change_password", "server": "web1", "account": {"username": "acme"}}),
            "account.password",
        ),
        (
            json!({"kind": "move", "server": "web1", "account": {"username": "acme"}}),
            "account.panel.target",
        ),
        (
            json!({"kind": "suspend", "server": "web1", "month": "2026-11", "account": {"username": "acme"}}),
            "month",
        ),
        (json!({"kind": "get_stats", "server": "web1"}), "month"),
        (
            json!({"kind": "get_stats", "server": "web1", "month": "2026-13"}),
            "month",
        ),
        (
            json!({"kind": "get_stats", "server": "web1", "month": "2026-11", "account": {"username": "a"}}),
            "account.username",
        ),
        (
            account(json!({}))
                .as_object()
                .map(|body| {
                    let mut b = body.clone();
                    b.insert("due_at".into(), json!("soon"));
                    Value::Object(b)
                })
                .unwrap(),
            "due_at",
        ),
        (
            account(json!({}))
                .as_object()
                .map(|body| {
                    let mut b = body.clone();
                    b.insert("webhook".into(), json!("main"));
                    Value::Object(b)
                })
                .unwrap(),
            "webhook",
        ),
    ];
    for (index, (body, field)) in cases.into_iter().enumerate() {
        let refused = app.submit(&format!("case-{index}"), body.clone()).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body} {}",
            refused.text
        );
        assert!(
            refused.fields().contains(&field.to_owned()),
            "{body}: {}",
            refused.text
        );
    }
    assert_eq!(rows(&app).await, 0);
    let known = app.submit("gold", on_web2("gold")).await;
    assert_eq!(known.status, StatusCode::ACCEPTED, "{}", known.text);
}

#[tokio::test]
async fn all_wrong_fields_of_the_rules_are_told_at_once() {
    let app = App::start().await;
    let body = json!({"kind": "create", "server": "web1", "account": {
        "username": "ROOT!", "domain": "a_b", "email": "nobody", "package": " x", "password": "short",
        "limits": {"disk_mb": 5}, "panel": {"colour": "red"}}});
    let mut fields = app.submit("k", body).await.fields();
    fields.sort();
    assert_eq!(
        fields,
        [
            "account.domain",
            "account.email",
            "account.limits.disk_mb",
            "account.package",
            "account.panel.colour",
            "account.password",
            "account.username",
        ]
    );
}

#[tokio::test]
async fn a_changing_job_needs_a_key_in_header_or_body() {
    let app = App::start().await;
    let without = app.post("/v1/jobs", create("whmcs:1", "acme")).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(without.fields(), ["idempotency_key"]);
    let mut body = create("whmcs:1", "acme");
    body["idempotency_key"] = json!("in-body");
    let in_body = app.post("/v1/jobs", body.clone()).await;
    assert_eq!(in_body.status, StatusCode::ACCEPTED);
    let in_header = app.submit("in-body", create("whmcs:1", "acme")).await;
    assert_eq!(
        (in_header.status, in_header.id()),
        (StatusCode::OK, in_body.id())
    );
    let both = app.submit("another", body).await;
    assert_eq!(both.fields(), ["idempotency_key"]);
    let reading = json!({"kind": "check_connection", "server": "web1"});
    let first = app.post("/v1/jobs", reading.clone()).await;
    let second = app.post("/v1/jobs", reading).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_ne!(first.id(), second.id());
    assert_eq!(first.json()["idempotency_key"], Value::Null);
}

#[tokio::test]
async fn the_same_key_gives_the_same_job_or_a_conflict() {
    let app = App::start().await;
    let first = app.submit("k1", create("whmcs:1", "acme")).await;
    let again = app.submit("k1", create("whmcs:1", "acme")).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, first.id()));
    let other = app.submit("k1", create("whmcs:1", "acme2")).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(
        other.json()["type"],
        "urn:hostler:problem:idempotency_key_reused"
    );
    let case = app.submit("K1", create("whmcs:2", "other")).await;
    assert_eq!(case.status, StatusCode::ACCEPTED, "keys differ in case");
    let foreign = app.foreign_token().await;
    let mut body = create("wisecp:1", "third");
    body["idempotency_key"] = json!("k1");
    let theirs = app.post_as(&foreign, "/v1/jobs", body).await;
    assert_eq!(
        theirs.status,
        StatusCode::ACCEPTED,
        "keys are a platform's own"
    );
    assert_eq!(rows(&app).await, 3);
}

#[tokio::test]
async fn a_repeated_request_gets_its_job_although_it_would_be_refused_today() {
    let app = App::start().await;
    let first = app.submit("k1", create("whmcs:1", "acme")).await;
    let server = scheduler::registry::server_named(app.store(), "web1")
        .await
        .unwrap();
    support::change_server(app.store(), server.id, |row| {
        row.config = sea_orm::ActiveValue::Set(Some(json!({"packages": []}).to_string()));
    })
    .await;
    let again = app.submit("k1", create("whmcs:1", "acme")).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, first.id()));
    let new = app.submit("k2", create("whmcs:2", "acme2")).await;
    assert_eq!(new.fields(), ["account.package"]);
}

#[tokio::test]
async fn many_at_once_under_one_key_make_one_row() {
    let app = App::start().await;
    let all = (0..16).map(|_| app.submit("same", create("whmcs:1", "acme")));
    let answers = futures::future::join_all(all).await;
    let new = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::ACCEPTED)
        .count();
    assert_eq!(new, 1);
    assert_eq!(
        support::different(answers.iter().map(|answer| answer.id())),
        1
    );
    assert_eq!(rows(&app).await, 1);
    let accounts = account::Entity::find();
    assert_eq!(accounts.count(app.store().reader()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_live_reference_is_the_same_account_or_a_conflict() {
    let app = App::start().await;
    let id = app.account("whmcs:1", "acme").await;
    let same = app.submit("again", create("whmcs:1", "acme")).await;
    assert_eq!(same.status, StatusCode::ACCEPTED);
    assert_eq!(same.job()["account"]["id"], id.as_str());
    let other = app.submit("other", create("whmcs:1", "elsewhere")).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(other.json()["type"], "urn:hostler:problem:account_taken");
    let taken = app.submit("taken", create("whmcs:2", "acme")).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_account_is_named_by_id_reference_or_name_and_all_that_is_said_must_be_true() {
    let app = App::start().await;
    let id = app.account("whmcs:1", "acme").await;
    let ways = [
        json!({"id": id}),
        json!({"reference": "whmcs:1"}),
        json!({"username": "ACME"}),
        json!({"id": id, "reference": "whmcs:1", "username": "acme", "domain": "ACME.example.com"}),
    ];
    for (index, account) in ways.into_iter().enumerate() {
        let body = json!({"kind": "login_url", "server": "web1", "account": account});
        let taken = app.submit(&format!("way-{index}"), body).await;
        assert_eq!(taken.job()["account"]["id"], id.as_str());
    }
    let lies = [
        (json!({"id": id, "username": "other"}), "account.username"),
        (
            json!({"id": id, "reference": "whmcs:2"}),
            "account.reference",
        ),
        (
            json!({"id": id, "domain": "other.example.com"}),
            "account.domain",
        ),
    ];
    for (index, (account, field)) in lies.into_iter().enumerate() {
        let body = json!({"kind": "terminate", "account": account});
        let refused = app.submit(&format!("lie-{index}"), body).await;
        assert_eq!(refused.fields(), [field]);
    }
    support::add_server(&app.ledger, "web2").await;
    let body = json!({"kind": "terminate", "server": "web2", "account": {"id": id}});
    assert_eq!(app.submit("elsewhere", body).await.fields(), ["server"]);
}

#[tokio::test]
async fn a_name_that_we_do_not_know_is_left_to_the_panel() {
    let app = App::start().await;
    let body = json!({"kind": "suspend", "server": "web1", "reason": "overdue",
        "account": {"username": "older", "reference": "whmcs:7", "domain": "older.example.com"}});
    let taken = app.submit("k", body).await;
    assert_eq!(taken.job()["account"]["state"], "importing");
    assert_eq!(taken.job()["reason"], "overdue");
}

#[tokio::test]
async fn removing_what_is_removed_is_a_job_and_not_an_error() {
    let app = App::start().await;
    let id = app.account("whmcs:1", "acme").await;
    let terminate = json!({"kind": "terminate", "account": {"reference": "whmcs:1"}});
    let first = app.submit("t1", terminate.clone()).await;
    app.work(&first.id(), succeeded()).await;
    let second = app.submit("t2", terminate).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(second.job()["account"]["id"], id.as_str());
    let suspend = app
        .submit("s", json!({"kind": "suspend", "account": {"id": id}}))
        .await;
    assert_eq!(suspend.status, StatusCode::CONFLICT);
    assert_eq!(
        suspend.json()["type"],
        "urn:hostler:problem:account_terminated"
    );
}

#[tokio::test]
async fn another_platforms_account_is_out_of_reach_by_every_way() {
    let app = App::start().await;
    let id = app.account("whmcs:1", "acme").await;
    let foreign = app.foreign_token().await;
    for (account, field) in [
        (json!({"id": id}), "account.id"),
        (json!({"reference": "whmcs:1"}), "account.reference"),
        (json!({"username": "acme"}), "account.username"),
    ] {
        let body = json!({"kind": "terminate", "server": "web1", "account": account, "idempotency_key": field});
        let mut body = body;
        if field == "account.reference" {
            body.as_object_mut().unwrap().remove("server");
        }
        let refused = app.post_as(&foreign, "/v1/jobs", body).await;
        assert_eq!(refused.fields(), [field]);
    }
    assert_eq!(rows(&app).await, 1);
}

#[tokio::test]
async fn a_submitted_password_is_sealed_to_the_workers_and_nowhere_in_clear() {
    let app = App::start().await;
    let mut body = create("whmcs:1", "acme");
    body["account"]["password"] = json!("Canary-4711-Canary");
    let taken = app.submit("k", body).await;
    let row = app.row(&taken.id()).await;
    let stored = secret::Entity::find()
        .all(app.store().reader())
        .await
        .unwrap();
    let of_job: Vec<_> = stored
        .iter()
        .filter(|secret| secret.owner == format!("job:{}", row.public_id))
        .collect();
    assert_eq!(of_job.len(), 1);
    assert_eq!(
        (of_job[0].audience.as_str(), of_job[0].purpose.as_str()),
        ("worker", "password")
    );
    let opened = app.ledger.keyring.open(of_job[0]).unwrap();
    use secrecy::ExposeSecret;
    assert_eq!(opened.expose_secret(), "Canary-4711-Canary");
    let everything = format!("{row:?}{stored:?}{}", taken.text);
    assert!(!everything.contains("Canary-4711"));
}

#[tokio::test]
async fn a_batch_gets_one_answer_for_each_of_its_requests() {
    let app = App::start().await;
    app.submit("old", create("whmcs:0", "old")).await;
    let with_key = |key: &str, mut body: Value| {
        body["idempotency_key"] = json!(key);
        body
    };
    let jobs = json!({"jobs": [
        with_key("b1", create("whmcs:1", "one")),
        with_key("b2", create("whmcs:2", "9bad")),
        with_key("old", create("whmcs:0", "old")),
        with_key("old", create("whmcs:0", "changed")),
        with_key("b1", create("whmcs:1", "one")),
        {"kind": "suspend", "server": "web1", "account": {"username": "one"}, "idempotency_key": "b3"},
        create("whmcs:3", "nokey"),
        5,
    ]});
    let answer = app.post("/v1/jobs/batch", jobs).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let items = answer.json()["items"].as_array().unwrap().clone();
    let statuses: Vec<i64> = items
        .iter()
        .map(|i| i["status"].as_i64().unwrap())
        .collect();
    assert_eq!(statuses[..4], [202, 422, 200, 409]);
    assert_eq!(statuses[5..], [202, 422, 422]);
    assert_eq!(
        items[4]["job"]["id"], items[0]["job"]["id"],
        "a twin is the same job"
    );
    assert_eq!(
        items[1]["problem"]["errors"][0]["field"],
        "account.username"
    );
    assert_eq!(
        items[5]["job"]["account"]["id"], items[0]["job"]["account"]["id"],
        "a later request of the batch sees the account of an earlier one"
    );
    assert_eq!(rows(&app).await, 3);
    let nothing = app.post("/v1/jobs/batch", json!({"jobs": []})).await;
    assert_eq!(nothing.fields(), ["jobs"]);
    let too_many = vec![json!({"kind": "check_connection", "server": "web1"}); 1001];
    let refused = app.post("/v1/jobs/batch", json!({"jobs": too_many})).await;
    assert_eq!(refused.fields(), ["jobs"]);
}

#[tokio::test]
async fn a_nul_is_refused_where_it_stands_and_in_a_batch_for_its_request_alone() {
    let app = App::start().await;
    let check = json!({"kind": "check_connection", "server": "web1"});
    let mut nul = check.clone();
    nul["server"] = json!("web1\0");
    let refused = app.post("/v1/jobs", nul.clone()).await;
    assert_eq!(refused.fields(), ["server"]);
    let deep = json!({"kind": "create", "account": {"panel": {"x": ["a", "b\0"]}}, "idempotency_key": "k"});
    assert_eq!(
        app.post("/v1/jobs", deep).await.fields(),
        ["account.panel.x.1"]
    );
    let batch = app
        .post("/v1/jobs/batch", json!({"jobs": [nul, check]}))
        .await
        .json();
    assert_eq!(batch["items"][0]["status"], 422);
    assert_eq!(batch["items"][1]["status"], 202);
    let reason = json!({"filter": {"account": "a\0"}});
    assert_eq!(
        app.post("/v1/jobs/replay", reason).await.fields(),
        ["filter.account"]
    );
}

#[tokio::test]
async fn a_full_batch_is_taken_in() {
    let app = App::start().await;
    let jobs: Vec<Value> = (0..1000)
        .map(|n| {
            let mut body = create(&format!("whmcs:{n}"), &format!("user{n}"));
            body["idempotency_key"] = json!(format!("key-{n}"));
            body
        })
        .collect();
    let answer = app.post("/v1/jobs/batch", json!({"jobs": jobs})).await;
    let items = answer.json()["items"].as_array().unwrap().clone();
    assert!(items.iter().all(|item| item["status"] == 202));
    assert_eq!(rows(&app).await, 1000);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_by_their_reason() {
    let app = App::start().await;
    let send = |kind: &'static str, body: String| {
        let request = app
            .request(Method::POST, "/v1/jobs")
            .bearer_auth(&app.token)
            .header("content-type", kind)
            .header("idempotency-key", "k");
        answer(request.body(body))
    };
    let json = "application/json";
    assert_eq!(send(json, "{".into()).await.status, StatusCode::BAD_REQUEST);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        send(json, deep[..60_000].to_owned()).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        send("text/plain", "{}".into()).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = format!("{{\"kind\": \"{}\"}}", "x".repeat(70_000));
    assert_eq!(
        send(json, large).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(
        send(json, String::new()).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(rows(&app).await, 0);
}

#[tokio::test]
async fn a_scheduled_job_waits_until_it_is_due() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let later = scheduler::times::rfc3339(app.store().now().await.unwrap() + 3_600_000);
    let body = json!({"kind": "suspend", "account": {"reference": "whmcs:1"}, "due_at": later});
    let taken = app.submit("k", body).await;
    assert_eq!(taken.job()["due_at"], later.as_str());
    assert_eq!(taken.job()["waiting_for"]["reason"], "not_due");
    assert_eq!(taken.job()["waiting_for"]["until"], later.as_str());
}

#[tokio::test]
async fn the_ledger_being_away_is_503_and_no_promise() {
    let app = App::start().await;
    app.store()
        .writer_connection()
        .clone()
        .close()
        .await
        .unwrap();
    let refused = app.submit("k", create("whmcs:1", "acme")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["type"], "urn:hostler:problem:unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(rows(&app).await, 0);
}

#[tokio::test]
async fn the_command_line_goes_through_the_same_door() {
    let app = App::start().await;
    let intake = Intake::new(
        app.store().clone(),
        app.doorbell.clone(),
        app.ledger.keyring.clone(),
    );
    let operator = Caller::operator("alice");
    let body = |username: &str| Body {
        json: create("local:1", username),
        idempotency_key: Some("cli".into()),
        trace: None,
    };
    let mut answers = intake
        .accept(&operator, vec![body("9bad"), body("acme")])
        .await;
    let good = answers.pop().unwrap().unwrap();
    assert!(good.new && good.job.actor == "operator:alice");
    let bad = answers.pop().unwrap().unwrap_err();
    assert_eq!(bad.errors[0].field, "account.username");
    let admin = app.token_with(&[Scope::Operate], None).await;
    let seen = app
        .get_as(&admin, &format!("/v1/jobs/{}", good.job.public_id))
        .await;
    assert_eq!(seen.json()["operator"]["actor"], "operator:alice");
    assert_eq!(
        app.get(&format!("/v1/jobs/{}", good.job.public_id))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_failed_job_tells_the_customer_why_and_the_operator_more() {
    let app = App::start().await;
    let taken = app.submit("k", create("whmcs:1", "acme")).await;
    let row = app.row(&taken.id()).await;
    let claimed = support::claim(app.store(), row.id).await;
    let mut finish = support::finish(&claimed, Outcome::Failed);
    finish.error = Some(jobs::store::JobError {
        class: "rejected".into(),
        code: "domain_taken".into(),
        message: "the domain is in use".into(),
        detail: Some(json!({"status": 200, "path": "/json-api/createacct"})),
    });
    app.store().write_group(&[], &[finish]).await.unwrap();
    let path = format!("/v1/jobs/{}", taken.id());
    let seen = app.get(&path).await;
    assert_eq!(
        seen.json()["error"],
        json!({"code": "domain_taken", "class": "rejected", "message": "the domain is in use"})
    );
    assert_eq!(seen.json()["attempts"][0]["outcome"], "failed");
    assert!(!seen.text.contains("createacct"));
    let operator = app.token_with(&[Scope::Operate], None).await;
    let more = app.get_as(&operator, &path).await;
    assert_eq!(
        more.json()["attempts"][0]["detail"]["path"],
        "/json-api/createacct"
    );
}
