//! What an operator may set for a server beyond address, user and secret.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use hosting::LimitName;

use crate::{PanelError, ServerSettings};

/// The names, and what they mean.
const KNOWN: &str = "auth=jwt|basic, vm_power=suspend, pay_method=ID, and resource.LIMIT=ID:UNIT";

/// The options, read.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `auth=basic`: the credentials with each call instead of a token.
    pub(super) basic: bool,
    /// `vm_power=suspend`: a suspend stops the service's machines, an unsuspend starts them.
    pub(super) power: bool,
    /// `pay_method=9`: the payment method that orders name.
    pub(super) pay_method: Option<String>,
    /// `resource.disk_mb=1557:1024`: which resource of an upgrade is which limit, and how much of the limit
    /// one unit of it is. Never guessed: an upgrade costs money.
    pub(super) resources: BTreeMap<LimitName, Resource>,
    /// Whose account it is: the owner of every service.
    pub(super) user: String,
    /// Dates are by this.
    pub(super) zone: Tz,
}

/// One resource of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) unit: u64,
}

impl Options {
    pub(super) fn read(settings: &ServerSettings) -> Result<Self, PanelError> {
        let mut options = Self {
            basic: false,
            power: false,
            pay_method: None,
            resources: BTreeMap::new(),
            user: settings.user.clone().unwrap_or_default().trim().to_owned(),
            zone: settings.time_zone,
        };
        for (name, value) in &settings.options {
            match (name.as_str(), value.as_str()) {
                ("auth", "jwt") => options.basic = false,
                ("auth", "basic") => options.basic = true,
                ("vm_power", "suspend") => options.power = true,
                ("vm_power", "none") => options.power = false,
                ("pay_method", id) if is_id(id) => options.pay_method = Some(id.to_owned()),
                (name, value) => {
                    let (limit, resource) = resource(name, value).ok_or_else(|| wrong(name))?;
                    options.resources.insert(limit, resource);
                }
            }
        }
        Ok(options)
    }
}

fn resource(name: &str, value: &str) -> Option<(LimitName, Resource)> {
    let limit = name.strip_prefix("resource.")?.parse().ok()?;
    let (id, unit) = value.split_once(':').unwrap_or((value, "1"));
    let unit = unit.parse().ok().filter(|unit| *unit > 0)?;
    is_id(id).then(|| {
        let id = id.to_owned();
        (limit, Resource { id, unit })
    })
}

fn wrong(name: &str) -> PanelError {
    let why = format!("the option `{name}` is not right; known are {KNOWN}");
    PanelError::refused("server_settings", why)
}

/// Whether that is an id as HostBill gives them.
pub(super) fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Options, PanelError> {
        Options::read(&ServerSettings {
            name: "x".into(),
            url: "https://example.com/api".into(),
            user: Some("me@example.com".into()),
            secret: "x".into(),
            pins: Vec::new(),
            ca_pem: None,
            allow_networks: Vec::new(),
            time_zone: chrono_tz::UTC,
            options: pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    #[test]
    fn options_are_read_and_nothing_is_guessed() {
        let options = read(&[
            ("auth", "basic"),
            ("vm_power", "suspend"),
            ("pay_method", "9"),
            ("resource.disk_mb", "1557:1024"),
        ])
        .unwrap();
        assert!(options.basic && options.power);
        assert_eq!(options.pay_method.as_deref(), Some("9"));
        let (limit, resource) = options.resources.first_key_value().unwrap();
        assert_eq!((*limit, resource.unit), (LimitName::DiskMb, 1024));
        for wrong in [
            ("auth", "none"),
            ("pay_method", "PayPal"),
            ("resource.disk_mb", "x"),
            ("resource.disk_mb", "1:0"),
            ("resource.speed", "1"),
            ("colour", "red"),
        ] {
            assert_eq!(read(&[wrong]).unwrap_err().code(), "server_settings");
        }
    }
}
