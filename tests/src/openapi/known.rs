//! A server with something of everything that a request can name.

use serde_json::{Value, json};
use simulator::{Options, PanelKind, Simulator};

use crate::client::Client;
use crate::installation::{Installation, Role, free_port};
use crate::servers::{Kind, TestDatabase};

const SCOPES: [&str; 8] = [
    "create",
    "suspend",
    "terminate",
    "change",
    "read",
    "traffic",
    "operate",
    "admin",
];
/// How fast its waiting goes.
const PACE: f64 = 0.02;

/// The server, and what is known of it.
pub(super) struct Known {
    pub(super) client: Client,
    pub(super) token: String,
    /// Names and ids by what they can be used for.
    pub(super) names: Value,
    role: Role,
    _panels: Vec<Simulator>,
    _installation: Installation,
    _database: TestDatabase,
}

impl Known {
    pub(super) async fn set_up(kind: Kind) -> Self {
        let database = TestDatabase::migrated(kind).await;
        let installation = Installation::new(&database, None, PACE);
        let mut panels = Vec::new();
        for (name, kind) in [("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)] {
            let panel = simulator::start(Options::new(kind))
                .await
                .expect("a panel can be simulated");
            installation.add_server(name, &kind.to_string(), &panel);
            panels.push(panel);
        }
        let token = installation.token(&SCOPES);
        let url = "https://127.0.0.1:9/hook";
        installation.hostler(&[
            "webhook",
            "add",
            "main",
            "--platform",
            "billing",
            "--url",
            url,
        ]);
        let listen = format!("127.0.0.1:{}", free_port());
        let role = installation
            .start(&["serve", "--listen", &listen], "is listening on")
            .await;
        let client = Client::new(format!("http://{listen}"), &token);
        let names = put_in(&client).await;
        Self {
            client,
            token,
            names,
            role,
            _panels: panels,
            _installation: installation,
            _database: database,
        }
    }

    pub(super) async fn end(mut self) {
        crate::stand::assert_no_panic(&self.role);
        self.role.stop().await;
    }
}

/// Jobs of several ends, and the accounts and secrets that they make.
async fn put_in(client: &Client) -> Value {
    for server in ["web1", "web2"] {
        ended(
            client,
            &json!({"kind": "get_server_config", "server": server}),
        )
        .await;
    }
    let mut accounts = Vec::new();
    let mut created = Vec::new();
    for name in ["acme", "bolt", "cork", "dome"] {
        let job = ended(client, &create("web1", name)).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        accounts.push(job["account"]["id"].clone());
        created.push(job["id"].clone());
    }
    let froxlor = ended(client, &create("web2", "edge")).await;
    accounts.push(froxlor["account"]["id"].clone());
    let now = now();
    let month = now.format("%Y-%m").to_string();
    let stats = json!({"kind": "get_stats", "server": "web1", "month": month});
    let stats = ended(client, &stats).await;
    assert_eq!(stats["state"], "succeeded", "{stats}");
    let mut failed = Vec::new();
    for kind in ["suspend", "unsuspend", "login_url"] {
        let nobody = json!({"username": "nobody1"});
        let job = json!({"kind": kind, "server": "web1", "account": nobody});
        let job = ended(client, &job).await;
        assert_eq!(job["state"], "failed", "{job}");
        failed.push(job["id"].clone());
    }
    let jobs: Vec<&Value> = created
        .iter()
        .chain(&failed)
        .chain([&stats["id"]])
        .collect();
    json!({
        "servers": ["web1", "web2"],
        "accounts": accounts,
        "jobs": jobs,
        "secrets": created[..2],
        "acknowledged": created[2..],
        "failed": failed,
        "later": (now + chrono::Duration::days(300)).to_rfc3339(),
        "base": client.base(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server of this run goes by the real clock"
)]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Puts it in and waits for its end.
async fn ended(client: &Client, body: &Value) -> Value {
    let id = client
        .submit(&body.to_string().replace('"', ""), body)
        .await;
    client.settled(&id).await
}

/// `acme` is the account of the document's examples.
fn create(server: &str, username: &str) -> Value {
    let reference = if username == "acme" {
        "whmcs:42".to_owned()
    } else {
        format!("whmcs:{username}")
    };
    json!({"kind": "create", "server": server, "account": {
        "reference": reference,
        "username": username,
        "domain": format!("{username}.example.com"),
        "email": "owner@example.com",
        "package": "gold",
    }})
}
