//! Every kind of job and of failure, with a secret in each place where one can be put.

use serde_json::{Value, json};
use simulator::{Applied, Fault, Reply};
use tests::stand::create;

use crate::stage::{DATABASE_PASSWORD, PLANTED, REDIS_PASSWORD, Stage};

/// What a customer chose, with letters that every encoding changes.
const CHOSEN: &str = "Pl4nted+Ch0sen@pw-Zq9?";
const CHANGED: &str = "Pl4nted+Ch4nged@pw-Xk7?";
/// A token that the panel refuses.
const REFUSED: &str = "Pl4ntedRefusedTokenQ8W7E6R5T4";

const SERVERS: [(&str, &str); 2] = [("web1", "createacct"), ("web2", "Customers.add")];

fn with_password(server: &str, name: &str) -> Value {
    let mut body = create(server, name);
    body["account"]["password"] = json!(CHOSEN);
    body
}

fn on_account(kind: &str, server: &str, name: &str, more: &Value) -> Value {
    let mut account = json!({"reference": format!("billing:{server}-{name}")});
    for (field, value) in more.as_object().unwrap() {
        account[field] = value.clone();
    }
    json!({"kind": kind, "server": server, "account": account})
}

/// Faults by which a panel says back what it was told, in an error page, in a reason and in an answer.
fn echoes(said: &str) -> Vec<Reply> {
    let page = |code| Reply::Status {
        code,
        body: format!("<html><pre>Fatal error: bad call({said}) in api.php</pre></html>"),
    };
    let json_of = |value: Value| Reply::Status {
        code: 200,
        body: value.to_string(),
    };
    let sorry = format!("Sorry, {said} will not do.");
    vec![
        page(403),
        page(404),
        page(500),
        page(502),
        page(503),
        page(200),
        json_of(
            json!({"metadata": {"result": 0, "version": 1, "command": "createacct", "reason": sorry}}),
        ),
        json_of(json!({"status": 500, "status_message": sorry, "data": null})),
        json_of(json!({"data": {"password": CHOSEN, "note": sorry}, "metadata": {"result": 1}})),
        json_of(json!([said, {said: said}])),
        Reply::Raw {
            text: format!("HTTP/1.1 {said}\r\n\r\n"),
        },
    ]
}

pub(crate) async fn everything(stage: &mut Stage) {
    stage.canaries.add("a chosen password", CHOSEN, "chosen");
    stage.canaries.add("a changed password", CHANGED, "chosen");
    stage.canaries.add("a refused token", REFUSED, "root");
    planted(stage).await;
    for (server, create_call) in SERVERS {
        echoed(stage, server, create_call).await;
        refused(stage, server).await;
        kinds(stage, server).await;
    }
    closed_month(stage).await;
}

/// The text that must be found: as a server's name it is in logs, in answers and in webhooks.
async fn planted(stage: &mut Stage) {
    let mut body = create(PLANTED, "planted");
    body["reason"] = json!(PLANTED);
    let fault = Fault::on("createacct")
        .applied(Applied::No)
        .reply(Reply::Reset);
    stage.panel(PLANTED).faults().add(fault);
    stage.job("planted", &body).await;
}

/// Creates whose answers say back what they were told, never come, or are cut off.
async fn echoed(stage: &mut Stage, server: &str, create_call: &str) {
    // By no word before them can they be told to be secrets.
    let said = format!("{CHOSEN} of root, {}", stage.panel(server).secret());
    let mut replies = echoes(&said);
    replies.extend([Reply::Never, Reply::Reset, Reply::CutBody { after: 10 }]);
    let mut bodies = Vec::new();
    for (n, reply) in replies.into_iter().enumerate() {
        let name = format!("echo{n:02}");
        let fault = Fault::on(create_call).for_user(&name).applied(Applied::No);
        stage.panel(server).faults().add(fault.reply(reply));
        bodies.push((format!("{server}-{name}"), with_password(server, &name)));
    }
    stage.jobs(&bodies).await;
    stage.panel(server).faults().clear();
}

/// Credentials that the panel does not know, and then the right ones again.
async fn refused(stage: &mut Stage, server: &str) {
    let right = stage.panel(server).secret().to_owned();
    for (n, secret) in [REFUSED, right.as_str()].into_iter().enumerate() {
        let file = stage.installation.folder().join("another.secret");
        std::fs::write(&file, secret).unwrap();
        stage.command(&[
            "server",
            "set",
            server,
            "--secret-file",
            file.to_str().unwrap(),
        ]);
        let body = json!({"kind": "check_connection", "server": server});
        let job = stage.job(&format!("{server}-refused-{n}"), &body).await;
        assert_eq!(job["state"], ["held", "succeeded"][n], "{job}");
    }
}

