//! What intake knows of servers: their rules and packages, read once for all the jobs of a call.

use std::collections::HashMap;
use std::sync::Arc;

use entity::server;
use hosting::PanelRules;
use jobs::store::{Store, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;

/// A server, as far as a request is checked against it.
#[derive(Debug)]
pub(crate) struct ServerFacts {
    pub(crate) row: server::Model,
    pub(crate) rules: PanelRules,
    /// The names of its packages, where they have been read.
    pub(crate) packages: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl ServerFacts {
    fn of(row: server::Model) -> Result<Self, StoreError> {
        let rules = serde_json::from_str(&row.rules).map_err(|error| StoreError::Row {
            table: "server",
            id: row.id,
            why: format!("its rules: {error}"),
        })?;
        let packages = row
            .config
            .as_deref()
            .and_then(|config| serde_json::from_str::<Config>(config).ok())
            .map(|config| config.packages.into_iter().map(|p| p.name).collect());
        Ok(Self {
            row,
            rules,
            packages,
        })
    }

    /// Why the server cannot put an account on that package, if it is known that it cannot.
    pub(crate) fn lacks_package(&self, wanted: &str) -> Option<String> {
        let known = self.packages.as_ref()?;
        if known.iter().any(|name| name == wanted) {
            return None;
        }
        let shown = known.iter().take(20).cloned().collect::<Vec<_>>();
        let shown = if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        };
        Some(format!(
            "server {} has no package `{wanted}`; it has {shown}. If it is new there, run get_server_config first",
            self.row.name
        ))
    }
}

/// Servers by name and row, each asked for once.
pub(crate) struct Servers<'a> {
    store: &'a Store,
    by_name: HashMap<String, Option<Arc<ServerFacts>>>,
    by_row: HashMap<i64, Option<Arc<ServerFacts>>>,
}

impl<'a> Servers<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            by_name: HashMap::new(),
            by_row: HashMap::new(),
        }
    }

    pub(crate) async fn named(
        &mut self,
        name: &str,
    ) -> Result<Option<Arc<ServerFacts>>, StoreError> {
        if let Some(known) = self.by_name.get(name) {
            return Ok(known.clone());
        }
        let row = server::Entity::find()
            .filter(server::Column::LiveName.eq(name))
            .one(self.store.reader())
            .await?;
        let facts = row.map(ServerFacts::of).transpose()?.map(Arc::new);
        self.by_name.insert(name.to_owned(), facts.clone());
        Ok(facts)
    }

    pub(crate) async fn row(&mut self, id: i64) -> Result<Option<Arc<ServerFacts>>, StoreError> {
        if let Some(known) = self.by_row.get(&id) {
            return Ok(known.clone());
        }
        let row = server::Entity::find_by_id(id)
            .filter(server::Column::RemovedAt.is_null())
            .one(self.store.reader())
            .await?;
        let facts = row.map(ServerFacts::of).transpose()?.map(Arc::new);
        self.by_row.insert(id, facts.clone());
        Ok(facts)
    }
}
