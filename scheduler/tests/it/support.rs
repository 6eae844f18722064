//! A scheduler on SQLite in a temporary folder, spoken to over real HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::{job, server};
use hosting::{LimitName, LimitRule, NameRule, PanelField, PanelRules, PasswordRule, ServerName};
use jobs::queue::Doorbell;
use jobs::seal::{IntakeKey, Keyring, PrivateKey};
use jobs::store::{AccountChange, Claimed, Finish, Outcome, ServerEffect, Store, StoreOptions};
use jobs::{AccountState, JobKind};
use migration::MigratorTrait;
use reqwest::{Method, StatusCode};
use scheduler::registry::{self, NewServer, NewToken};
use scheduler::{Duties, Options, Scheduler, Scope, Serving};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ActiveValue::Unchanged};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// A store in a temporary folder that goes with it.
pub(crate) struct Ledger {
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
    _folder: tempfile::TempDir,
}

pub(crate) async fn ledger() -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostler.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let store = Store::connect(&StoreOptions::new(url)).await.unwrap();
    migration::Migrator::up(store.writer_connection(), None)
        .await
        .unwrap();
    let (worker, api) = (PrivateKey::generate(), PrivateKey::generate());
    let keyring = Keyring {
        worker: worker.public().clone(),
        api: api.public().clone(),
        worker_private: vec![worker],
        api_private: vec![api],
        intake: IntakeKey::generate(),
    };
    Ledger {
        store,
        keyring: Arc::new(keyring),
        _folder: folder,
    }
}

/// A running scheduler with a server `web1`, a platform and a token for everything it may ask.
pub(crate) struct App {
    pub(crate) ledger: Ledger,
    pub(crate) doorbell: Doorbell,
    pub(crate) serving: Serving,
    pub(crate) platform: i64,
    pub(crate) token: String,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The job, if it was taken in or shown.
    #[track_caller]
    pub(crate) fn job(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.job()["id"].as_str().unwrap().to_owned()
    }

    /// The fields that a problem names.
    #[track_caller]
    pub(crate) fn fields(&self) -> Vec<String> {
        assert_eq!(
            self.headers["content-type"], "application/problem+json",
            "{}",
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["errors"]
            .as_array()
            .map(|errors| {
                errors
                    .iter()
                    .map(|error| error["field"].as_str().unwrap().to_owned())
                    .collect()
            })
            .unwrap_or_default()
    }
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        // Already installed by another test of this process: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ledger = ledger().await;
        let store = &ledger.store;
        let doorbell = Doorbell::local();
        let mut options = Options::new("127.0.0.1:0".parse().unwrap());
        options.requests_a_second = 10_000;
        options.duties = Duties::None;
        change(&mut options);
        let (stop, stopped) = oneshot::channel();
        let serving = Scheduler::start(
            options,
            store.clone(),
            doorbell.clone(),
            Arc::clone(&ledger.keyring),
            async move {
                let _ = stopped.await;
            },
        )
        .await
        .unwrap();
        let platform = registry::add_platform(store, "whmcs").await.unwrap().id;
        add_server(&ledger, "web1").await;
        let mut app = Self {
            ledger,
            doorbell,
            serving,
            platform,
            token: String::new(),
            client: client(),
            stop: Some(stop),
        };
        app.token = app.token_with(&CLIENT, None).await;
        app
    }

    pub(crate) fn store(&self) -> &Store {
        &self.ledger.store
    }

    /// A token of the first platform.
    pub(crate) async fn token_with(&self, scopes: &[Scope], servers: Option<&[&str]>) -> String {
        token(self.store(), self.platform, scopes, servers).await
    }

    /// A token of another platform that may do everything a client may.
    pub(crate) async fn foreign_token(&self) -> String {
        let other = registry::add_platform(self.store(), "wisecp")
            .await
            .unwrap();
        token(self.store(), other.id, &CLIENT, None).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.serving.address);
        self.client.request(method, url)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.token, path).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(&self.token, path, body).await
    }

    pub(crate) async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).bearer_auth(token);
        answer(request.json(&body)).await
    }

    /// Puts a job in under that key.
    pub(crate) async fn submit(&self, key: &str, body: Value) -> Answer {
        let request = self
            .request(Method::POST, "/v1/jobs")
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key);
        answer(request.json(&body)).await
    }

    pub(crate) async fn row(&self, id: &str) -> job::Model {
        self.store().job(id).await.unwrap().unwrap()
    }

    /// Does what a worker does: claims the job and ends it.
    pub(crate) async fn work(&self, id: &str, outcome: Outcome) {
        let row = self.row(id).await;
        let claimed = claim(self.store(), row.id).await;
        let report = self
            .store()
            .write_group(&[], &[finish(&claimed, outcome)])
            .await
            .unwrap();
        assert_eq!(
            report.settled.is_empty(),
            self.row(id).await.state == "retrying"
        );
        self.doorbell.announce(&report.settled).await;
    }

    /// An active account, made by a job.
    pub(crate) async fn account(&self, reference: &str, username: &str) -> String {
        let body = create(reference, username);
        let job = self.submit(&format!("make-{reference}"), body).await;
        self.work(&job.id(), succeeded()).await;
        job.job()["account"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.ended().await;
    }
}

