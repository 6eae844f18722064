//! Customers as they look from outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{SimAccount, SimLimits, SimTraffic};

use super::{Customer, Froxlor, traffic};

impl Froxlor {
    pub(crate) fn accounts(&self) -> Vec<SimAccount> {
        let logins: BTreeSet<&str> = self.ftps.values().map(|ftp| ftp.text("username")).collect();
        let mut domains: BTreeMap<i64, &str> = BTreeMap::new();
        for domain in self
            .domains
            .values()
            .filter(|domain| !self.is_standard(domain))
        {
            domains
                .entry(domain.int("customerid"))
                .or_insert(domain.text("domain"));
        }
        let view = |customer: &Customer| {
            let domain = domains.get(&customer.id()).copied().unwrap_or_default();
            self.view(customer, domain, !logins.contains(customer.login()))
        };
        self.customers.values().map(view).collect()
    }

    fn view(&self, customer: &Customer, domain: &str, half_made: bool) -> SimAccount {
        let row = &customer.row;
        let id = row.int("customerid");
        let count = |column: &str| u64::try_from(row.int(column)).ok();
        let kib = |column: &str| count(column).map(|kib| kib * 1024);
        SimAccount {
            username: customer.login().to_owned(),
            incarnation: id.to_string(),
            domain: domain.to_owned(),
            email: row.text("email").to_owned(),
            package: None,
            owner: self.admin_name(row.int("adminid")),
            suspended: row.on("deactivated"),
            suspend_reason: None,
            locked: false,
            ip: "192.0.2.10".to_owned(),
            limits: SimLimits {
                disk: kib("diskspace"),
                traffic: kib("traffic"),
                email_accounts: count("email_accounts"),
                databases: count("mysqls"),
                domains: None,
                subdomains: count("subdomains"),
                ftp_accounts: count("ftps"),
            },
            disk_used: kib("diskspace_used").unwrap_or(0),
            uid: count("guid").unwrap_or(0),
            created_at_ms: customer.created_at_ms,
            marker: Some(row.text("customernumber").to_owned()).filter(|marker| !marker.is_empty()),
            standard_subdomain: row.on("standardsubdomain"),
            half_made,
            password: customer.password,
        }
    }

    pub(crate) fn all_traffic(&self) -> Vec<SimTraffic> {
        let of = |customer: &Customer| {
            let incarnation = customer.incarnation();
            let months = self.traffic.months(&incarnation).into_iter();
            months
                .map(|month| SimTraffic {
                    username: customer.login().to_owned(),
                    incarnation: incarnation.clone(),
                    bytes: traffic::month_total(&self.traffic, &incarnation, &month),
                    month,
                    deleted: false,
                })
                .collect::<Vec<_>>()
        };
        self.customers.values().flat_map(of).collect()
    }
}
