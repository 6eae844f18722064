//! The other side: the Admin API of who runs a HostBill, below `/admin/api.php`. Its services have nothing to do with
//! those of the user API.

use serde_json::{Value, json};

use super::HostBill;
use super::answer::{json, text};
use crate::http::{Request, Response};
use crate::panel::{Call, Context};

/// Rows of a page.
const PAGE: usize = 3;

/// A service that is billed.
#[derive(Clone, Debug)]
pub struct Billed {
    id: i64,
    /// HostBill's server.
    pub server: i64,
    /// Its domain.
    pub domain: String,
    /// Pending, Active, Suspended, ...
    pub status: String,
    /// The product's name.
    pub product: String,
    /// The login name; empty = none yet.
    pub username: String,
    password: String,
}

/// `admin getAccounts`, with the service's id as the account.
pub(super) fn identify(request: &Request) -> Call {
    let params = super::answer::params(request);
    let call = text(&params, "call").unwrap_or_default();
    Call {
        changes: call.starts_with("edit"),
        name: format!("admin {call}"),
        username: text(&params, "id"),
        params,
        had_authorization: true,
        cost_ms: (50, 300),
        two_steps: false,
    }
}

impl HostBill {
    /// The id and the key of the administration's API.
    #[must_use]
    pub fn admin_key(&self) -> (&str, &str) {
        ("a1b2c3d4e5f6a7b8c9d0", &self.admin_key)
    }

    /// Sells a service on that server of HostBill's; its id.
    pub fn sell(&mut self, server: i64, domain: &str, product: &str, status: &str) -> i64 {
        let id = self.next_id();
        let billed = Billed {
            id,
            server,
            domain: domain.to_owned(),
            status: status.to_owned(),
            product: product.to_owned(),
            username: String::new(),
            password: String::new(),
        };
        self.billed.insert(id, billed);
        id
    }

    /// Changes a service that was sold.
    pub fn change_sold(&mut self, id: i64, change: impl FnOnce(&mut Billed)) {
        if let Some(billed) = self.billed.get_mut(&id) {
            change(billed);
        }
    }

    /// Name and password that are kept with a service that was sold.
    #[must_use]
    pub fn sold_login(&self, id: i64) -> Option<(String, String)> {
        let billed = self.billed.get(&id)?;
        Some((billed.username.clone(), billed.password.clone()))
    }

    pub(super) fn administrate(&mut self, request: &Request, context: &Context<'_>) -> Response {
        let params = super::answer::params(request);
        let call = text(&params, "call").unwrap_or_default();
        let (id, key) = self.admin_key();
        let known = text(&params, "api_id").is_some_and(|given| given == id)
            && text(&params, "api_key").is_some_and(|given| given == key);
        let said = if known {
            self.admin_call(&call, &params)
        } else {
            Err("Invalid API credentials".to_owned())
        };
        let head = json!({"call": call, "server_time": context.now_seconds()});
        let (success, more) = match said {
            Ok(more) => (true, more),
            Err(text) => (false, json!({"error": [text]})),
        };
        let mut body = head;
        body["success"] = json!(success);
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        json(200, &body)
    }

    fn admin_call(&mut self, call: &str, params: &Value) -> Result<Value, String> {
        let id = text(params, "id").and_then(|id| id.parse::<i64>().ok());
        match call {
            "getAccounts" => Ok(self.page(params)),
            "getAccountDetails" => {
                let billed = id
                    .and_then(|id| self.billed.get(&id))
                    .ok_or("Wrong parameter")?;
                Ok(json!({"details": {
                    "id": billed.id.to_string(), "domain": billed.domain, "status": billed.status,
                    "username": billed.username, "password": billed.password,
                }}))
            }
            "editAccountDetails" => {
                let found = id.and_then(|id| self.billed.get_mut(&id));
                let billed = found.ok_or("Wrong parameter")?;
                billed.username = text(params, "username").unwrap_or_default();
                billed.password = text(params, "password").unwrap_or_default();
                Ok(json!({"info": ["Account details have been updated"]}))
            }
            _ => Err("This API key may not call that".to_owned()),
        }
    }

    fn page(&self, params: &Value) -> Value {
        let server = text(params, "filter[server_id]").and_then(|id| id.parse::<i64>().ok());
        let page: usize = text(params, "page")
            .and_then(|page| page.parse().ok())
            .unwrap_or(0);
        let fits = |one: &&Billed| server.is_none_or(|server| one.server == server);
        let all: Vec<&Billed> = self.billed.values().filter(fits).collect();
        let rows: Vec<Value> = all
            .iter()
            .skip(page * PAGE)
            .take(PAGE)
            .map(|one| {
                json!({
                    "id": one.id.to_string(), "manual": "0", "domain": one.domain, "billingcycle": "Monthly",
                    "status": one.status, "total": "9.99", "next_due": "2026-12-26", "name": one.product,
                    "type": "Hosting",
                })
            })
            .collect();
        json!({
            "accounts": rows,
            "sorter": {"perpage": PAGE, "totalpages": all.len().div_ceil(PAGE), "sorterrecords": all.len(), "sorterpage": page + 1},
        })
    }
}
