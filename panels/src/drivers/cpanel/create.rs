//! `create`: the parameters of createacct, and what it answers.

use secrecy::ExposeSecret;

use super::envelope::Done;
use super::wire::lower;
use super::{rules, shapes, units};
use crate::{Created, NewAccount, PanelError};

/// What `createacct` gets. The package rules the limits; only without one are they sent here.
pub(super) fn fields(account: &NewAccount) -> Result<Vec<(&'static str, String)>, PanelError> {
    let mut fields = vec![
        ("username", lower(&account.username)),
        ("domain", account.domain.to_string()),
        ("password", account.password.expose_secret().to_owned()),
        // An own address is given by a later step, which can be looked up.
        ("ip", "n".to_owned()),
        // Else the log in the answer holds the password.
        ("showpass", "n".to_owned()),
    ];
    if let Some(email) = &account.email {
        fields.push(("contactemail", email.to_string()));
    }
    match &account.package {
        Some(package) => fields.push(("plan", package.to_string())),
        None => {
            for (name, limit) in account.limits.iter() {
                fields.push((units::createacct_name(name), units::write(name, limit)?));
            }
        }
    }
    fields.extend(rules::panel_values(&account.panel)?);
    Ok(fields)
}

pub(super) fn created(done: &Done) -> Created {
    let servers = ["nameserver", "nameserver2", "nameserver3", "nameserver4"];
    Created {
        username: shapes::text(&done.data, "user").and_then(|user| user.parse().ok()),
        address: shapes::text(&done.data, "ip").and_then(|ip| ip.parse().ok()),
        name_servers: servers
            .iter()
            .filter_map(|field| done.data.get(*field).and_then(shapes::name_server))
            .collect(),
        warnings: done.warnings.clone(),
        order: None,
    }
}
