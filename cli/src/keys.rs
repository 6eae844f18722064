//! The key files.
//!
//! `worker.key` opens what the panels need and lives with the workers; `api.key` opens what the API hands
//! out; `intake.key` keys the comparison of request bodies. The `.pub` halves seal. Beside each private key
//! lies `.key.next`, the one that the next rotation brings into use: processes that started before a
//! rotation can open what it re-sealed. `.key.old` is the one before.

mod files;
mod rotate;

use std::path::Path;

use jobs::seal::{IntakeKey, Keyring, PrivateKey, PublicKey};
use jobs::store::{Audience, Store};

pub use rotate::{Rotated, rotate};

use crate::error::Failure;
use files::{make_folder, read_private, read_public, write_new, write_over};

/// The key pairs, by the names of their files.
pub const PAIRS: [&str; 2] = ["worker", "api"];
const INTAKE: &str = "intake.key";

/// What a process does decides what it may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process.
    Everything,
    /// The API and what puts jobs in: cannot read panels' credentials.
    Scheduler,
    /// What takes jobs out.
    Worker,
    /// A command in the operator's shell: seals, opens nothing.
    Operator,
}

/// Makes what is not there yet. Returns the names of the files that were made; running it again is harmless.
///
/// # Errors
/// When the folder cannot be written, holds a private key that others can read, or a public half without
/// its private one.
pub fn init(folder: &Path) -> Result<Vec<String>, Failure> {
    make_folder(folder)?;
    // A rotation takes a key away and puts another one there: what it has not put there yet is not missing.
    let _alone = files::alone(folder)?;
    make_missing(folder)
}

/// For whoever has the folder alone.
fn make_missing(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut made = Vec::new();
    for pair in PAIRS {
        let (key, public) = (format!("{pair}.key"), format!("{pair}.pub"));
        // A new key would not open what is sealed to the public half that is here.
        if folder.join(&public).exists() && !folder.join(&key).exists() {
            return Err(Failure::usage(
                folder.join(&key).display().to_string(),
                format!(
                    "its public half is here, it is not: put it back, or move {public} away if it is lost"
                ),
            ));
        }
        for name in [key, format!("{pair}.key.next")] {
            if !folder.join(&name).exists() {
                write_new(&folder.join(&name), &PrivateKey::generate().to_text())?;
                made.push(name);
            }
        }
        // The public half follows from the private one, so it comes last and can be made again.
        let key = private(folder, &format!("{pair}.key"))?;
        let name = format!("{pair}.pub");
        if !folder.join(&name).exists() {
            write_over(&folder.join(&name), &key.public().to_text(), 0o644)?;
            made.push(name);
        }
    }
    if !folder.join(INTAKE).exists() {
        write_new(&folder.join(INTAKE), &IntakeKey::generate().to_text())?;
        made.push(INTAKE.to_owned());
    }
    Ok(made)
}

/// The keys that a role needs, and no others.
///
/// # Errors
/// [`Failure::Usage`] naming the file that is missing, broken, or readable by others.
pub fn load(folder: &Path, role: Role) -> Result<Keyring, Failure> {
    let opens_worker = matches!(role, Role::Everything | Role::Worker);
    let opens_api = matches!(role, Role::Everything | Role::Scheduler);
    let intake = match role {
        // Workers compare no bodies; a key of their own would only lie around.
        Role::Worker => IntakeKey::generate(),
        Role::Everything | Role::Scheduler | Role::Operator => intake(folder)?,
    };
    Ok(Keyring {
        worker: public(folder, "worker")?,
        api: public(folder, "api")?,
        worker_private: if opens_worker {
            privates(folder, "worker")?
        } else {
            Vec::new()
        },
        api_private: if opens_api {
            privates(folder, "api")?
        } else {
            Vec::new()
        },
        intake,
    })
}