async fn kinds(stage: &mut Stage, server: &str) {
    let generated = stage
        .job(&format!("{server}-generated"), &create(server, "generated"))
        .await;
    stage.fetch_secret(&generated).await;
    let chosen = stage
        .job(
            &format!("{server}-chosen"),
            &with_password(server, "chosen"),
        )
        .await;
    assert_eq!(chosen["state"], "succeeded", "{chosen}");
    let none = json!({});
    for (kind, more) in [
        ("change_password", json!({"password": CHANGED})),
        ("suspend", none.clone()),
        ("unsuspend", none.clone()),
        ("change_package", json!({"package": "silver"})),
        ("change_limits", json!({"limits": {"disk_mb": 2048}})),
        ("login_url", none.clone()),
    ] {
        let body = on_account(kind, server, "chosen", &more);
        let job = stage.job(&format!("{server}-{kind}"), &body).await;
        if job["secret_available"] == true && kind == "login_url" {
            stage.fetch_secret(&job).await;
        }
    }
    for kind in [
        "get_server_config",
        "list_accounts",
        "check_connection",
        "get_stats",
    ] {
        let mut body = json!({"kind": kind, "server": server});
        if kind == "get_stats" {
            body["month"] = json!(stage.panel(server).month());
        }
        stage.job(&format!("{server}-{kind}"), &body).await;
    }
    if server == "web2" {
        stage
            .job("unlock", &on_account("unlock", server, "chosen", &none))
            .await;
        let target = json!({"panel": {"target": 5}});
        let body = on_account("move", server, "chosen", &target);
        stage.job("move", &body).await;
    }
    stage
        .job(
            &format!("{server}-terminate"),
            &on_account("terminate", server, "chosen", &none),
        )
        .await;
}

