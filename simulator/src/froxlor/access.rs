//! API keys and who stands behind them.

use super::Froxlor;
use super::failure::Failure;
use crate::http::Request;
use crate::panel::Context;

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// An admin or reseller, by `adminid`.
    Admin(i64),
    /// A customer, by `customerid`.
    Customer(i64),
}

/// A row of the table of keys.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) owner: KeyOwner,
    /// Addresses; empty is anywhere.
    pub(super) allowed_from: Vec<String>,
    /// Unix time; -1 is for ever.
    pub(super) valid_until: i64,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn new(key: &str, secret: &str, owner: KeyOwner) -> Self {
        Key {
            key: key.to_owned(),
            secret: secret.to_owned(),
            owner,
            allowed_from: Vec::new(),
            valid_until: -1,
        }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Admin { id: i64, sees_all: bool },
    Customer { id: i64 },
}

impl Caller {
    /// Whether the caller may see what belongs to an admin.
    pub(super) fn sees_admin(self, admin: i64) -> bool {
        matches!(self, Caller::Admin { id, sees_all } if sees_all || id == admin)
    }
}

impl Froxlor {
    pub(super) fn authenticate(
        &self,
        request: &Request,
        context: &Context<'_>,
    ) -> Result<Caller, Failure> {
        let Some(given) = self.settings.envelope.credentials(request) else {
            return Err(Failure::NoCredentials);
        };
        let now = context.now_seconds();
        let fits = |key: &&Key| {
            key.key == given.key
                && key.secret == given.secret
                && (key.valid_until == -1 || key.valid_until >= now)
                && (key.allowed_from.is_empty() || key.allowed_from.contains(&request.peer))
        };
        // Whatever is wrong, the text is the same.
        let refused = || Failure::Plain(403, "Invalid authorization credentials".to_owned());
        let key = self.keys.iter().find(fits).ok_or_else(refused)?;
        match key.owner {
            KeyOwner::Admin(id) => {
                let admin = self
                    .admins
                    .get(&id)
                    .filter(|admin| admin.on("api_allowed"))
                    .ok_or_else(refused)?;
                if admin.on("deactivated") {
                    return Failure::plain(406, "Account suspended");
                }
                Ok(Caller::Admin {
                    id,
                    sees_all: admin.on("customers_see_all"),
                })
            }
            KeyOwner::Customer(id) => {
                let allowed =
                    |row: &super::Customer| row.row.on("api_allowed") && !row.row.on("deactivated");
                self.customers
                    .get(&id)
                    .filter(|customer| allowed(customer))
                    .ok_or_else(refused)?;
                Ok(Caller::Customer { id })
            }
        }
    }

    pub(super) fn language_of(&self, caller: &Caller) -> Option<String> {
        let row = match caller {
            Caller::Admin { id, .. } => self.admins.get(id)?,
            Caller::Customer { id } => &self.customers.get(id)?.row,
        };
        Some(row.text("def_language").to_owned())
    }

    /// The login name of who calls, for the log.
    pub(super) fn name_of(&self, caller: &Caller) -> String {
        match caller {
            Caller::Admin { id, .. } => self.admin_name(*id),
            Caller::Customer { id } => self
                .customers
                .get(id)
                .map(|customer| customer.login().to_owned())
                .unwrap_or_default(),
        }
    }
}
