//! What a process needs before it can do anything: the ledger with the right schema, the doorbell, the keys.

mod metrics;
mod schema;
mod services;
mod signals;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::Duration;

use jobs::queue::{Doorbell, QueueError, RedisOptions};
use jobs::seal::Keyring;
use jobs::store::{Store, StoreError, StoreOptions};
use secrecy::SecretString;
use url::{Host, Url};

pub(crate) use schema::{Schema, down, schema, up};
pub(crate) use services::{Everything, Ground, scheduler, worker};
pub(crate) use signals::Signals;

use crate::config::Settings;
use crate::error::Failure;
use crate::keys::{self, Role};

/// What to do about a database that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A command in a shell: say so and end.
    None,
    /// A service: say so every ten seconds and go on trying.
    Endless,
}

/// Opens the ledger without looking at its schema.
pub(crate) async fn open(settings: &Settings, patience: Patience) -> Result<Store, Failure> {
    if settings.is_embedded() {
        make_data_dir(settings)?;
    }
    let options = StoreOptions {
        connections: settings.database.connections,
        patience: Duration::from_secs(u64::from(settings.database.patience_seconds)),
        pace: settings.pace()?,
        ..StoreOptions::new(settings.database_url())
    };
    loop {
        match Store::connect(&options).await {
            Ok(store) => return Ok(store),
            Err(error @ StoreError::Unreachable { .. }) if patience == Patience::Endless => {
                tracing::warn!("{error}; trying again in 10 s");
                wait(Duration::from_secs(10)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a service waits for its database at the start"
)]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The data folder, for its owner alone, and in it an SQLite file that only the owner can read.
fn make_data_dir(settings: &Settings) -> Result<(), Failure> {
    if settings.database.url.is_some() {
        return Ok(());
    }
    let folder = &settings.data_dir;
    let make = || {
        if !folder.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(folder.join("hostler.db"))
    };
    make()
        .map(drop)
        .map_err(|error| Failure::usage("data_dir", format!("{}: {error}", folder.display())))
}

/// Opens the ledger and refuses a schema that is not this version's.
pub(crate) async fn ledger(settings: &Settings, patience: Patience) -> Result<Store, Failure> {
    let store = open(settings, patience).await?;
    match schema(store.reader()).await? {
        Schema::Current => Ok(store),
        other => Err(Failure::usage("database", other.to_string())),
    }
}

/// Opens the ledger and brings an embedded one up to this version's schema.
pub(crate) async fn embedded_ledger(settings: &Settings) -> Result<Store, Failure> {
    if !settings.is_embedded() {
        return ledger(settings, Patience::Endless).await;
    }
    let store = open(settings, Patience::Endless).await?;
    match schema(store.reader()).await? {
        Schema::Current => {}
        newer @ Schema::Newer { .. } => return Err(Failure::usage("database", newer.to_string())),
        Schema::Empty { .. } | Schema::Old { .. } => {
            up(store.writer_connection()).await?;
        }
    }
    Ok(store)
}

/// The doorbell. A Redis that is away costs latency only, so it is no reason not to start.
pub(crate) async fn doorbell(settings: &Settings) -> Result<Doorbell, Failure> {
    let Some(url) = &settings.redis.url else {
        return Ok(Doorbell::local());
    };
    refuse_plain(url.reveal(), settings.redis.allow_plain)?;
    let options = RedisOptions {
        url: SecretString::from(url.reveal().to_owned()),
        prefix: settings.redis.prefix.clone(),
        cap: settings.redis.cap,
    };
    let doorbell = Doorbell::redis(&options)
        .map_err(|error| Failure::usage("redis.url", error.to_string()))?;
    match doorbell.check().await {
        Ok(()) => {}
        Err(error @ QueueError::Unreachable { .. }) => {
            tracing::warn!("{error}; going on without it, jobs start a little later");
        }
        Err(error) => return Err(Failure::usage("redis.url", error.to_string())),
    }
    Ok(doorbell)
}

/// Whoever reads along on a plain connection can ring; only this machine's own network is believed.
fn refuse_plain(url: &str, allowed: bool) -> Result<(), Failure> {
    let Some(rest) = url.strip_prefix("redis://") else {
        return Ok(());
    };
    // The scheme is not one whose host the URL standard parses.
    let host = Url::parse(&format!("https://{rest}"))
        .ok()
        .and_then(|url| url.host().map(|host| host.to_owned()));
    let loopback = match host {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    };
    if loopback || allowed {
        Ok(())
    } else {
        Err(Failure::usage(
            "redis.url",
            "an unencrypted redis:// beyond this machine needs --insecure-redis (redis.allow_plain), or use rediss://",
        ))
    }
}

/// The keys of a role.
pub(crate) fn keyring(settings: &Settings, role: Role) -> Result<Keyring, Failure> {
    let folder = settings.keys_dir();
    if role == Role::Everything {
        keys::init(&folder)?;
    }
    keys::load(&folder, role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_redis_beyond_this_machine_is_refused() {
        for good in [
            "redis://127.0.0.1:6379",
            "redis://user:pw@localhost/0",
            "redis://[::1]/",
            "rediss://cache.example.net",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(refuse_plain(good, false).is_ok(), "{good}");
        }
        let refused = refuse_plain("redis://:pw@cache.example.net:6379", false);
        let text = refused.unwrap_err().to_string();
        assert!(
            text.starts_with("redis.url:") && !text.contains("pw@"),
            "{text}"
        );
        assert!(refuse_plain("redis://cache.example.net", true).is_ok());
    }
}
