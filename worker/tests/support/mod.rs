//! A worker on SQLite with a scripted panel.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a test fails by panicking, and each uses a part of it"
)]

pub mod fake;
pub mod traffic;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use entity::{account, attempt, job, secret, server};
use fake::Fake;
use hosting::{LimitName, LimitRule, NameRule, PanelField, PanelRules, PasswordRule};
use jobs::seal::{IntakeKey, Keyring, PrivateKey};
use jobs::store::{
    Audience, Claimed, NewJob, Purpose, Selector, Store, StoreOptions, Target, Writer,
};
use jobs::{CreateAccount, JobSpec, JobState, Lane, OPERATOR};
use migration::{Migrator, MigratorTrait};
use panels::http::Delivered;
use panels::{Panel, PanelError};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};
use worker::webhook::{Message, WebhookSender};
use worker::{Chance, OpenError, PanelSource, Parts, Worker};

pub const PLATFORM: i64 = 1;

/// Everything that a scenario needs.
pub struct App {
    pub store: Store,
    pub fake: Arc<Fake>,
    pub post: Arc<Post>,
    pub worker: Worker,
    pub keyring: Arc<Keyring>,
    pub server_id: i64,
    folder: Option<tempfile::TempDir>,
}

struct Source(Arc<Fake>);

#[async_trait]
impl PanelSource for Source {
    async fn open(&self, _: &server::Model) -> Result<Arc<dyn Panel>, OpenError> {
        let panel: Arc<dyn Panel> = Arc::clone(&self.0) as _;
        Ok(panel)
    }
}

/// What receivers of webhooks answer, and what they got.
#[derive(Default)]
pub struct Post {
    pub got: Mutex<Vec<Message>>,
    pub answers: Mutex<Vec<Result<u16, PanelError>>>,
}

#[async_trait]
impl WebhookSender for Post {
    async fn send(&self, message: &Message) -> Result<Delivered, PanelError> {
        self.got.lock().unwrap().push(message.clone());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() {
            Ok(200)
        } else {
            answers.remove(0)
        };
        answer.map(|status| Delivered {
            status,
            retry_after: None,
        })
    }
}

pub fn rules() -> PanelRules {
    let kinds = jobs::JobKind::ALL.map(|kind| kind.name().to_owned());
    let limit = |name| LimitRule {
        name,
        multiple_of: 1,
        least: 0,
        most: 1 << 40,
        unlimited: true,
    };
    PanelRules {
        panel: "cpanel".into(),
        kinds: kinds.to_vec(),
        username: NameRule {
            pattern: "[a-z][a-z0-9]*".into(),
            words: "letters and digits".into(),
            max_length: 16,
            reserved: vec![],
            refused: vec![],
        },
        password: PasswordRule {
            min_length: 8,
            max_length: 64,
            alphabet: "abcdefghijkABCDEFGHIJK23456789!#".into(),
        },
        required: vec!["domain".into()],
        panel_fields: vec![PanelField {
            name: "target".into(),
            about: "the new owner".into(),
            pattern: "[a-z]+".into(),
            kinds: vec!["move".into()],
            required: true,
        }],
        limits: LimitName::ALL.into_iter().map(limit).collect(),
        dedicated_ip: true,
        creates_at_once: 2,
    }
}

impl App {
    pub async fn start() -> Self {
        Self::with(&rules()).await
    }

    pub async fn with(rules: &PanelRules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hostler.db");
        let url = format!("sqlite:{}?mode=rwc", path.display());
        let store = Store::connect(&StoreOptions::new(url)).await.unwrap();
        Migrator::up(store.writer_connection(), None).await.unwrap();
        let app = Self::on(store, rules).await;
        Self {
            folder: Some(folder),
            ..app
        }
    }

