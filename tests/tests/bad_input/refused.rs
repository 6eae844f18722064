//! Requests that are refused at the door: the answer names the field, and no panel is asked.

use serde_json::{Value, json};
use simulator::PanelKind;
use tests::stand::{Stand, create};

/// The create of `acme` on `server` with one field of `account` put in its place.
fn with(server: &str, field: &str, value: Value) -> Value {
    let mut body = create(server, "acme");
    body["account"][field] = value;
    body
}

/// A request, the field that its refusal names, and a word of the reason.
fn wrong_requests() -> Vec<(Value, &'static str, &'static str)> {
    let no_kind = json!({"server": "web1", "account": {"username": "acme"}});
    let mut odd_field = create("web1", "acme");
    odd_field["servr"] = json!("web1");
    vec![
        (json!("suspend"), "body", "object"),
        (no_kind, "kind", "required"),
        (
            json!({"kind": "make", "server": "web1"}),
            "kind",
            "known are",
        ),
        (json!({"kind": 7, "server": "web1"}), "kind", "string"),
        (
            json!({"kind": "deliver_webhook", "server": "web1"}),
            "kind",
            "internal",
        ),
        (
            json!({"kind": "unlock", "server": "web1", "account": {"username": "acme"}}),
            "kind",
            "cannot unlock",
        ),
        (odd_field, "servr", "unknown field"),
        (create("web9", "acme"), "server", "no server"),
        (create("", "acme"), "server", "no server"),
        (create("web1' OR 1=1 --", "acme"), "server", "no server"),
        (json!({"kind": "create"}), "server", "required"),
        (
            with("web1", "usrname", json!("acme")),
            "account.usrname",
            "unknown field",
        ),
        (
            with("web1", "dedicated_ip", json!("yes")),
            "account.dedicated_ip",
            "boolean",
        ),
        (
            with("web2", "dedicated_ip", json!(true)),
            "account.dedicated_ip",
            "no addresses",
        ),
        (
            with("web1", "package", Value::Null),
            "account.package",
            "required",
        ),
        (
            with("web2", "email", Value::Null),
            "account.email",
            "required",
        ),
        (with("web1", "email", json!("nobody")), "account.email", "@"),
        (
            with("web1", "password", json!("short")),
            "account.password",
            "8",
        ),
        (
            with("web2", "password", json!("back\\slash-and-more")),
            "account.password",
            "",
        ),
        (
            with("web1", "limits", json!({"disk_gb": 5})),
            "account.limits.disk_gb",
            "",
        ),
        (
            with("web1", "limits", json!({"disk_mb": -5})),
            "account.limits.disk_mb",
            "",
        ),
        (
            with("web1", "limits", json!({"traffic_mb": 0})),
            "account.limits.traffic_mb",
            "unlimited",
        ),
        (
            with("web2", "limits", json!({"traffic_mb": 1500})),
            "account.limits.traffic_mb",
            "1024",
        ),
        (
            with("web1", "panel", json!({"shell": "; rm -rf /"})),
            "account.panel.shell",
            "",
        ),
        (
            json!({"kind": "get_stats", "server": "web1", "month": "2026-13"}),
            "month",
            "",
        ),
        (
            json!({"kind": "suspend", "account": {"reference": "billing:none"}}),
            "account.reference",
            "no live account",
        ),
    ]
}

/// Login names that a panel would refuse, or take for something else.
const NAMES: [(&str, &str, &str); 10] = [
    ("web1", "root", "reserved"),
    ("web1", "9lives", "letter"),
    ("web1", "Acme", "lower-case"),
    ("web1", "test1", "test"),
    ("web1", "acme corp", ""),
    ("web1", "a'; DROP TABLE job; --", ""),
    ("web1", "abcdefghijklmnopqrstuvwxyz", "16"),
    ("web2", "web12", "Froxlor"),
    ("web2", "mysql", "reserved"),
    ("web2", "", ""),
];

/// Domains that are none.
const DOMAINS: [&str; 9] = [
    "",
    "localhost",
    "bad_domain.example.com",
    "-acme.example.com",
    "acme..example.com",
    "acme.example.com/path",
    "https://acme.example.com",
    "*.example.com",
    "192.0.2.1",
];

