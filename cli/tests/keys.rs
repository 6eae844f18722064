//! The key files: who can read them, and what a rotation leaves behind wherever it is interrupted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cli::keys::{Role, init, load, rotate, show};
use jobs::store::{Audience, Purpose, Store, StoreOptions};
use migration::{Migrator, MigratorTrait};
use secrecy::{ExposeSecret, SecretString};

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

#[test]
fn keys_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("keys");
    assert_eq!(init(&folder).unwrap().len(), 7);
    assert!(init(&folder).unwrap().is_empty());
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let wanted = if path.extension().is_some_and(|end| end == "pub") {
            0o644
        } else {
            0o600
        };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
    let key = folder.join("worker.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = load(&folder, Role::Worker).unwrap_err().to_string();
    assert!(
        refused.contains("worker.key") && refused.contains("0640"),
        "{refused}"
    );
}

#[test]
fn a_lost_key_is_not_replaced_behind_its_public_half() {
    let home = tempfile::tempdir().unwrap();
    init(home.path()).unwrap();
    let at = |name: &str| home.path().join(name);
    fs::remove_file(at("worker.key")).unwrap();
    let refused = init(home.path()).unwrap_err().to_string();
    assert!(refused.contains("worker.key"), "{refused}");
    assert!(!at("worker.key").exists());
    fs::remove_file(at("worker.pub")).unwrap();
    assert_eq!(init(home.path()).unwrap(), ["worker.key", "worker.pub"]);
}

#[test]
fn a_role_has_only_the_keys_that_it_needs() {
    let home = tempfile::tempdir().unwrap();
    init(home.path()).unwrap();
    let counts = |role| {
        let keys = load(home.path(), role).unwrap();
        (keys.worker_private.len(), keys.api_private.len())
    };
    assert_eq!(counts(Role::Everything), (2, 2));
    assert_eq!(counts(Role::Worker), (2, 0));
    assert_eq!(counts(Role::Scheduler), (0, 2));
    assert_eq!(counts(Role::Operator), (0, 0));
    // A scheduler's host need not have the workers' private keys at all.
    fs::remove_file(home.path().join("worker.key")).unwrap();
    fs::remove_file(home.path().join("worker.key.next")).unwrap();
    assert_eq!(counts(Role::Scheduler), (0, 2));
    let missing = load(home.path(), Role::Worker).unwrap_err().to_string();
    assert!(
        missing.contains("worker.key") && missing.contains("keys init"),
        "{missing}"
    );
}

async fn ledger(folder: &Path) -> Store {
    let url = format!("sqlite:{}?mode=rwc", folder.join("test.db").display());
    let store = Store::connect(&StoreOptions::new(url)).await.unwrap();
    Migrator::up(store.writer_connection(), None).await.unwrap();
    store
}

/// So many of the secrets are sealed to the API too.
const API: usize = 2;
/// More than one batch.
const MANY: usize = 101;

async fn seal_some(store: &Store, keys: &Path, count: usize) {
    let ring = load(keys, Role::Operator).unwrap();
    let mut sealed = Vec::new();
    for number in 0..count {
        let secret = SecretString::from(format!("secret {number}"));
        let owner = format!("server:{number}");
        sealed.push(
            ring.worker
                .seal(Audience::Worker, Purpose::PanelSecret, &owner, &secret)
                .unwrap(),
        );
        if number < API {
            sealed.push(
                ring.api
                    .seal(Audience::Api, Purpose::Password, &owner, &secret)
                    .unwrap(),
            );
        }
    }
    store.put_secrets(&sealed).await.unwrap();
}

/// Every secret opens with the keys in the folder; how many are sealed to the key in use.
async fn all_open(store: &Store, keys: &Path, count: usize) -> usize {
    let ring = load(keys, Role::Everything).unwrap();
    let mut current = 0;
    for number in 0..count {
        let owner = format!("server:{number}");
        let both = [
            (Audience::Worker, Purpose::PanelSecret, ring.worker.id()),
            (Audience::Api, Purpose::Password, ring.api.id()),
        ];
        let here = if number < API { 2 } else { 1 };
        for (audience, purpose, in_use) in both.into_iter().take(here) {
            let row = store
                .secret(&owner, purpose, audience)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                ring.open(&row).unwrap().expose_secret(),
                format!("secret {number}")
            );
            current += usize::from(row.key_id == in_use);
        }
    }
    current
}