/// A month of the planted server that is over and has a reading, so that its end is told by a webhook.
async fn closed_month(stage: &mut Stage) {
    let now = stage.panel(PLANTED).month();
    let (year, month) = now.split_once('-').unwrap();
    let (year, month): (i32, i32) = (year.parse().unwrap(), month.parse().unwrap());
    let (year, month) = if month == 1 {
        (year - 1, 12)
    } else {
        (year, month - 1)
    };
    let before = format!("{year}-{month:02}");
    stage
        .panel(PLANTED)
        .add_traffic("planted", &before, 5 << 20);
    let body = json!({"kind": "get_stats", "server": PLANTED, "month": before});
    let job = stage.job("closed", &body).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let said = stage.command(&["traffic", "close", "--month", &before, "--server", PLANTED]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// Requests that name a secret where none belongs.
pub(crate) async fn wrong_requests(stage: &mut Stage) {
    let mut bodies = Vec::new();
    for field in ["username", "domain", "package", "email", "id"] {
        let mut body = with_password("web1", "wrong");
        body["account"][field] = json!(CHOSEN);
        bodies.push(body);
    }
    for field in ["kind", "server", "month", "due_at", "webhook"] {
        let mut body = with_password("web1", "wrong");
        body[field] = json!(CHOSEN);
        bodies.push(body);
    }
    let mut named = with_password("web1", "wrong");
    named[CHOSEN] = json!(1);
    let mut limits = with_password("web1", "wrong");
    limits["account"]["limits"] = json!({CHOSEN: 5});
    let mut of_panel = with_password("web1", "wrong");
    of_panel["account"]["panel"] = json!({CHOSEN: CHOSEN});
    let mut blanks = with_password("web1", "wrong");
    blanks["account"]["password"] = json!(format!("{CHOSEN} with \"blanks\""));
    let mut list = with_password("web1", "wrong");
    list["account"]["password"] = json!([CHOSEN]);
    let mut object = with_password("web1", "wrong");
    object["account"]["password"] = json!({CHOSEN: CHOSEN});
    bodies.extend([
        named,
        limits,
        of_panel,
        blanks,
        list,
        object,
        json!(CHOSEN),
        json!([CHOSEN]),
    ]);
    for (n, body) in bodies.into_iter().enumerate() {
        let (status, answer) = stage
            .client
            .post("/v1/jobs", &format!("wrong-{n}"), &body)
            .await;
        assert!((400..500).contains(&status), "{status} {answer} for {body}");
        stage.hear(&format!("refusal of {n}"), answer.to_string());
    }
    let panel = stage.panel("web1").secret().to_owned();
    let stranger = tests::client::Client::new(&stage.base, &panel);
    let (status, answer) = stranger.get("/v1/jobs").await;
    assert_eq!(status, 401);
    stage.hear("refusal of a stranger", answer.to_string());
    for line in [
        [
            "enqueue",
            "create",
            "--server",
            "web1",
            "--package",
            "silver",
            "--domain",
            CHOSEN,
        ],
        [
            "enqueue",
            "suspend",
            "--server",
            "web1",
            "--reason",
            "r",
            "--username",
            CHOSEN,
        ],
    ] {
        let said = stage.command(&line);
        assert_ne!(said.code, 0, "{said:?}");
    }
}

/// Addresses with a password at which nobody listens.
pub(crate) async fn lost_servers(stage: &mut Stage) {
    let nowhere = format!("postgres://hostler:{DATABASE_PASSWORD}@127.0.0.1:1/hostler");
    let bad_ring = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:1/");
    for (args, variables) in [
        (
            vec!["-vv", "job", "list"],
            vec![("DATABASE_URL", nowhere.as_str())],
        ),
        (
            vec!["config", "check"],
            vec![
                ("DATABASE_URL", nowhere.as_str()),
                ("REDIS_URL", bad_ring.as_str()),
            ],
        ),
        (
            vec!["config", "check", "--json"],
            vec![
                ("DATABASE_URL", nowhere.as_str()),
                ("REDIS_URL", bad_ring.as_str()),
            ],
        ),
        (
            vec!["-vv", "enqueue", "check_connection", "--server", "web1"],
            vec![("REDIS_URL", bad_ring.as_str())],
        ),
        (
            vec!["config", "check"],
            vec![("DATABASE_URL", DATABASE_PASSWORD)],
        ),
        (
            vec!["job", "list"],
            vec![("DATABASE_URL", DATABASE_PASSWORD)],
        ),
        (vec!["worker"], vec![("REDIS_URL", REDIS_PASSWORD)]),
    ] {
        let mut command = stage.installation.command(&args);
        command
            .envs(variables)
            .env("HOSTLER_DATABASE__PATIENCE_SECONDS", "1");
        let said = tests::installation::Said::of(&command.output().unwrap());
        stage.hear(
            &format!("{} with lost servers", args.join(" ")),
            format!("{}\n{}", said.out, said.err),
        );
    }
}

/// Everything that can be read with a GET.
pub(crate) async fn answers(stage: &mut Stage) {
    let (_, jobs) = stage.client.get("/v1/jobs?limit=200").await;
    let mut paths: Vec<String> = [
        "/v1/jobs?limit=200",
        "/v1/servers",
        "/v1/usage",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ]
    .map(str::to_owned)
    .to_vec();
    for server in ["web1", "web2", PLANTED] {
        for end in ["", "/accounts", "/usage"] {
            paths.push(format!("/v1/servers/{server}{end}"));
        }
    }
    for job in jobs["items"].as_array().unwrap() {
        paths.push(format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
        if let Some(account) = job["account"]["id"].as_str() {
            paths.push(format!("/v1/accounts/{account}"));
            paths.push(format!("/v1/accounts/{account}/traffic"));
        }
    }
    for path in paths {
        let (_, answer) = stage.client.get(&path).await;
        stage.hear(&format!("GET {path}"), answer.to_string());
    }
}

/// Everything that a person can have shown.
pub(crate) async fn commands(stage: &mut Stage) {
    for line in [
        "config check",
        "config check --json",
        "server list",
        "server show web1",
        "server show web2 --json",
        "job list",
        "job list --state failed --json",
        "token list",
        "platform list",
        "webhook list",
        "keys show",
        "keys show --json",
        "account list",
        "traffic show",
        "migrate status",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        stage.command(&args);
    }
    let (_, jobs) = stage.client.get("/v1/jobs?limit=200").await;
    let items = jobs["items"].as_array().unwrap();
    // Those that went wrong have the most to say.
    let told = items
        .iter()
        .filter(|job| job["error"].is_object() || job["reason"] == PLANTED);
    let ids: Vec<String> = told
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect();
    for id in ids.iter().take(25) {
        stage.command(&["-vv", "--json", "job", "show", id]);
        stage.command(&["job", "show", id]);
    }
    for job in items.iter().filter(|job| job["reason"] == PLANTED) {
        stage.command(&["job", "show", job["id"].as_str().unwrap()]);
    }
}