/// What is wrong with the refusal of `body`; nothing when it is as it should be.
async fn complaint(stand: &Stand, body: &Value, field: &str, word: &str) -> Option<String> {
    let key = body.to_string().chars().take(150).collect::<String>();
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    let (status, answer) = stand.client.post("/v1/jobs", &key, body).await;
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().any(|error| {
        let message = error["message"].as_str().unwrap_or_default();
        error["field"] == field && !message.is_empty() && message.contains(word)
    });
    (status != 422 || !named)
        .then(|| format!("{body}\n  wants {field} ({word})\n  {status} {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_no_panel_could_do_is_refused_before_any_call() {
    let panels = [("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)];
    let stand = Stand::new(&panels, &[]).await;
    let mut complaints = Vec::new();
    for (body, field, word) in wrong_requests() {
        complaints.extend(complaint(&stand, &body, field, word).await);
    }
    for (server, name, word) in NAMES {
        let body = with(server, "username", json!(name));
        complaints.extend(complaint(&stand, &body, "account.username", word).await);
    }
    for (domain, server) in DOMAINS.iter().flat_map(|d| [(d, "web1"), (d, "web2")]) {
        let body = with(server, "domain", json!(domain));
        complaints.extend(complaint(&stand, &body, "account.domain", "").await);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let (status, jobs) = stand.client.get("/v1/jobs").await;
    assert_eq!((status, &jobs["items"]), (200, &json!([])));
    assert_eq!(stand.calls(), 0, "no panel was asked");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_refuses_the_same_with_exit_code_2() {
    let stand = Stand::new(&[("web1", PanelKind::Cpanel)], &[]).await;
    for (line, word) in [
        ("enqueue make --server web1", "make"),
        (
            "enqueue create --server web9 --domain a.example.com --package silver",
            "web9",
        ),
        (
            "enqueue create --server web1 --domain bad_domain --package silver",
            "account.domain",
        ),
        (
            "enqueue create --server web1 --domain a.example.com --package silver --username root",
            "account.username",
        ),
        (
            "enqueue create --server web1 --domain a.example.com",
            "account.package",
        ),
        (
            "enqueue change_limits --server web1 --username acme --limit disk_gb=5",
            "disk_gb",
        ),
        ("enqueue get_stats --server web1 --month 2026-13", "month"),
        ("enqueue suspend --server web1 --colour blue", "--colour"),
        ("server check web9", "web9"),
        ("server packages web9", "web9"),
        ("job show 01NONE", "no job"),
        ("job list --state gone", "--state"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let said = stand.installation.try_hostler(&args);
        let text = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, 2, "{line}: {text}");
        assert!(
            text.contains(word) && !text.contains("panicked"),
            "{line}: {text}"
        );
    }
    assert_eq!(stand.calls(), 0, "no panel was asked");
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_that_the_server_lacks_is_refused_once_its_packages_are_known() {
    let panels = [("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)];
    let stand = Stand::new(&panels, &[]).await;
    for (server, _) in panels {
        let unread = with(server, "package", json!("platinum"));
        let id = stand
            .client
            .submit(&format!("unread-{server}"), &unread)
            .await;
        let job = stand.client.settled(&id).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert!(stand.panel(server).accounts().is_empty(), "{job}");
        stand.installation.hostler(&["server", "packages", server]);
    }
    let asked = stand.calls();
    for (server, _) in panels {
        let body = with(server, "package", json!("platinum"));
        let wrong = complaint(
            &stand,
            &body,
            "account.package",
            "has no package `platinum`",
        )
        .await;
        assert_eq!(wrong, None);
        let mut change = json!({"kind": "change_package", "server": server});
        change["account"] = json!({"username": "other", "package": "platinum"});
        let wrong = complaint(&stand, &change, "account.package", "it has").await;
        assert_eq!(wrong, None);
    }
    assert_eq!(stand.calls(), asked, "no panel was asked");
    stand.end().await;
}