    /// On a store that has its schema.
    pub async fn on(store: Store, rules: &PanelRules) -> Self {
        let server_id = insert_server(&store, rules).await;
        let keyring = Arc::new(keyring());
        let (fake, post) = (Arc::new(Fake::default()), Arc::new(Post::default()));
        let worker = Worker::new(Parts {
            store: store.clone(),
            writer: Writer::start(store.clone(), |_| {}),
            keyring: Arc::clone(&keyring),
            panels: Arc::new(Source(Arc::clone(&fake))),
            webhooks: Arc::clone(&post) as _,
            chance: Chance::new(|| 1.0, |below| below / 2),
            deployment: "x".into(),
        });
        Self {
            store,
            fake,
            post,
            worker,
            keyring,
            server_id,
            folder: None,
        }
    }

    pub fn new_job(&self, spec: JobSpec, target: Target) -> NewJob {
        let public_id = jobs::new_public_id();
        NewJob {
            idem_key: public_id.clone(),
            public_id,
            platform_id: PLATFORM,
            body_hash: "0".into(),
            spec,
            server_id: Some(self.server_id),
            target,
            due_at: None,
            actor: "test".into(),
            reason: None,
            webhook: None,
            trace: None,
            secrets: vec![],
            replay_of: None,
        }
    }

    pub async fn submit(&self, job: NewJob) -> String {
        let (answers, _) = self.store.submit(&[job]).await.unwrap();
        answers.into_iter().next().unwrap().unwrap().job.public_id
    }

    pub async fn submit_create(&self, create: CreateAccount) -> String {
        let target = Target::New {
            reference: Some("ref-1".parse().unwrap()),
            username: Some("acme".parse().unwrap()),
            rules: Box::new(rules()),
        };
        self.submit(self.new_job(JobSpec::Create(create), target))
            .await
    }

    /// A job for the account `acme` that a create has made.
    pub async fn submit_known(&self, spec: JobSpec) -> String {
        let id = self.acme().await.id;
        self.submit(self.new_job(spec, Target::Known(id))).await
    }

    pub async fn submit_with_password(&self, spec: JobSpec, password: &str) -> String {
        let id = self.acme().await.id;
        let mut job = self.new_job(spec, Target::Known(id));
        let owner = format!("job:{}", job.public_id);
        let sealed = self.keyring.worker.seal(
            Audience::Worker,
            Purpose::Password,
            &owner,
            &SecretString::from(password),
        );
        job.secrets = vec![sealed.unwrap()];
        self.submit(job).await
    }

    /// Makes the account `acme` through a create, and forgets what the panel was asked for it.
    pub async fn with_account(&self) {
        let id = self.submit_create(create()).await;
        self.run().await;
        assert_eq!(self.state(&id).await, JobState::Succeeded);
        self.fake.forget_calls();
    }

    /// Claims what is due now.
    pub async fn claim(&self) -> Vec<Claimed> {
        let mut ids = Vec::new();
        for lane in [Lane::Interactive, Lane::Bulk] {
            ids.extend(self.store.pick(lane, 50).await.unwrap());
        }
        ids.extend(self.store.pick_checks().await.unwrap());
        let ids: Vec<i64> = ids.iter().map(|ring| ring.job_id).collect();
        self.store.claim(&ids, "tester").await.unwrap()
    }

    /// One attempt at each job that is due; how many there were.
    pub async fn attempt(&self) -> usize {
        let claimed = self.claim().await;
        let count = claimed.len();
        for one in claimed {
            self.worker.handle(one).await;
        }
        count
    }

    /// Attempts until nothing is due.
    pub async fn run(&self) {
        for _ in 0..50 {
            if self.attempt().await == 0 {
                return;
            }
        }
        panic!("there is always something due");
    }

    /// Lets time pass, a minute at a time, and runs what becomes due.
    pub async fn run_for(&self, minutes: u64) {
        self.run().await;
        for _ in 0..minutes {
            self.store.advance_clock(Duration::from_secs(60));
            self.run().await;
        }
    }

    pub async fn job(&self, public_id: &str) -> job::Model {
        self.store.job(public_id).await.unwrap().unwrap()
    }

    pub async fn state(&self, public_id: &str) -> JobState {
        self.job(public_id).await.state.parse().unwrap()
    }