/// Looks whether the keys are those that the ledger's secrets are sealed to. A worker that can open none of
/// them has somebody else's keys, and every job of its would be held. What the API alone opens is handed
/// out once and ends by itself, so that it is no reason not to start.
///
/// # Errors
/// [`Failure::Usage`] when there are secrets for the workers and none of them is sealed to a key here.
pub(crate) async fn fit(keyring: &Keyring, store: &Store) -> Result<(), Failure> {
    for (audience, name, keys) in [
        (Audience::Worker, "worker", &keyring.worker_private),
        (Audience::Api, "api", &keyring.api_private),
    ] {
        let Some(in_use) = keys.first() else {
            continue;
        };
        let sealed = store.sealed_to(audience).await?;
        let here = |id: &str| keys.iter().any(|key| key.public().id() == id);
        let lost: Vec<&(String, i64)> = sealed.iter().filter(|(id, _)| !here(id)).collect();
        if lost.is_empty() {
            continue;
        }
        let count: i64 = lost.iter().map(|(_, count)| count).sum();
        let ids: Vec<&str> = lost.iter().map(|(id, _)| id.as_str()).collect();
        let what = format!(
            "{count} secrets are sealed to {}, which is not here (here is {})",
            ids.join(", "),
            in_use.public().id()
        );
        if audience == Audience::Worker && lost.len() == sealed.len() {
            let do_this = "put the right keys there, or set the servers' secrets anew";
            return Err(Failure::usage(
                format!("keys/{name}.key"),
                format!("these are not this installation's keys: {what}; {do_this}"),
            ));
        }
        tracing::warn!("keys/{name}.key: {what}; they cannot be used");
    }
    Ok(())
}

/// One key file as `keys show` prints it.
#[derive(Debug, serde::Serialize)]
pub struct Shown {
    /// The pair's name.
    pub name: &'static str,
    /// The short name of the key in use.
    pub id: String,
    /// Its public half.
    pub public: String,
    /// Which private keys are here.
    pub private: Vec<String>,
    /// Whether an interrupted rotation waits to be finished.
    pub rotating: bool,
}

/// What is in the folder, without anything secret.
///
/// # Errors
/// As [`load`].
pub fn show(folder: &Path) -> Result<Vec<Shown>, Failure> {
    let mut pairs = Vec::new();
    for name in PAIRS {
        let key = public(folder, name)?;
        let private = ["key", "key.next", "key.old"]
            .map(|end| format!("{name}.{end}"))
            .into_iter()
            .filter(|file| folder.join(file).exists())
            .collect();
        pairs.push(Shown {
            name,
            id: key.id().to_owned(),
            public: key.to_text(),
            private,
            rotating: folder.join(format!("{name}.rotating")).exists(),
        });
    }
    Ok(pairs)
}

fn public(folder: &Path, pair: &str) -> Result<PublicKey, Failure> {
    let name = format!("{pair}.pub");
    PublicKey::parse(&read_public(&folder.join(&name))?).map_err(|error| broken(&name, &error))
}

fn private(folder: &Path, name: &str) -> Result<PrivateKey, Failure> {
    PrivateKey::parse(&read_private(&folder.join(name))?).map_err(|error| broken(name, &error))
}

/// The key in use first, then the next and the old one where they are. A rotation renames these files while others
/// read them: what was read is one picture when the key in use is still the same afterwards.
fn privates(folder: &Path, pair: &str) -> Result<Vec<PrivateKey>, Failure> {
    let in_use = format!("{pair}.key");
    loop {
        let mut keys = vec![private(folder, &in_use)?];
        for end in ["key.next", "key.old"] {
            let name = format!("{pair}.{end}");
            match private(folder, &name) {
                Ok(key) => keys.push(key),
                Err(failure) if folder.join(&name).exists() => return Err(failure),
                Err(_) => {}
            }
        }
        let after = private(folder, &in_use)?.public().id().to_owned();
        if keys.first().is_some_and(|key| key.public().id() == after) {
            return Ok(keys);
        }
    }
}

fn intake(folder: &Path) -> Result<IntakeKey, Failure> {
    IntakeKey::parse(&read_private(&folder.join(INTAKE))?).map_err(|error| broken(INTAKE, &error))
}

fn broken(name: &str, error: &jobs::seal::SealError) -> Failure {
    Failure::usage(format!("keys/{name}"), error.to_string())
}

/// Writes a secret for a later `--secret-file`, readable by its owner alone.
pub(crate) fn write_secret(file: &Path, secret: &str) -> Result<(), Failure> {
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_folder(folder)?;
    }
    write_over(file, secret, 0o600)
}
