//! Everything in one process on a fresh SQLite, panels for it to work on, and a platform's client.

#![expect(
    clippy::expect_used,
    reason = "a scenario whose set-up fails must fail at once"
)]

use serde_json::{Value, json};
use simulator::{Options, PanelKind, Simulator};

use crate::client::Client;
use crate::installation::{Installation, Role, free_port};
use crate::servers::{Kind, TestDatabase};

/// How fast its waiting goes.
const PACE: f64 = 0.02;

/// A running `hostler serve` whose servers are visited by nobody but its jobs.
#[derive(Debug)]
pub struct Stand {
    /// Its folder and commands.
    pub installation: Installation,
    /// Its ledger.
    pub database: TestDatabase,
    /// Its process.
    pub role: Role,
    /// A platform that may do everything but remove accounts.
    pub client: Client,
    /// That platform's token.
    pub token: String,
    panels: Vec<(&'static str, Simulator)>,
}

impl Stand {
    /// With one such panel for each name; global flags like `-vv` go before the command.
    pub async fn new(panels: &[(&'static str, PanelKind)], flags: &[&str]) -> Self {
        Self::start(panels, flags, &[], PACE).await
    }

    /// The same with that pace.
    pub async fn paced(panels: &[(&'static str, PanelKind)], flags: &[&str], pace: f64) -> Self {
        Self::start(panels, flags, &[], pace).await
    }

    /// The same with these arguments behind `serve`.
    pub async fn serving(panels: &[(&'static str, PanelKind)], args: &[&str]) -> Self {
        Self::start(panels, &[], args, PACE).await
    }

    async fn start(
        panels: &[(&'static str, PanelKind)],
        flags: &[&str],
        args: &[&str],
        pace: f64,
    ) -> Self {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let installation = Installation::new(&database, None, pace);
        let mut running = Vec::new();
        for &(name, kind) in panels {
            let panel = simulator::start(Options::new(kind))
                .await
                .expect("a panel can be simulated");
            installation.add_server(name, &kind.to_string(), &panel);
            installation.hostler(&["server", "set", name, "--nightly", "false"]);
            running.push((name, panel));
        }
        let scopes = ["create", "suspend", "change", "read", "traffic", "operate"];
        let token = installation.token(&scopes);
        let listen = format!("127.0.0.1:{}", free_port());
        let args = [flags, &["serve", "--listen", &listen], args].concat();
        let role = installation.start(&args, "is listening on").await;
        let client = Client::new(format!("http://{listen}"), &token);
        Self {
            installation,
            database,
            role,
            client,
            token,
            panels: running,
        }
    }

    /// The panel of that server.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn panel(&self, server: &str) -> &Simulator {
        let found = self.panels.iter().find(|(name, _)| *name == server);
        &found.expect("a server of this stand").1
    }

    /// How many requests its panels have had.
    #[must_use]
    pub fn calls(&self) -> usize {
        let panels = self.panels.iter();
        panels.map(|(_, panel)| panel.requests().len()).sum()
    }

    /// A client of the same platform that may do everything.
    #[must_use]
    pub fn admin(&self) -> Client {
        let token = self.installation.another_token("all", &["admin"]);
        Client::new(self.client.base(), &token)
    }

    /// Puts a create of that login name in; returns the job's id.
    pub async fn create(&self, server: &str, username: &str) -> String {
        let key = format!("create-{server}-{username}");
        self.client.submit(&key, &create(server, username)).await
    }

    /// Ends it and looks whether a thread of it panicked on the way.
    ///
    /// # Panics
    /// When one did, or when it does not end well.
    pub async fn end(mut self) {
        let code = self.role.stop().await;
        assert_no_panic(&self.role);
        assert_eq!(code, 0, "{:#?}", self.role.said());
    }
}

/// A create that every panel takes.
#[must_use]
pub fn create(server: &str, username: &str) -> Value {
    json!({
        "kind": "create",
        "server": server,
        "account": {
            "reference": format!("billing:{server}-{username}"),
            "username": username,
            "domain": format!("{username}.{server}.example.com"),
            "email": format!("{username}@example.org"),
            "package": "silver",
        },
    })
}

/// # Panics
/// When a thread of that process did.
pub fn assert_no_panic(role: &Role) {
    let said = role.said();
    let panics: Vec<_> = said
        .iter()
        .filter(|line| line.contains("panicked"))
        .collect();
    assert!(panics.is_empty(), "{panics:#?}");
}