    pub async fn outcomes(&self, public_id: &str) -> Vec<String> {
        let id = self.job(public_id).await.id;
        let attempts: Vec<attempt::Model> = self.store.attempts(id).await.unwrap();
        attempts.into_iter().map(|row| row.outcome).collect()
    }

    pub async fn result(&self, public_id: &str) -> serde_json::Value {
        let text = self.job(public_id).await.result.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub async fn error(&self, public_id: &str) -> String {
        self.job(public_id).await.error_code.unwrap_or_default()
    }

    pub async fn acme(&self) -> account::Model {
        let live = Selector::Name {
            server_id: self.server_id,
            username: "acme".parse().unwrap(),
        };
        match self.store.account(&live).await.unwrap() {
            Some(row) => row,
            None => account::Entity::find()
                .filter(account::Column::Username.eq("acme"))
                .one(self.store.reader())
                .await
                .unwrap()
                .expect("no account acme"),
        }
    }

    pub async fn server(&self) -> server::Model {
        server::Entity::find_by_id(self.server_id)
            .one(self.store.reader())
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn update_server(&self, write: impl FnOnce(&mut server::ActiveModel)) {
        let mut row: server::ActiveModel = self.server().await.into();
        write(&mut row);
        row.update(self.store.writer_connection()).await.unwrap();
    }

    pub async fn secrets(&self, public_id: &str) -> Vec<secret::Model> {
        secret::Entity::find()
            .filter(secret::Column::Owner.eq(format!("job:{public_id}")))
            .all(self.store.reader())
            .await
            .unwrap()
    }

    /// What the API would hand out.
    pub async fn handed_out(&self, public_id: &str) -> Option<String> {
        let rows = self.secrets(public_id).await;
        let row = rows
            .iter()
            .find(|row| row.audience == "api" && row.sealed.is_some())?;
        Some(self.keyring.open(row).unwrap().expose_secret().to_owned())
    }

    pub fn operators(&self, spec: JobSpec, target: Target) -> NewJob {
        NewJob {
            platform_id: OPERATOR,
            ..self.new_job(spec, target)
        }
    }
}

pub fn create() -> CreateAccount {
    CreateAccount {
        domain: "acme.example.com".parse().unwrap(),
        email: Some("owner@example.com".parse().unwrap()),
        package: Some("gold".parse().unwrap()),
        limits: hosting::Limits::new(),
        dedicated_ip: false,
        panel: std::collections::BTreeMap::new(),
    }
}

pub fn unknown(username: &str, domain: Option<&str>) -> Target {
    Target::Unknown {
        reference: None,
        username: username.parse().unwrap(),
        domain: domain.map(|domain| domain.parse().unwrap()),
    }
}

fn keyring() -> Keyring {
    let (worker, api) = (PrivateKey::generate(), PrivateKey::generate());
    Keyring {
        worker: worker.public().clone(),
        api: api.public().clone(),
        worker_private: vec![worker],
        api_private: vec![api],
        intake: IntakeKey::generate(),
    }
}

async fn insert_server(store: &Store, rules: &PanelRules) -> i64 {
    let row = server::ActiveModel {
        name: Set("web1".into()),
        panel: Set("cpanel".into()),
        url: Set("https://web1.example.net:2087".into()),
        user: Set(Some("root".into())),
        pins: Set("[]".into()),
        allow_networks: Set("[]".into()),
        time_zone: Set("UTC".into()),
        stats_at: Set(120),
        enabled: Set(true),
        rules: Set(serde_json::to_string(rules).unwrap()),
        host_name: Set(Some("web1.example.net".into())),
        max_jobs: Set(8),
        max_creates: Set(4),
        max_terminates: Set(0),
        paused: Set(false),
        breaker_failures: Set(0),
        created_at: Set(0),
        live_name: Set(Some("web1".into())),
        ..Default::default()
    };
    row.insert(store.writer_connection()).await.unwrap().id
}
