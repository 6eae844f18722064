//! API keys and who stands behind them.

use std::net::IpAddr;

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
                && (key.allowed_from.is_empty()
                    || key
                        .allowed_from
                        .iter()
                        .any(|range| holds(range, &request.peer)))
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

/// Whether an address is meant by an entry of `allowed_from`: an address or, since 2.0, a range with a prefix length.
fn holds(entry: &str, address: &str) -> bool {
    let (network, length) = entry
        .split_once('/')
        .map_or((entry, None), |(network, length)| (network, Some(length)));
    let bits = |text: &str| match text.trim().parse() {
        Ok(IpAddr::V4(v4)) => Some((u128::from(u32::from(v4)) << 96, 32)),
        Ok(IpAddr::V6(v6)) => Some((u128::from(v6), 128)),
        Err(_) => None,
    };
    let (Some((network, width)), Some((address, other_width))) = (bits(network), bits(address))
    else {
        return false;
    };
    let length = match length {
        None => Some(width),
        Some(text) => text.parse::<u32>().ok().filter(|length| *length <= width),
    };
    let same = |length: u32| length == 0 || (network ^ address) >> (128 - length) == 0;
    width == other_width && length.is_some_and(same)
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn addresses_and_ranges_are_compared_by_bits() {
        for (entry, address, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("198.51.100.0/24", "198.51.101.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0:0:0:0:0:0:0:1", "::1", true),
            ("2001:db8::/32", "2001:db8:1::9", true),
            ("2001:db8::/32", "127.0.0.1", false),
            ("127.0.0.0/99", "127.0.0.1", false),
            ("nonsense", "127.0.0.1", false),
        ] {
            assert_eq!(holds(entry, address), expected, "{entry} {address}");
        }
    }
}
