//! Servers: added, changed, removed.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use entity::server;
use hosting::{PanelRules, ServerName};
use ipnet::IpNet;
use jobs::seal::Keyring;
use jobs::store::{Audience, Purpose, Store, StoreError};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};
use secrecy::SecretString;

use super::{RegistryError, taken_or};

/// A server to be added.
#[derive(Debug)]
pub struct NewServer {
    /// The operator's name for it.
    pub name: ServerName,
    /// The driver's name.
    pub panel: String,
    /// What its panel refuses.
    pub rules: PanelRules,
    /// The panel's address, https.
    pub url: String,
    /// The API user, where the panel wants one.
    pub user: Option<String>,
    /// The panel's token, key or password. Sealed to the workers; this process cannot read it back.
    pub secret: SecretString,
    /// SPKI pins, `sha256/BASE64`.
    pub pins: Vec<String>,
    /// Certificates to trust instead of the public authorities, PEM.
    pub ca_pem: Option<String>,
    /// Private networks that its address may lie in.
    pub allow_networks: Vec<IpNet>,
    /// The panel's time zone.
    pub time_zone: Tz,
    /// What only its panel's driver knows, by name.
    pub options: BTreeMap<String, String>,
    /// When the nightly statistics run: minutes after the panel's midnight, below 1,440.
    pub stats_at: u16,
    /// Most jobs at one time.
    pub max_jobs: u16,
    /// Most creates at one time; `None` = by the panel's rules.
    pub max_creates: Option<u16>,
    /// Most terminations an hour before they are held; 0 = no guard.
    pub max_terminates: u16,
}

impl NewServer {
    /// A server with the usual settings: UTC, statistics 30 minutes after midnight, 4 jobs at a time, a
    /// guard at 20 terminations an hour.
    pub fn new(name: ServerName, rules: PanelRules, url: &str, secret: SecretString) -> Self {
        Self {
            name,
            panel: rules.panel.clone(),
            rules,
            url: url.to_owned(),
            user: None,
            secret,
            pins: Vec::new(),
            ca_pem: None,
            allow_networks: Vec::new(),
            time_zone: Tz::UTC,
            options: BTreeMap::new(),
            stats_at: 30,
            max_jobs: 4,
            max_creates: None,
            max_terminates: 20,
        }
    }
}

/// What changes about a server; `None` = as it was.
#[derive(Debug, Default)]
pub struct ServerChange {
    /// The panel's address.
    pub url: Option<String>,
    /// The API user.
    pub user: Option<Option<String>>,
    /// The panel's token, key or password.
    pub secret: Option<SecretString>,
    /// The pins, all of them.
    pub pins: Option<Vec<String>>,
    /// The certificates.
    pub ca_pem: Option<Option<String>>,
    /// The networks, all of them.
    pub allow_networks: Option<Vec<IpNet>>,
    /// The time zone.
    pub time_zone: Option<Tz>,
    /// What only its panel's driver knows, all of it.
    pub options: Option<BTreeMap<String, String>>,
    /// Minutes after the panel's midnight.
    pub stats_at: Option<u16>,
    /// Most jobs at one time.
    pub max_jobs: Option<u16>,
    /// Most terminations an hour.
    pub max_terminates: Option<u16>,
    /// Whether the nightly statistics visit it.
    pub enabled: Option<bool>,
    /// What its panel refuses.
    pub rules: Option<PanelRules>,
}

/// Adds one, with its secret in the same transaction.
///
/// # Errors
/// [`RegistryError::Invalid`], [`RegistryError::Taken`], or the ledger's.
pub async fn add_server(
    store: &Store,
    keyring: &Keyring,
    new: NewServer,
) -> Result<server::Model, RegistryError> {
    let url = checked_url(&new.url)?;
    let now = store.now().await?;
    let row = server::ActiveModel {
        name: Set(new.name.to_string()),
        live_name: Set(Some(new.name.to_string())),
        panel: Set(new.panel),
        url: Set(url),
        user: Set(new.user),
        pins: Set(json(&checked_pins(new.pins)?)),
        ca_pem: Set(checked_ca(new.ca_pem)?),
        allow_networks: Set(json(&new.allow_networks)),
        time_zone: Set(new.time_zone.name().to_owned()),
        options: Set(options(&new.options)),
        stats_at: Set(checked_minute(new.stats_at)?),
        enabled: Set(true),
        max_creates: Set(new.max_creates.map_or_else(
            || i32::try_from(new.rules.creates_at_once).unwrap_or(1),
            i32::from,
        )),
        rules: Set(json(&new.rules)),
        max_jobs: Set(i32::from(checked_jobs(new.max_jobs)?)),
        max_terminates: Set(i32::from(new.max_terminates)),
        paused: Set(false),
        breaker_failures: Set(0),
        created_at: Set(now),
        ..Default::default()
    };
    let tx = store.begin().await?;
    let row = row
        .insert(&tx)
        .await
        .map_err(|error| taken_or(error, || format!("a server `{}`", new.name)))?;
    let owner = owner(row.id);
    let sealed =
        keyring
            .worker
            .seal(Audience::Worker, Purpose::PanelSecret, &owner, &new.secret)?;
    store.put_secrets_in(&tx, &[sealed]).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(row)
}

