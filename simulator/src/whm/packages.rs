//! Packages.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Whm;
use super::access::Caller;
use super::account::limit_text;
use super::envelope::{Params, Reply};
use crate::panel::Context;

/// A package. Limits: `None` is unlimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// A reseller's package is called `RESELLER_name`.
    pub name: String,
    /// MB.
    pub quota_mb: Option<u64>,
    /// MB a month.
    pub bandwidth_mb: Option<u64>,
    /// Mailboxes.
    pub maxpop: Option<u64>,
    /// Databases.
    pub maxsql: Option<u64>,
    /// FTP accounts.
    pub maxftp: Option<u64>,
    /// Mailing lists.
    pub maxlst: Option<u64>,
    /// Sub-domains.
    pub maxsub: Option<u64>,
    /// Parked domains; zero is none.
    pub maxpark: Option<u64>,
    /// Additional domains; zero is none.
    pub maxaddon: Option<u64>,
    /// Shell access.
    pub shell: bool,
    /// Each account gets its own address.
    pub dedicated_ip: bool,
}

impl Package {
    /// A package with limits on disk space and bandwidth only, both in MB.
    #[must_use]
    pub fn new(name: &str, quota_mb: Option<u64>, bandwidth_mb: Option<u64>) -> Self {
        Package {
            name: name.to_owned(),
            quota_mb,
            bandwidth_mb,
            maxpop: None,
            maxsql: None,
            maxftp: None,
            maxlst: None,
            maxsub: None,
            maxpark: Some(0),
            maxaddon: Some(0),
            shell: false,
            dedicated_ip: false,
        }
    }

    fn counted(
        mut self,
        mailboxes: u64,
        databases: u64,
        ftp: u64,
        subdomains: u64,
        addons: u64,
    ) -> Self {
        self.maxpop = Some(mailboxes);
        self.maxsql = Some(databases);
        self.maxftp = Some(ftp);
        self.maxsub = Some(subdomains);
        self.maxaddon = Some(addons);
        self
    }

    fn record(&self) -> Value {
        let yes_no = |on: bool| if on { "y" } else { "n" };
        json!({
            "name": self.name, "QUOTA": limit_text(self.quota_mb), "BWLIMIT": limit_text(self.bandwidth_mb),
            "MAXPOP": limit_text(self.maxpop), "MAXSQL": limit_text(self.maxsql),
            "MAXFTP": limit_text(self.maxftp), "MAXLST": limit_text(self.maxlst),
            "MAXSUB": limit_text(self.maxsub), "MAXPARK": limit_text(self.maxpark),
            "MAXADDON": limit_text(self.maxaddon), "MAX_EMAIL_PER_HOUR": "unlimited",
            "MAX_DEFER_FAIL_PERCENTAGE": "unlimited", "MAX_EMAILACCT_QUOTA": "unlimited",
            "MAX_TEAM_USERS": "7", "FEATURELIST": "default", "CPMOD": "jupiter", "LANG": "en",
            "HASSHELL": yes_no(self.shell), "CGI": "y", "IP": yes_no(self.dedicated_ip), "DIGESTAUTH": "n",
            "_PACKAGE_EXTENSIONS": "",
        })
    }
}

/// The packages of a new server.
pub(super) fn at_the_start() -> BTreeMap<String, Package> {
    let mut dedicated = Package::new("dedicated", Some(20_000), Some(500_000));
    dedicated.dedicated_ip = true;
    [
        Package::new("default", None, None),
        Package::new("bronze", Some(1_000), Some(20_000)).counted(5, 1, 2, 5, 0),
        Package::new("silver", Some(5_000), Some(100_000)).counted(25, 5, 10, 25, 2),
        Package::new("gold", Some(10_000), Some(250_000)).counted(100, 20, 50, 100, 10),
        dedicated,
    ]
    .into_iter()
    .map(|package| (package.name.clone(), package))
    .collect()
}

pub(super) fn list(whm: &mut Whm, caller: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    let own = format!("{}_", caller.user);
    let usable = |package: &&Package| {
        caller.is_root() || package.name.starts_with(&own) || caller.may("viewglobalpackages")
    };
    let packages: Vec<Value> = whm
        .packages
        .values()
        .filter(usable)
        .map(Package::record)
        .collect();
    Reply::ok("OK", json!({"pkg": packages}))
}

/// The same record, with 0 and 1 where the list has `n` and `y`.
pub(super) fn info(whm: &mut Whm, _: &Caller, params: &Params, _: &mut Context<'_>) -> Reply {
    let Some(package) = params.filled("pkg").and_then(|name| whm.packages.get(name)) else {
        return Reply::failed("Specified package does not exist.");
    };
    let record = package.record();
    let flags: Map<String, Value> = record
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let flag = matches!(name.as_str(), "CGI" | "HASSHELL" | "IP" | "DIGESTAUTH");
            let value = if flag {
                Value::from(u8::from(value == "y"))
            } else {
                value.clone()
            };
            (name.clone(), value)
        })
        .collect();
    Reply::ok("OK", json!({"pkg": flags}))
}

pub(super) fn add(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let given = params.filled("name").unwrap_or_default();
    // A reseller's packages carry his name.
    let name = if caller.is_root() {
        given.to_owned()
    } else {
        format!("{}_{given}", caller.user)
    };
    if given.is_empty() {
        return Reply::failed("Provide the “name” parameter.");
    }
    if whm.packages.contains_key(&name) {
        return Reply::failed(format!(
            "The package \"{name}\" already exists. If you wish to make changes, please edit the page."
        ));
    }
    let limit = |name: &str| params.get(name).and_then(|text| text.parse().ok());
    let mut package = Package::new(&name, limit("quota"), limit("bwlimit"));
    package.maxpop = limit("maxpop");
    package.maxsql = limit("maxsql");
    package.maxftp = limit("maxftp");
    package.maxsub = limit("maxsub");
    package.maxaddon = params
        .get("maxaddon")
        .map_or(Some(0), |text| text.parse().ok());
    package.dedicated_ip = params.get("ip") == Some("y");
    whm.packages.insert(name.clone(), package);
    context.applied("", "", json!({"package_added": name}));
    Reply::ok("OK", json!({"pkg": name}))
}
