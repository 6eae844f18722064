//! Rotation: the next key comes into use, and every sealed row is sealed to it.
//!
//! May be killed at any point and run again. A marker file says which key is to come into use; while it is
//! there a new run goes on with that key and makes no other. The old key stays until the next rotation has
//! seen that no row needs it.

use std::path::Path;

use jobs::faults::step;
use jobs::seal::PrivateKey;
use jobs::store::{Audience, Purpose, Resealed, Store};
use secrecy::ExposeSecret;

use super::files::{alone_at_once, make_folder, remove, rename, write_new, write_over};
use super::{PAIRS, private, privates};
use crate::error::Failure;

/// Secrets in one transaction.
const BATCH: u64 = 50;

/// What a rotation did to one pair.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    /// The pair's name.
    pub name: &'static str,
    /// The short name of the key in use now.
    pub id: String,
    /// How many rows this run sealed anew.
    pub resealed: u64,
    /// Rows that no key here opens; they were left as they are.
    pub unopened: u64,
    /// Whether this run finished an earlier one.
    pub resumed: bool,
}

/// Rotates both pairs. `progress` hears the number of rows after each batch.
///
/// # Errors
/// When a file or the database fails, or a row cannot be opened and the old key would be lost.
pub async fn rotate(
    folder: &Path,
    store: &Store,
    progress: impl Fn(&'static str, u64),
) -> Result<Vec<Rotated>, Failure> {
    make_folder(folder)?;
    let Some(_alone) = alone_at_once(folder)? else {
        return Err(Failure::usage(
            folder.display().to_string(),
            "another rotation of these keys is running",
        ));
    };
    super::make_missing(folder)?;
    let mut done = Vec::new();
    for name in PAIRS {
        done.push(rotate_pair(folder, name, store, &progress).await?);
    }
    Ok(done)
}

async fn rotate_pair(
    folder: &Path,
    name: &'static str,
    store: &Store,
    progress: &impl Fn(&'static str, u64),
) -> Result<Rotated, Failure> {
    let marker = folder.join(format!("{name}.rotating"));
    let resumed = marker.exists();
    let mut resealed = 0;
    step();
    if !resumed {
        // What still needs the old key must not, before the old key goes.
        let (count, left) = reseal(folder, name, store, progress).await?;
        resealed += count;
        if left > 0 {
            return Err(Failure::work(format!(
                "keys/{name}.key: {left} secrets are sealed to a key that is not here; put its file back as {name}.key.old, or set these secrets anew, before rotating"
            )));
        }
        let next = private(folder, &format!("{name}.key.next"))?;
        write_over(&marker, next.public().id(), 0o600)?;
    }
    promote(folder, name)?;
    let (count, unopened) = reseal(folder, name, store, progress).await?;
    step();
    remove(&marker)?;
    step();
    Ok(Rotated {
        name,
        id: private(folder, &format!("{name}.key"))?
            .public()
            .id()
            .to_owned(),
        resealed: resealed + count,
        unopened,
        resumed,
    })
}

/// Brings the key that the marker names into use. Each step looks whether it was done.
fn promote(folder: &Path, name: &str) -> Result<(), Failure> {
    let at = |end: &str| folder.join(format!("{name}.{end}"));
    let target = super::files::read_public(&at("rotating"))?;
    let mut key = private(folder, &format!("{name}.key"))?;
    if key.public().id() != target.trim() {
        write_over(&at("key.old"), key.to_text().expose_secret(), 0o600)?;
        rename(&at("key.next"), &at("key"))?;
        key = private(folder, &format!("{name}.key"))?;
    }
    write_over(&at("pub"), &key.public().to_text(), 0o644)?;
    if !at("key.next").exists() {
        write_new(&at("key.next"), &PrivateKey::generate().to_text())?;
    }
    Ok(())
}

/// Seals to the key in use what is sealed to another one. Returns how many, and how many do not open.
async fn reseal(
    folder: &Path,
    name: &'static str,
    store: &Store,
    progress: &impl Fn(&'static str, u64),
) -> Result<(u64, u64), Failure> {
    let keys = privates(folder, name)?;
    let current = keys[0].public().clone();
    let audience = if name == "worker" {
        Audience::Worker
    } else {
        Audience::Api
    };
    let (mut done, mut unopened) = (0_u64, 0_u64);
    loop {
        // Rows that do not open stay in front, so the batch grows past them.
        let rows = store
            .secrets_of_other_keys(audience, current.id(), BATCH + unopened)
            .await?;
        let mut moved = Vec::new();
        unopened = 0;
        for row in rows {
            let opened = keys.iter().find_map(|key| key.open(&row).ok());
            let (Some(secret), Some(purpose)) = (opened, purpose(&row.purpose)) else {
                unopened += 1;
                continue;
            };
            let sealed = current
                .seal(audience, purpose, &row.owner, &secret)
                .map_err(|error| Failure::work(error.to_string()))?;
            moved.push(Resealed {
                old: row,
                key_id: sealed.key_id,
                sealed: sealed.sealed,
            });
        }
        if moved.is_empty() {
            return Ok((done, unopened));
        }
        step();
        store.reseal(&moved).await?;
        done += u64::try_from(moved.len()).unwrap_or(u64::MAX);
        progress(name, done);
    }
}

fn purpose(name: &str) -> Option<Purpose> {
    Purpose::ALL
        .into_iter()
        .find(|purpose| purpose.name() == name)
}