#[tokio::test]
async fn a_rotation_seals_every_secret_to_the_next_key() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    init(&keys).unwrap();
    let store = ledger(home.path()).await;
    seal_some(&store, &keys, MANY).await;
    let before = load(&keys, Role::Everything).unwrap();
    let done = rotate(&keys, &store, |_, _| {}).await.unwrap();
    assert_eq!(
        done.iter().map(|pair| pair.resealed).sum::<u64>(),
        (MANY + API) as u64
    );
    assert_eq!(all_open(&store, &keys, MANY).await, MANY + API);
    // A process that started before the rotation opens what it sealed anew.
    let row = store
        .secret("server:0", Purpose::PanelSecret, Audience::Worker)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(before.open(&row).unwrap().expose_secret(), "secret 0");
    // And what it seals to the old key meanwhile is opened, and sealed anew by the next rotation.
    let late = before
        .worker
        .seal(
            Audience::Worker,
            Purpose::PanelSecret,
            "server:0",
            &SecretString::from("secret 0"),
        )
        .unwrap();
    store.put_secrets(&[late]).await.unwrap();
    assert_eq!(all_open(&store, &keys, MANY).await, MANY + API - 1);
    rotate(&keys, &store, |_, _| {}).await.unwrap();
    assert_eq!(all_open(&store, &keys, MANY).await, MANY + API);
}

/// Each state in which a kill can leave the files, made from a copy of the folder before.
#[tokio::test]
async fn a_rotation_that_was_killed_is_finished_by_the_next_one() {
    for step in 0..4 {
        let home = tempfile::tempdir().unwrap();
        let keys = home.path().join("keys");
        init(&keys).unwrap();
        let store = ledger(home.path()).await;
        seal_some(&store, &keys, 5).await;
        let next = fs::read_to_string(keys.join("worker.key.next")).unwrap();
        let next = jobs::seal::PrivateKey::parse(&SecretString::from(next)).unwrap();
        let target = next.public().id().to_owned();
        // After the marker; after the copy of the old key; after the rename; after the public half.
        fs::write(keys.join("worker.rotating"), &target).unwrap();
        if step >= 1 {
            fs::copy(keys.join("worker.key"), keys.join("worker.key.old")).unwrap();
        }
        if step >= 2 {
            fs::rename(keys.join("worker.key.next"), keys.join("worker.key")).unwrap();
        }
        if step >= 3 {
            fs::write(keys.join("worker.pub"), next.public().to_text()).unwrap();
        }
        assert!(show(&keys).unwrap()[0].rotating);
        let done = rotate(&keys, &store, |_, _| {}).await.unwrap();
        assert_eq!(
            (done[0].id.as_str(), done[0].resumed),
            (target.as_str(), true),
            "step {step}"
        );
        assert_eq!(all_open(&store, &keys, 5).await, 5 + API, "step {step}");
        assert!(!show(&keys).unwrap()[0].rotating);
    }
}

#[tokio::test]
async fn a_rotation_refuses_to_lose_the_only_way_to_a_secret() {
    let home = tempfile::tempdir().unwrap();
    let (keys, elsewhere) = (home.path().join("keys"), home.path().join("elsewhere"));
    init(&keys).unwrap();
    init(&elsewhere).unwrap();
    let store = ledger(home.path()).await;
    seal_some(&store, &elsewhere, 1).await;
    let before = fs::read(keys.join("worker.key")).unwrap();
    let refused = rotate(&keys, &store, |_, _| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("worker.key.old"), "{refused}");
    assert_eq!(fs::read(keys.join("worker.key")).unwrap(), before);
}