/// `None` where there are none, as on every server from before there were any.
fn options(set: &BTreeMap<String, String>) -> Option<String> {
    (!set.is_empty()).then(|| json(set))
}

/// Changes one.
///
/// # Errors
/// [`RegistryError::NotFound`], [`RegistryError::Invalid`], or the ledger's.
pub async fn update_server(
    store: &Store,
    keyring: &Keyring,
    name: &str,
    change: ServerChange,
) -> Result<server::Model, RegistryError> {
    let row = server_named(store, name).await?;
    let mut model = server::ActiveModel {
        id: Unchanged(row.id),
        // An update needs a column to set even if only the secret changes.
        live_name: Set(row.live_name),
        ..Default::default()
    };
    if let Some(url) = change.url {
        model.url = Set(checked_url(&url)?);
    }
    if let Some(user) = change.user {
        model.user = Set(user);
    }
    if let Some(pins) = change.pins {
        model.pins = Set(json(&checked_pins(pins)?));
    }
    if let Some(ca) = change.ca_pem {
        model.ca_pem = Set(checked_ca(ca)?);
    }
    if let Some(networks) = change.allow_networks {
        model.allow_networks = Set(json(&networks));
    }
    if let Some(zone) = change.time_zone {
        model.time_zone = Set(zone.name().to_owned());
    }
    if let Some(set) = change.options {
        model.options = Set(options(&set));
    }
    if let Some(minutes) = change.stats_at {
        model.stats_at = Set(checked_minute(minutes)?);
    }
    if let Some(most) = change.max_jobs {
        model.max_jobs = Set(i32::from(checked_jobs(most)?));
    }
    if let Some(most) = change.max_terminates {
        model.max_terminates = Set(i32::from(most));
    }
    if let Some(enabled) = change.enabled {
        model.enabled = Set(enabled);
    }
    if let Some(rules) = change.rules {
        model.rules = Set(json(&rules));
    }
    let secret = change
        .secret
        .map(|secret| {
            let (audience, purpose) = (Audience::Worker, Purpose::PanelSecret);
            keyring
                .worker
                .seal(audience, purpose, &owner(row.id), &secret)
        })
        .transpose()?;
    let tx = store.begin().await?;
    let row = model.update(&tx).await?;
    if let Some(sealed) = secret {
        store.put_secrets_in(&tx, &[sealed]).await?;
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(row)
}

/// The servers that are not removed, by name.
///
/// # Errors
/// The ledger's.
pub async fn servers(store: &Store) -> Result<Vec<server::Model>, RegistryError> {
    Ok(server::Entity::find()
        .filter(server::Column::RemovedAt.is_null())
        .order_by_asc(server::Column::Name)
        .all(store.reader())
        .await?)
}

/// The server of that name.
///
/// # Errors
/// [`RegistryError::NotFound`], or the ledger's.
pub async fn server_named(store: &Store, name: &str) -> Result<server::Model, RegistryError> {
    server::Entity::find()
        .filter(server::Column::LiveName.eq(name))
        .one(store.reader())
        .await?
        .ok_or_else(|| {
            RegistryError::NotFound(format!(
                "server `{}`",
                name.chars().take(63).collect::<String>()
            ))
        })
}

/// An https address without user, query and fragment.
pub(super) fn checked_url(text: &str) -> Result<String, RegistryError> {
    let wrong = |why: &str| RegistryError::invalid("url", why);
    let url = url::Url::parse(text)
        .map_err(|_| wrong("must be an address like https://web1.example.com:2087"))?;
    if url.scheme() != "https" {
        return Err(wrong("must begin with https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("needs a host name"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not hold a user or password"));
    }
    if url.fragment().is_some() {
        return Err(wrong("must not hold a #fragment"));
    }
    Ok(url.to_string())
}

fn checked_pins(pins: Vec<String>) -> Result<Vec<String>, RegistryError> {
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD;
    for pin in &pins {
        let hash = pin
            .strip_prefix("sha256/")
            .and_then(|text| engine.decode(text).ok());
        if hash.is_none_or(|hash| hash.len() != 32) {
            return Err(RegistryError::invalid(
                "pin",
                "must be `sha256/` and the base64 of 32 bytes; `server pin NAME --show` shows it",
            ));
        }
    }
    Ok(pins)
}

fn checked_ca(pem: Option<String>) -> Result<Option<String>, RegistryError> {
    match &pem {
        Some(text) if !text.contains("-----BEGIN CERTIFICATE-----") => Err(RegistryError::invalid(
            "ca",
            "must be a file of PEM certificates",
        )),
        _ => Ok(pem),
    }
}

fn checked_minute(minutes: u16) -> Result<i32, RegistryError> {
    if minutes < 1440 {
        Ok(i32::from(minutes))
    } else {
        Err(RegistryError::invalid(
            "stats-at",
            "must be below 1440 minutes after midnight",
        ))
    }
}

fn checked_jobs(most: u16) -> Result<u16, RegistryError> {
    if most > 0 {
        Ok(most)
    } else {
        Err(RegistryError::invalid("max-jobs", "must be at least 1"))
    }
}

pub(super) fn owner(id: i64) -> String {
    format!("server:{id}")
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}
