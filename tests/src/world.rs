//! A ledger with servers, accounts and jobs in it, for scenarios about the store.

#![expect(
    clippy::expect_used,
    reason = "a scenario whose set-up fails must fail at once"
)]

use entity::{account, job, server};
use hosting::{DomainName, NameRule, PanelRules, PasswordRule, Reference, Username};
use jobs::store::{
    AccountChange, Claimed, Finish, NewJob, Outcome, Report, Ring, Selector, ServerEffect, Store,
    Submitted, Target,
};
use jobs::{AccountState, CreateAccount, JobSpec, JobState, Lane, new_public_id};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use crate::servers::TestDatabase;

/// The billing platform that most jobs come from.
pub const PLATFORM: i64 = 1;
/// No jobs.
pub const NONE: [i64; 0] = [];

/// A ledger with one server.
#[derive(Debug)]
pub struct World {
    /// The ledger.
    pub store: Store,
    /// Its server, room for four jobs and two creates.
    pub server: i64,
}

impl World {
    /// A world in that database.
    pub async fn new(database: &TestDatabase) -> Self {
        let store = database.store().await;
        let server = add_server(&store, "web1").await;
        Self { store, server }
    }

    /// Another server.
    pub async fn add_server(&self, name: &str) -> i64 {
        add_server(&self.store, name).await
    }

    /// Changes the server's row.
    pub async fn change_server(&self, id: i64, change: impl FnOnce(&mut server::ActiveModel)) {
        let mut row = self.server_row(id).await.into_active_model();
        change(&mut row);
        row.update(self.store.writer_connection())
            .await
            .expect("the server can be changed");
    }

    /// The server's row.
    pub async fn server_row(&self, id: i64) -> server::Model {
        let found = server::Entity::find_by_id(id).one(self.store.writer_connection());
        found.await.expect("answered").expect("there is the server")
    }

    /// An active account on the world's server; its row's id.
    pub async fn account(&self, name: &str) -> i64 {
        self.account_on(self.server, name).await
    }

    /// An active account on that server; its row's id.
    pub async fn account_on(&self, server_id: i64, name: &str) -> i64 {
        let username = username(name);
        let change = AccountChange::default();
        let import = self.store.import_account(server_id, &username, &change);
        assert!(import.await.expect("imported"), "{name} is new");
        let selector = Selector::Name {
            server_id,
            username,
        };
        let found = self.store.account(&selector).await.expect("answered");
        found.expect("there is the account").id
    }

    /// The account's row.
    pub async fn account_row(&self, id: i64) -> account::Model {
        let found = self.store.account_by_row(id).await.expect("answered");
        found.expect("there is the account")
    }

    /// The account's state.
    pub async fn account_state(&self, id: i64) -> AccountState {
        let row = self.account_row(id).await;
        row.state.parse().expect("a known state")
    }

    /// A job for that account on the world's server.
    #[must_use]
    pub fn change(&self, account: i64, spec: JobSpec) -> NewJob {
        job(spec, Some(self.server), Target::Known(account))
    }

    /// A create on the world's server.
    #[must_use]
    pub fn create(&self, name: &str) -> NewJob {
        create_on(self.server, name)
    }

    /// Takes one job in; it must be acceptable.
    pub async fn submit(&self, job: NewJob) -> Submitted {
        self.submit_all(&[job]).await.remove(0)
    }

    /// Takes jobs in; all must be acceptable.
    pub async fn submit_all(&self, jobs: &[NewJob]) -> Vec<Submitted> {
        let (answers, _) = self.store.submit(jobs).await.expect("submitted");
        let accepted = answers.into_iter().map(|answer| answer.expect("accepted"));
        accepted.collect()
    }

    /// Takes a change of that account in; its row's id.
    pub async fn put(&self, account: i64, spec: JobSpec) -> i64 {
        self.submit(self.change(account, spec)).await.job.id
    }

    /// What could be claimed now, interactive first.
    pub async fn ready(&self) -> Vec<i64> {
        let mut rings: Vec<Ring> = Vec::new();
        for lane in [Lane::Interactive, Lane::Bulk] {
            rings.extend(self.store.pick(lane, 1000).await.expect("picked"));
        }
        rings.extend(self.store.pick_checks().await.expect("picked"));
        rings.into_iter().map(|ring| ring.job_id).collect()
    }

    /// Wins these jobs, as many as may be won.
    pub async fn claim(&self, ids: &[i64]) -> Vec<Claimed> {
        self.store.claim(ids, "worker-1").await.expect("claimed")
    }

    /// The rows of those of these jobs that could be won, by age.
    pub async fn won(&self, ids: &[i64]) -> Vec<i64> {
        let mut won: Vec<i64> = self.claim(ids).await.iter().map(|won| won.job.id).collect();
        won.sort_unstable();
        won
    }

    /// Wins this job.
    pub async fn claim_one(&self, id: i64) -> Claimed {
        let mut won = self.claim(&[id]).await;
        assert_eq!(
            won.len(),
            1,
            "job {id} can be claimed: {:?}",
            self.job(id).await
        );
        won.remove(0)
    }

