//! HostBill's Admin API: one endpoint, for who runs a HostBill as billing platform.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::envelope::{Said, judge, without_records};
use super::settings::is_id;
use super::shapes::{id, word};
use crate::http::lenient::{flag, text, whole};
use crate::http::{Body, Call, Effect, LISTING_CAP, Method, PanelClient, deadline};
use crate::{PanelError, ServerSettings};

/// More pages than that are no answer.
const MOST_PAGES: u64 = 10_000;

/// One HostBill, by an API key of its administration.
pub struct AdminApi {
    client: PanelClient,
    id: String,
    key: SecretString,
}

impl std::fmt::Debug for AdminApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminApi")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// One service that HostBill bills for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledService {
    /// HostBill's id of it.
    pub id: String,
    /// Its domain.
    pub domain: String,
    /// Pending, Active, Suspended, Terminated, Cancelled, Fraud.
    pub status: String,
    /// The product's name.
    pub product: String,
}

/// What HostBill keeps for logging in to a service.
#[derive(Debug, Clone)]
pub struct BilledLogin {
    /// The name; empty = none.
    pub username: String,
    /// The password; empty = none.
    pub password: SecretString,
}

impl AdminApi {
    /// For that address (`https://host/admin/api.php`), with the API id as user and the key as secret.
    ///
    /// # Errors
    /// `Rejected` with code `server_settings`.
    pub fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        let id = settings.user.clone().unwrap_or_default();
        if id.is_empty() || settings.secret.expose_secret().is_empty() {
            let why = "HostBill's Admin API needs the API id and its key";
            return Err(PanelError::refused("server_settings", why));
        }
        Ok(Self {
            client: PanelClient::new(settings, 443)?,
            id,
            key: settings.secret.clone(),
        })
    }

    /// Every service on that server of HostBill's, page by page.
    ///
    /// # Errors
    /// As every call; `Transient` when the pages do not end, or hold a service twice because some were
    /// added meanwhile.
    pub async fn services(&self, server: &str) -> Result<Vec<BilledService>, PanelError> {
        let mut all: Vec<BilledService> = Vec::new();
        for page in 0..MOST_PAGES {
            let number = page.to_string();
            let fields = [
                ("list", "all"),
                ("filter[server_id]", server),
                ("page", &number),
            ];
            let said = self
                .call("getAccounts", &fields, Effect::Read, None)
                .await?;
            let rows = said.rows("accounts", service)?;
            all.extend(rows);
            let pages = said
                .get("sorter")
                .and_then(|sorter| whole(sorter.get("totalpages")?));
            if pages.is_none_or(|pages| page + 1 >= pages) {
                let ids: BTreeSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
                if ids.len() == all.len() {
                    return Ok(all);
                }
                return Err(said.reply.unknown("the pages hold a service twice"));
            }
        }
        let why = "the pages of the services do not end";
        Err(PanelError::refused("panel_refused", why))
    }

    /// What HostBill keeps for logging in to that service.
    ///
    /// # Errors
    /// As every call.
    pub async fn login(&self, service: &str) -> Result<BilledLogin, PanelError> {
        let fields = [("id", service)];
        let said = self
            .call("getAccountDetails", &fields, Effect::Read, None)
            .await?;
        said.read("details", |row| {
            let same = id(row.get("id")?)? == service;
            same.then(|| BilledLogin {
                username: row.get("username").and_then(word).unwrap_or_default(),
                password: row
                    .get("password")
                    .and_then(text)
                    .unwrap_or_default()
                    .into(),
            })
        })
    }

    /// Keeps name and password with that service. Absolute, so that it may be repeated.
    ///
    /// # Errors
    /// As every call.
    pub async fn keep_login(&self, service: &str, login: &BilledLogin) -> Result<(), PanelError> {
        let fields = [
            ("id", service),
            ("username", &login.username),
            ("password", login.password.expose_secret()),
        ];
        let secret = Some(&login.password);
        self.call("editAccountDetails", &fields, Effect::Change, secret)
            .await
            .map(drop)
    }

    async fn call(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        effect: Effect,
        secret: Option<&SecretString>,
    ) -> Result<Said, PanelError> {
        let mut form = vec![
            ("api_id", self.id.as_str()),
            ("api_key", self.key.expose_secret()),
            ("call", name),
        ];
        form.extend_from_slice(fields);
        let secrets: Vec<&SecretString> = [&self.key].into_iter().chain(secret).collect();
        // The key is in the form; this header says nothing.
        let none = SecretString::from("Bearer none");
        let call = Call {
            name,
            method: Method::POST,
            path: "",
            query: &[],
            body: Body::Form(&form),
            authorization: &none,
            secrets: &secrets,
            effect,
            deadline: deadline::CHANGE,
            cap: LISTING_CAP,
        };
        let reply = self.client.send(call).await.map_err(without_records)?;
        let said = judge(reply).map_err(without_records)?;
        match said.get("success").and_then(flag) {
            Some(true) => Ok(said),
            _ => Err(said
                .reply
                .unknown("the panel's answer does not say that it was done")),
        }
    }
}

fn service(row: &Value) -> Option<BilledService> {
    Some(BilledService {
        id: id(row.get("id")?).filter(|id| is_id(id))?,
        domain: row.get("domain").and_then(word).unwrap_or_default(),
        status: row.get("status").and_then(word)?,
        product: row.get("name").and_then(word).unwrap_or_default(),
    })
}

/// Only what is asked for is read of a row, so that a change of HostBill's does not matter.
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_needs_an_id_and_a_status() {
        let row = json!({"id": 85, "domain": "a.example.com", "status": "Active", "name": "gold"});
        let read = service(&row).unwrap();
        assert_eq!((read.id.as_str(), read.product.as_str()), ("85", "gold"));
        assert_eq!(service(&json!({"id": "85"})), None);
        assert_eq!(service(&json!({"id": "x", "status": "Active"})), None);
    }
}
