//! The keys: rotating them loses no secret wherever it is killed, and what is sealed opens in its place
//! and for its reader alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use cli::keys::{Role, load, show};
use entity::secret;
use jobs::seal::SealError;
use jobs::store::{Audience, Purpose, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use simulator::PanelKind;
use tests::installation::{Installation, binary, faulty_binary};
use tests::servers::{Kind, TestDatabase};
use tests::stand::Stand;

/// An installation with secrets, half of them for each reader.
struct Vault {
    installation: Installation,
    store: Store,
    secrets: usize,
    _folder: tempfile::TempDir,
    _database: TestDatabase,
}

impl Vault {
    async fn new(binary: PathBuf, secrets: usize) -> Self {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation::in_folder(folder.path(), binary, &database, None, 1.0);
        let vault = Self {
            store: database.store().await,
            installation,
            secrets,
            _folder: folder,
            _database: database,
        };
        vault.fill().await;
        vault
    }

    fn keys(&self) -> PathBuf {
        self.installation.folder().join("data/keys")
    }

    async fn fill(&self) {
        let ring = load(&self.keys(), Role::Operator).unwrap();
        let sealed = (0..self.secrets).map(|number| {
            let secret = SecretString::from(format!("secret {number}"));
            let owner = format!("job:{number}");
            let (key, audience) = match number % 2 {
                0 => (&ring.worker, Audience::Worker),
                _ => (&ring.api, Audience::Api),
            };
            key.seal(audience, Purpose::Password, &owner, &secret)
                .unwrap()
        });
        self.store
            .put_secrets(&sealed.collect::<Vec<_>>())
            .await
            .unwrap();
    }

    /// Every secret opens with the keys that are here; returns how many need another than the key in use.
    async fn all_open(&self) -> usize {
        let ring = load(&self.keys(), Role::Everything).unwrap();
        let rows = secret::Entity::find()
            .all(self.store.reader())
            .await
            .unwrap();
        assert_eq!(rows.len(), self.secrets);
        let mut elsewhere = 0;
        for row in rows {
            let opened = ring
                .open(&row)
                .unwrap_or_else(|error| panic!("{row:?}: {error}"));
            let number = row.owner.strip_prefix("job:").unwrap();
            assert_eq!(opened.expose_secret(), format!("secret {number}"));
            let in_use = match row.audience.as_str() {
                "worker" => ring.worker.id(),
                _ => ring.api.id(),
            };
            elsewhere += usize::from(row.key_id != in_use);
        }
        elsewhere
    }

    fn command(&self) -> Command {
        self.installation.command(&["keys", "rotate"])
    }

    /// A rotation that is left alone, after which one key is in use and nothing half-done lies about.
    async fn finish(&self) {
        self.installation.hostler(&["keys", "rotate"]);
        assert_eq!(self.all_open().await, 0, "all are sealed to the key in use");
        for pair in show(&self.keys()).unwrap() {
            assert!(!pair.rotating);
        }
        let mut names: Vec<String> = std::fs::read_dir(self.keys())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let pairs = ["api", "worker"];
        let of =
            |pair: &str| ["key", "key.next", "key.old", "pub"].map(|end| format!("{pair}.{end}"));
        let mut wanted: Vec<String> = pairs.into_iter().flat_map(of).collect();
        wanted.push("intake.key".to_owned());
        wanted.sort();
        assert_eq!(names, wanted);
    }

    /// A rotation that is aborted at its n-th step; `false` = it has fewer.
    fn aborted_at(&self, step: u64) -> bool {
        let mut command = self.command();
        command.env("HOSTLER_ABORT_AT_STEP", step.to_string());
        let output = command.output().unwrap();
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => false,
            (_, Some(6)) => true,
            _ => panic!("{output:?}"),
        }
    }
}

const SEED: u64 = 20_261_126;

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_step_loses_no_secret() {
    let vault = Vault::new(faulty_binary(), 2).await;
    let mut chance = StdRng::seed_from_u64(SEED);
    let mut step = 1;
    while vault.aborted_at(step) {
        vault.all_open().await;
        // The one that goes on is killed too, somewhere.
        vault.aborted_at(chance.random_range(1..=step + 5));
        vault.all_open().await;
        vault.finish().await;
        step += 1;
    }
    println!(
        "key rotation: killed at each of {} steps, seed {SEED}",
        step - 1
    );
    assert!(step > 30, "{step} steps");
}

async fn killed_at_random(kills: usize) {
    let vault = Vault::new(binary(), 20).await;
    let begun = Instant::now();
    vault.finish().await;
    let whole = begun.elapsed();
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut killed, mut ended, mut half_done) = (0, 0, 0);
    while killed < kills {
        let mut rotation = tokio::process::Command::from(vault.command())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let moment = whole.mul_f64(chance.random_range(0.0..1.0));
        match tokio::time::timeout(moment, rotation.wait()).await {
            Ok(status) => {
                assert!(status.unwrap().success());
                ended += 1;
            }
            Err(_) => {
                rotation.kill().await.unwrap();
                killed += 1;
            }
        }
        half_done += usize::from(vault.all_open().await > 0);
    }
    vault.finish().await;
    println!(
        "key rotation: {killed} kills at random, {ended} ended before, {half_done} left it half done, seed {SEED}"
    );
}

#[tokio::test]
async fn a_rotation_that_is_killed_twenty_times_loses_no_secret() {
    killed_at_random(20).await;
}