/// What a billing platform's token has.
pub(crate) const CLIENT: [Scope; 6] = [
    Scope::Create,
    Scope::Suspend,
    Scope::Terminate,
    Scope::Change,
    Scope::Read,
    Scope::Traffic,
];

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's client to our own listener"
)]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) async fn token(
    store: &Store,
    platform_id: i64,
    scopes: &[Scope],
    servers: Option<&[&str]>,
) -> String {
    let new = NewToken {
        platform_id,
        name: "test".into(),
        scopes: scopes.iter().copied().collect(),
        servers: servers.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
        expires_at: None,
    };
    let made = registry::create_token(store, &new).await.unwrap();
    made.text.expose_secret().to_owned()
}

pub(crate) async fn add_server(ledger: &Ledger, name: &str) -> server::Model {
    let name: ServerName = name.parse().unwrap();
    let secret = SecretString::from("panel-token-canary");
    let new = NewServer::new(name, rules(), "https://panel.example.com:2087", secret);
    registry::add_server(&ledger.store, &ledger.keyring, new)
        .await
        .unwrap()
}

/// Changes a server's row past the registry, as a worker or time would.
pub(crate) async fn change_server(
    store: &Store,
    id: i64,
    change: impl FnOnce(&mut server::ActiveModel),
) {
    let mut model = server::ActiveModel {
        id: Unchanged(id),
        ..Default::default()
    };
    change(&mut model);
    model.update(store.writer_connection()).await.unwrap();
}

/// Knows packages `gold` and `silver`.
pub(crate) async fn with_packages(store: &Store, id: i64) {
    let config = json!({"packages": [{"name": "gold", "limits": {"disk_mb": 100}}, {"name": "silver", "limits": {}}], "addresses": [], "name_servers": []});
    change_server(store, id, |row| {
        row.config = Set(Some(config.to_string()));
        row.config_at = Set(Some(1));
    })
    .await;
}

pub(crate) fn create(reference: &str, username: &str) -> Value {
    json!({"kind": "create", "server": "web1", "account": {
        "reference": reference, "username": username, "domain": format!("{username}.example.com"),
        "email": "owner@example.com", "package": "gold"}})
}

pub(crate) async fn claim(store: &Store, id: i64) -> Claimed {
    let mut claimed = store.claim(&[id], "test-worker").await.unwrap();
    assert_eq!(claimed.len(), 1, "job row {id} was not claimable");
    claimed.remove(0)
}

pub(crate) fn succeeded() -> Outcome {
    Outcome::Succeeded {
        already_so: false,
        result: Some(json!({"ip": "192.0.2.7"})),
    }
}

pub(crate) fn finish(claimed: &Claimed, outcome: Outcome) -> Finish {
    let done = matches!(outcome, Outcome::Succeeded { .. });
    let state = match claimed.kind() {
        JobKind::Create | JobKind::Unsuspend => Some(AccountState::Active),
        JobKind::Suspend => Some(AccountState::Suspended),
        JobKind::Terminate => Some(AccountState::Terminated),
        _ => None,
    };
    let change = AccountChange {
        state,
        ..AccountChange::default()
    };
    Finish {
        job_id: claimed.job.id,
        fence: claimed.job.fence,
        outcome,
        error: None,
        account: (done && claimed.job.account_id.is_some()).then_some(change),
        server: ServerEffect::None,
        in_doubt: false,
        secrets_spent: done,
    }
}

pub(crate) fn rules() -> PanelRules {
    let kinds = JobKind::ALL
        .into_iter()
        .filter(|kind| ![JobKind::DeliverWebhook, JobKind::Unlock].contains(kind));
    PanelRules {
        panel: "example".into(),
        kinds: kinds.map(|kind| kind.name().to_owned()).collect(),
        username: NameRule {
            pattern: "[a-z][a-z0-9]*".into(),
            words: "a lower-case letter, then lower-case letters and digits, 16 at most".into(),
            max_length: 16,
            reserved: vec!["root".into()],
            refused: vec![],
        },
        password: PasswordRule {
            min_length: 8,
            max_length: 64,
            alphabet: ('!'..='~').collect(),
        },
        required: vec!["domain".into()],
        panel_fields: vec![
            field("company", "create", false),
            field("target", "move", true),
        ],
        limits: vec![LimitRule {
            name: LimitName::TrafficMb,
            multiple_of: 1024,
            least: 0,
            most: 1 << 40,
            unlimited: true,
        }],
        dedicated_ip: false,
        creates_at_once: 2,
    }
}

fn field(name: &str, kind: &str, required: bool) -> PanelField {
    PanelField {
        name: name.into(),
        about: "1 to 60 characters".into(),
        pattern: ".{1,60}".into(),
        kinds: vec![kind.into()],
        required,
    }
}

/// Different texts of a list.
pub(crate) fn different(texts: impl IntoIterator<Item = String>) -> usize {
    texts.into_iter().collect::<BTreeSet<_>>().len()
}