    /// Ends attempts in one group.
    pub async fn finish(&self, finishes: &[Finish]) -> Report {
        self.store
            .write_group(&[], finishes)
            .await
            .expect("written")
    }

    /// Wins this job and ends the attempt so.
    pub async fn run(&self, id: i64, outcome: Outcome) -> Report {
        let won = self.claim_one(id).await;
        self.finish(&[ended(&won, outcome)]).await
    }

    /// The job's row.
    pub async fn job(&self, id: i64) -> job::Model {
        let found = job::Entity::find_by_id(id).one(self.store.writer_connection());
        found.await.expect("answered").expect("there is the job")
    }

    /// The job's state.
    pub async fn state(&self, id: i64) -> JobState {
        self.job(id).await.state.parse().expect("a known state")
    }

    /// What the job waits for.
    pub async fn waits_for(&self, id: i64) -> Option<&'static str> {
        let job = self.job(id).await;
        let waiting = self.store.waiting_for(&[job]).await.expect("answered");
        waiting.get(&id).map(|waiting| waiting.reason)
    }
}

async fn add_server(store: &Store, name: &str) -> i64 {
    let row = server::ActiveModel {
        name: Set(name.to_owned()),
        panel: Set("froxlor".to_owned()),
        url: Set(format!("https://{name}.example.com")),
        pins: Set("[]".to_owned()),
        allow_networks: Set("[]".to_owned()),
        time_zone: Set("UTC".to_owned()),
        stats_at: Set(0),
        enabled: Set(true),
        rules: Set("{}".to_owned()),
        max_jobs: Set(4),
        max_creates: Set(2),
        max_terminates: Set(20),
        paused: Set(false),
        breaker_failures: Set(0),
        created_at: Set(0),
        live_name: Set(Some(name.to_owned())),
        ..Default::default()
    };
    let row = row.insert(store.writer_connection()).await;
    row.expect("the server can be added").id
}

/// A job under a key of its own.
#[must_use]
pub fn job(spec: JobSpec, server_id: Option<i64>, target: Target) -> NewJob {
    let public_id = new_public_id();
    NewJob {
        idem_key: public_id.clone(),
        public_id,
        platform_id: PLATFORM,
        body_hash: "0".repeat(64),
        spec,
        server_id,
        target,
        due_at: None,
        actor: "test".to_owned(),
        reason: None,
        webhook: None,
        trace: None,
        secrets: Vec::new(),
        replay_of: None,
    }
}

/// A create of an account of that name on that server.
#[must_use]
pub fn create_on(server_id: i64, name: &str) -> NewJob {
    let domain = format!("{name}.example.com");
    let create = CreateAccount {
        domain: DomainName::try_from(domain).expect("a good domain"),
        email: None,
        package: None,
        limits: hosting::Limits::new(),
        dedicated_ip: false,
        panel: Default::default(),
    };
    let reference = Reference::try_from(format!("billing:{name}")).expect("a good reference");
    let target = Target::New {
        reference: Some(reference),
        username: Some(username(name)),
        rules: Box::new(rules()),
    };
    job(JobSpec::Create(create), Some(server_id), target)
}

/// A login name.
#[must_use]
pub fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}

/// Rules of a panel that takes any name.
#[must_use]
pub fn rules() -> PanelRules {
    PanelRules {
        panel: "froxlor".to_owned(),
        kinds: vec!["create".to_owned()],
        username: NameRule {
            pattern: "^[a-z][a-z0-9]*$".to_owned(),
            words: "a letter, then letters and digits".to_owned(),
            max_length: 16,
            reserved: Vec::new(),
            refused: Vec::new(),
        },
        password: PasswordRule {
            min_length: 8,
            max_length: 64,
            alphabet: "abc".to_owned(),
        },
        required: Vec::new(),
        panel_fields: Vec::new(),
        limits: Vec::new(),
        dedicated_ip: true,
        creates_at_once: 2,
    }
}

/// The end of an attempt, with nothing to say beyond its outcome; a create that succeeds makes its
/// account active, a terminate ends it.
#[must_use]
pub fn ended(won: &Claimed, outcome: Outcome) -> Finish {
    let state = match (&outcome, won.spec.kind()) {
        (Outcome::Succeeded { .. }, jobs::JobKind::Create) => Some(AccountState::Active),
        (Outcome::Succeeded { .. }, jobs::JobKind::Terminate) => Some(AccountState::Terminated),
        _ => None,
    };
    Finish {
        job_id: won.job.id,
        fence: won.job.fence,
        outcome,
        error: None,
        account: state.map(|state| AccountChange {
            state: Some(state),
            ..AccountChange::default()
        }),
        server: ServerEffect::None,
        in_doubt: false,
        secrets_spent: false,
    }
}

/// It was done.
#[must_use]
pub fn done() -> Outcome {
    Outcome::Succeeded {
        already_so: false,
        result: None,
    }
}

/// A person must look.
#[must_use]
pub fn held() -> Outcome {
    Outcome::Held {
        code: "test".to_owned(),
    }
}