#[tokio::test]
#[ignore = "two hundred kills take minutes"]
async fn a_rotation_that_is_killed_two_hundred_times_loses_no_secret() {
    killed_at_random(200).await;
}

#[tokio::test]
async fn two_rotations_at_once_are_one_and_a_refusal() {
    let vault = Vault::new(binary(), 20).await;
    let start = || {
        vault
            .command()
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let rotations = [start(), start(), start()];
    let mut good = 0;
    for rotation in rotations {
        let output = rotation.wait_with_output().unwrap();
        if output.status.success() {
            good += 1;
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("another rotation"), "{said}");
        }
    }
    assert!(good >= 1);
    assert_eq!(vault.all_open().await, 0);
    vault.finish().await;
}

#[tokio::test]
async fn a_process_with_anothers_keys_does_not_start_and_says_which_are_missing() {
    let vault = Vault::new(binary(), 2).await;
    let right = load(&vault.keys(), Role::Operator).unwrap();
    let keys = vault.keys();
    std::fs::rename(&keys, keys.with_extension("right")).unwrap();
    vault.installation.hostler(&["keys", "init"]);
    for role in ["worker", "serve"] {
        let said = vault.installation.try_hostler(&[role]);
        assert_eq!(said.code, 2, "{said:?}");
        let id = right.worker.id();
        assert!(
            said.err.contains("keys/worker.key") && said.err.contains(id),
            "{said:?}"
        );
        assert!(!said.err.contains("panicked"), "{said:?}");
    }
    std::fs::remove_dir_all(&keys).unwrap();
    std::fs::rename(keys.with_extension("right"), &keys).unwrap();
    let mut worker = vault
        .installation
        .start(&["worker"], "jobs at one time")
        .await;
    assert_eq!(worker.stop().await, 0);
}

#[tokio::test]
async fn a_scheduler_cannot_open_what_is_for_the_workers_nor_they_what_is_for_it() {
    let vault = Vault::new(binary(), 10).await;
    let scheduler = load(&vault.keys(), Role::Scheduler).unwrap();
    let worker = load(&vault.keys(), Role::Worker).unwrap();
    for row in secret::Entity::find()
        .all(vault.store.reader())
        .await
        .unwrap()
    {
        let (can, cannot) = match row.audience.as_str() {
            "worker" => (&worker, &scheduler),
            _ => (&scheduler, &worker),
        };
        assert!(can.open(&row).is_ok());
        assert_eq!(
            cannot.open(&row).unwrap_err(),
            SealError::OtherKey(row.key_id.clone())
        );
        // Nor by calling it something else.
        let other = match row.audience.as_str() {
            "worker" => "api",
            _ => "worker",
        };
        let moved = secret::Model {
            audience: other.to_owned(),
            ..row
        };
        assert!(can.open(&moved).is_err() && cannot.open(&moved).is_err());
    }
}

async fn sealed(store: &Store) -> Vec<secret::Model> {
    let rows = secret::Entity::find()
        .filter(secret::Column::Purpose.eq(Purpose::PanelSecret.name()))
        .order_by_asc(secret::Column::Id);
    rows.all(store.reader()).await.unwrap()
}

async fn set(store: &Store, id: i64, column: secret::Column, value: &str) {
    let set = secret::Entity::update_many()
        .col_expr(column, Expr::value(value))
        .filter(secret::Column::Id.eq(id))
        .exec(store.writer_connection())
        .await
        .unwrap();
    assert_eq!(set.rows_affected, 1);
}

/// Who can write to the database, but has no key, must not make us send one server's secret to another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_that_were_swapped_in_the_database_are_sent_to_nobody() {
    let panels = [("web1", PanelKind::Cpanel), ("web2", PanelKind::Cpanel)];
    let stand = Stand::new(&panels, &[]).await;
    let store = stand.database.store().await;
    let rows = sealed(&store).await;
    let [one, two] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let (a, b) = (one.sealed.clone().unwrap(), two.sealed.clone().unwrap());
    let check = |name: String| {
        let client = stand.client.clone();
        async move {
            let body = json!({"kind": "check_connection", "server": "web1"});
            let id = client.submit(&name, &body).await;
            client.settled(&id).await
        }
    };
    set(&store, one.id, secret::Column::Sealed, &b).await;
    set(&store, two.id, secret::Column::Sealed, &a).await;
    let job = check("swapped".into()).await;
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("held"), &json!("server_secret")),
        "{job}"
    );
    // The right text under the wrong owner.
    set(&store, one.id, secret::Column::Sealed, &a).await;
    set(&store, two.id, secret::Column::Sealed, &b).await;
    set(&store, two.id, secret::Column::Owner, "server:elsewhere").await;
    set(&store, one.id, secret::Column::Owner, &two.owner).await;
    set(&store, two.id, secret::Column::Owner, &one.owner).await;
    let job = check("owners".into()).await;
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("held"), &json!("server_secret")),
        "{job}"
    );
    assert_eq!(stand.calls(), 0, "no panel was asked");
    set(&store, two.id, secret::Column::Owner, "server:elsewhere").await;
    set(&store, one.id, secret::Column::Owner, &one.owner).await;
    set(&store, two.id, secret::Column::Owner, &two.owner).await;
    assert_eq!(check("right".into()).await["state"], "succeeded");
    stand.end().await;
}
