//! An account's record.

use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use super::{Package, Whm};
use crate::account::{Secret, SimAccount, SimLimits};

pub(super) const MIB: u64 = 1024 * 1024;

/// An account. Limits: `None` is unlimited.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) incarnation: String,
    pub(super) domain: String,
    pub(super) addon_domains: Vec<String>,
    pub(super) owner: String,
    pub(super) plan: String,
    pub(super) email: String,
    pub(super) ip: String,
    pub(super) uid: u64,
    pub(super) created_at_ms: i64,
    pub(super) suspended: bool,
    pub(super) suspend_reason: String,
    pub(super) suspend_time: Option<i64>,
    pub(super) locked: bool,
    pub(super) quota_mb: Option<u64>,
    pub(super) bandwidth: Option<u64>,
    pub(super) maxpop: Option<u64>,
    pub(super) maxsql: Option<u64>,
    pub(super) maxftp: Option<u64>,
    pub(super) maxlst: Option<u64>,
    pub(super) maxsub: Option<u64>,
    pub(super) maxpark: Option<u64>,
    pub(super) maxaddon: Option<u64>,
    pub(super) shell: bool,
    pub(super) disk_used_kib: u64,
    pub(super) password: Secret,
    pub(super) temporary: bool,
}

impl Whm {
    /// A record with the package's limits, on the shared address. Takes a serial number; does not add it.
    pub(super) fn new_account(
        &mut self,
        user: &str,
        domain: &str,
        plan: &str,
        created_at_ms: i64,
    ) -> Account {
        let serial = self.next_serial();
        let mut account = Account {
            user: user.to_owned(),
            incarnation: serial.to_string(),
            domain: domain.to_ascii_lowercase(),
            addon_domains: Vec::new(),
            owner: "root".to_owned(),
            plan: plan.to_owned(),
            email: String::new(),
            ip: self.main_ip.clone(),
            uid: 1000 + serial,
            created_at_ms,
            suspended: false,
            suspend_reason: String::new(),
            suspend_time: None,
            locked: false,
            quota_mb: None,
            bandwidth: None,
            maxpop: None,
            maxsql: None,
            maxftp: None,
            maxlst: None,
            maxsub: None,
            maxpark: Some(0),
            maxaddon: Some(0),
            shell: false,
            disk_used_kib: 300,
            password: Secret::of(""),
            temporary: false,
        };
        if let Some(package) = self.packages.get(plan) {
            account.take_limits(package);
        }
        account
    }
}

impl Account {
    /// A package's limits replace the account's own.
    pub(super) fn take_limits(&mut self, package: &Package) {
        package.name.clone_into(&mut self.plan);
        self.quota_mb = package.quota_mb;
        self.bandwidth = package.bandwidth_mb.map(|mb| mb.saturating_mul(MIB));
        self.maxpop = package.maxpop;
        self.maxsql = package.maxsql;
        self.maxftp = package.maxftp;
        self.maxlst = package.maxlst;
        self.maxsub = package.maxsub;
        self.maxpark = package.maxpark;
        self.maxaddon = package.maxaddon;
        self.shell = package.shell;
    }

    /// All domains, the main one first.
    pub(super) fn domains(&self) -> Vec<String> {
        std::iter::once(self.domain.clone())
            .chain(self.addon_domains.iter().cloned())
            .collect()
    }

    pub(super) fn owns(&self, domain: &str) -> bool {
        let same = |own: &String| own.eq_ignore_ascii_case(domain);
        same(&self.domain) || self.addon_domains.iter().any(same)
    }

    /// What the ledger compares: everything but the password.
    pub(super) fn facts(&self) -> Value {
        json!({
            "domain": self.domain, "owner": self.owner, "plan": self.plan, "email": self.email, "ip": self.ip,
            "suspended": self.suspended, "suspend_reason": self.suspend_reason, "locked": self.locked,
            "quota_mb": self.quota_mb, "bandwidth": self.bandwidth, "maxpop": self.maxpop, "maxsql": self.maxsql,
            "maxftp": self.maxftp, "maxlst": self.maxlst, "maxsub": self.maxsub, "maxpark": self.maxpark,
            "maxaddon": self.maxaddon, "shell": self.shell, "uid": self.uid,
        })
    }

    pub(super) fn view(&self) -> SimAccount {
        SimAccount {
            username: self.user.clone(),
            incarnation: self.incarnation.clone(),
            domain: self.domain.clone(),
            email: self.email.clone(),
            package: Some(self.plan.clone()),
            owner: self.owner.clone(),
            suspended: self.suspended,
            suspend_reason: self.suspended.then(|| self.suspend_reason.clone()),
            locked: self.locked,
            ip: self.ip.clone(),
            limits: SimLimits {
                disk: self.quota_mb.map(|mb| mb.saturating_mul(MIB)),
                traffic: self.bandwidth,
                email_accounts: self.maxpop,
                databases: self.maxsql,
                domains: self.maxaddon,
                subdomains: self.maxsub,
                ftp_accounts: self.maxftp,
            },
            disk_used: self.disk_used_kib * 1024,
            uid: self.uid,
            created_at_ms: self.created_at_ms,
            marker: None,
            standard_subdomain: false,
            half_made: false,
            password: self.password,
        }
    }

    /// The record as `accountsummary` and `listaccts` show it.
    pub(super) fn summary(&self, local: impl Fn(i64) -> DateTime<FixedOffset>) -> Value {
        let started = local(self.created_at_ms);
        let disk_limit = self
            .quota_mb
            .map_or("unlimited".to_owned(), |mb| format!("{mb}M"));
        let disk_used = match self.disk_used_kib / 1024 {
            0 => "none".to_owned(),
            mb => format!("{mb}M"),
        };
        json!({
            "user": self.user, "domain": self.domain, "ip": self.ip, "owner": self.owner, "plan": self.plan,
            "suspended": u8::from(self.suspended),
            "suspendreason": if self.suspended { self.suspend_reason.as_str() } else { "not suspended" },
            "suspendtime": self.suspend_time, "is_locked": u8::from(self.locked),
            "disklimit": disk_limit, "diskused": disk_used, "inodeslimit": "unlimited",
            "inodesused": self.disk_used_kib / 12 + 40,
            "email": if self.email.is_empty() { "*unknown*" } else { self.email.as_str() },
            "maxpop": limit_text(self.maxpop), "maxsql": limit_text(self.maxsql),
            "maxftp": limit_text(self.maxftp), "maxsub": limit_text(self.maxsub),
            "maxlst": limit_text(self.maxlst), "maxparked": limit_text(self.maxpark),
            "maxaddons": limit_text(self.maxaddon), "max_email_per_hour": "unlimited",
            "max_defer_fail_percentage": "unlimited", "max_emailacct_quota": "unlimited",
            "shell": if self.shell { "/bin/bash" } else { "/usr/local/cpanel/bin/noshell" },
            "theme": "jupiter", "partition": "home",
            "startdate": started.format("%y %b %d %H:%M").to_string(),
            "unix_startdate": self.created_at_ms.div_euclid(1000), "uid": self.uid.to_string(),
            "temporary": u8::from(self.temporary), "backup": 1, "legacy_backup": 0, "child_nodes": [],
            "mailbox_format": "maildir", "outgoing_mail_suspended": 0, "outgoing_mail_hold": 0, "ipv6": [],
            "has_backup": 0,
        })
    }
}

/// `unlimited` or the number, as text.
pub(super) fn limit_text(limit: Option<u64>) -> String {
    limit.map_or("unlimited".to_owned(), |number| number.to_string())
}
