//! From a server's row and its sealed secret to a panel.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use entity::{secret, server};
use jobs::seal::{Keyring, SealError};
use jobs::store::{Audience, Purpose, Store, StoreError};
use panels::{Panel, PanelError, ServerSettings};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// Why a panel cannot be opened. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Our database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server's secret cannot be opened here.
    #[error(transparent)]
    Secret(#[from] SealError),
    /// The server's row says something that cannot be.
    #[error("{0}")]
    Settings(String),
    /// The driver refuses the settings.
    #[error(transparent)]
    Panel(#[from] PanelError),
}

/// Opens panels. Tests have one of their own.
#[async_trait]
pub trait PanelSource: Send + Sync {
    /// The panel of that server.
    ///
    /// # Errors
    /// [`OpenError`].
    async fn open(&self, server: &server::Model) -> Result<Arc<dyn Panel>, OpenError>;
}

/// What a client was made from; a client is kept while this stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Basis {
    panel: String,
    url: String,
    user: Option<String>,
    pins: String,
    ca_pem: Option<String>,
    allow_networks: String,
    time_zone: String,
    options: Option<String>,
    secret: (i64, i64, String),
}

/// A client and what it was made from.
type Kept = (Basis, Arc<dyn Panel>);

/// The drivers' panels, one client a server.
#[derive(Debug)]
pub struct Panels {
    store: Store,
    keyring: Arc<Keyring>,
    open: Mutex<HashMap<i64, Kept>>,
}

impl Panels {
    /// Opens with the secrets of that store and the keys of that ring.
    #[must_use]
    pub fn new(store: Store, keyring: Arc<Keyring>) -> Self {
        Self {
            store,
            keyring,
            open: Mutex::default(),
        }
    }

    async fn secret(&self, server: &server::Model) -> Result<secret::Model, OpenError> {
        let row = secret::Entity::find()
            .filter(secret::Column::Owner.eq(format!("server:{}", server.id)))
            .filter(secret::Column::Purpose.eq(Purpose::PanelSecret.name()))
            .filter(secret::Column::Audience.eq(Audience::Worker.name()))
            .one(self.store.reader())
            .await
            .map_err(StoreError::from)?;
        Ok(row.ok_or(SealError::Gone)?)
    }

    fn kept(&self, server_id: i64, basis: &Basis) -> Option<Arc<dyn Panel>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&server_id)
            .filter(|(old, _)| old == basis)
            .map(|(_, panel)| Arc::clone(panel))
    }
}

#[async_trait]
impl PanelSource for Panels {
    async fn open(&self, server: &server::Model) -> Result<Arc<dyn Panel>, OpenError> {
        let secret = self.secret(server).await?;
        let basis = basis(server, &secret);
        if let Some(panel) = self.kept(server.id, &basis) {
            return Ok(panel);
        }
        let settings = settings(server, self.keyring.open(&secret)?)?;
        let panel: Arc<dyn Panel> = Arc::from(panels::open(&server.panel, settings)?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(server.id, (basis, Arc::clone(&panel)));
        Ok(panel)
    }
}

fn basis(server: &server::Model, secret: &secret::Model) -> Basis {
    Basis {
        panel: server.panel.clone(),
        url: server.url.clone(),
        user: server.user.clone(),
        pins: server.pins.clone(),
        ca_pem: server.ca_pem.clone(),
        allow_networks: server.allow_networks.clone(),
        time_zone: server.time_zone.clone(),
        options: server.options.clone(),
        secret: (secret.id, secret.created_at, secret.key_id.clone()),
    }
}

fn settings(
    server: &server::Model,
    secret: secrecy::SecretString,
) -> Result<ServerSettings, OpenError> {
    let wrong = |what: &str| OpenError::Settings(format!("the server's {what} cannot be read"));
    Ok(ServerSettings {
        name: server.name.clone(),
        url: server.url.clone(),
        user: server.user.clone(),
        secret,
        pins: serde_json::from_str(&server.pins).map_err(|_| wrong("pins"))?,
        ca_pem: server.ca_pem.clone(),
        allow_networks: serde_json::from_str(&server.allow_networks)
            .map_err(|_| wrong("networks"))?,
        time_zone: server.time_zone.parse().map_err(|_| wrong("time zone"))?,
        options: server
            .options
            .as_deref()
            .map_or(Ok(BTreeMap::new()), serde_json::from_str)
            .map_err(|_| wrong("options"))?,
    })
}
