//! A running Hostler with one panel, and what the panel says of it all.

use serde_json::{Value, json};
use simulator::{Fault, PanelKind, Reply, SimAccount, Simulator};
use tests::client::Client;
use tests::stand::Stand;

/// The server's name.
pub(crate) const SERVER: &str = "web1";
/// Slow enough that a call which the panel leaves unanswered is still waited for when the test goes on.
const PACE: f64 = 0.1;

/// A running Hostler with one pretend panel, a WHM if nothing else is said.
pub(crate) struct Scene {
    pub(crate) stand: Stand,
    /// Of a platform that may do what a module does.
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::paced(PACE).await
    }

    pub(crate) async fn paced(pace: f64) -> Self {
        Self::on(PanelKind::Cpanel, pace).await
    }

    /// The same with another panel.
    pub(crate) async fn on_froxlor() -> Self {
        Self::on(PanelKind::Froxlor, PACE).await
    }

    async fn on(panel: PanelKind, pace: f64) -> Self {
        let stand = Stand::paced(&[(SERVER, panel)], &[], pace).await;
        let mut args = vec!["--json", "token", "create", "--platform", "billing"];
        args.extend([
            "--name", "module", "--scope", "create", "--scope", "suspend",
        ]);
        args.extend([
            "--scope",
            "terminate",
            "--scope",
            "change",
            "--scope",
            "read",
        ]);
        args.extend(["--scope", "traffic"]);
        let made = stand.installation.hostler(&args).json();
        let token = made["token"].as_str().unwrap().to_owned();
        let client = Client::new(stand.client.base(), &token);
        let scene = Self {
            stand,
            token,
            client,
        };
        // As every operator does: its packages and its own name become known.
        for kind in ["check_connection", "get_server_config"] {
            scene
                .reads(kind, &json!({"kind": kind, "server": SERVER}))
                .await;
        }
        scene
    }

    /// A domain that another account on the panel has.
    pub(crate) async fn somebody_elses_domain(&self) -> String {
        let id = self.stand.create(SERVER, "other").await;
        let job = self.stand.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        job["account"]["domain"].as_str().unwrap().to_owned()
    }

    async fn reads(&self, key: &str, body: &Value) {
        let id = self.client.submit(key, body).await;
        let job = self.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }

    pub(crate) fn panel(&self) -> &Simulator {
        self.stand.panel(SERVER)
    }

    /// The port of the API.
    pub(crate) fn port(&self) -> u16 {
        let (_, port) = self.client.base().rsplit_once(':').unwrap();
        port.parse().unwrap()
    }

    /// The panel does what the next call of that name says, and keeps the answer to itself.
    pub(crate) fn keep_quiet_about(&self, call: &str) {
        let fault = Fault::on(call).reply(Reply::Never);
        self.panel().faults().add(fault);
    }

    /// Ends the silence: whoever still waits for an answer is cut off.
    pub(crate) async fn end_silence(&self) {
        self.panel().restart().await.unwrap();
    }

    /// The one account on the panel.
    pub(crate) fn only_account(&self) -> SimAccount {
        let mut accounts = self.panel().accounts();
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        accounts.remove(0)
    }

    /// How often the panel was asked to do that.
    pub(crate) fn asked(&self, call: &str) -> usize {
        let requests = self.panel().requests();
        requests.iter().filter(|one| one.call == call).count()
    }

    /// How often it did that.
    pub(crate) fn did(&self, call: &str) -> usize {
        let ledger = self.panel().ledger();
        ledger.iter().filter(|entry| entry.call == call).count()
    }

    /// The jobs of that kind, newest first.
    pub(crate) async fn jobs(&self, kind: &str) -> Vec<Value> {
        let (status, page) = self.client.get(&format!("/v1/jobs?kind={kind}")).await;
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().clone()
    }

    /// Reads the panel's traffic of its running month, under that key.
    pub(crate) async fn read_traffic(&self, key: &str) {
        let month = self.panel().month();
        let body = json!({"kind": "get_stats", "server": SERVER, "month": month});
        self.reads(key, &body).await;
    }
}
