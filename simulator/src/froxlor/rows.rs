//! Rows of the panel's database. Froxlor's answers are its rows, so a row here is what it is there: columns by name.

use serde_json::{Map, Value, json};

/// A row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row(Map<String, Value>);

impl Row {
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Row(map),
            _ => Row::default(),
        }
    }

    /// A number, 0 for anything else.
    pub(super) fn int(&self, column: &str) -> i64 {
        self.0.get(column).and_then(Value::as_i64).unwrap_or(0)
    }

    /// A text, empty for anything else.
    pub(super) fn text(&self, column: &str) -> &str {
        self.0
            .get(column)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn on(&self, column: &str) -> bool {
        self.int(column) != 0
    }

    pub(super) fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column)
    }

    pub(super) fn set(&mut self, column: &str, value: impl Into<Value>) {
        self.0.insert(column.to_owned(), value.into());
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The row with another column, as a join adds it.
    pub(super) fn with(mut self, column: &str, value: impl Into<Value>) -> Self {
        self.set(column, value);
        self
    }
}

/// A password hash has 60 characters; nobody needs a real one.
pub(super) const BCRYPT: &str = "$2y$10$SimulatedSimulatedSimuu0000000000000000000000000000000";
/// The hash of an FTP account's password.
pub(super) const SHA256_CRYPT: &str = "$5$SIMULATED$0000000000000000000000000000000000000000000";

/// A customer as the table's defaults make it (64 columns together with the admin's name of the join).
pub(super) fn customer() -> Row {
    Row::of(json!({
        "customerid": 0, "loginname": "", "password": BCRYPT, "adminid": 1, "name": "", "firstname": "",
        "gender": 0, "company": "", "street": "", "zipcode": "", "city": "", "phone": "", "fax": "",
        "email": "", "customernumber": "", "def_language": "en", "diskspace": 0, "diskspace_used": 0,
        "mysqls": 0, "mysqls_used": 0, "emails": 0, "emails_used": 0, "email_accounts": 0,
        "email_accounts_used": 0, "email_forwarders": 0, "email_forwarders_used": 0, "email_quota": -1,
        "email_quota_used": 0, "ftps": 0, "ftps_used": 0, "subdomains": 0, "subdomains_used": 0, "traffic": 0,
        "traffic_used": 0, "documentroot": "", "standardsubdomain": 0, "guid": 0, "ftp_lastaccountnumber": 0,
        "mysql_lastaccountnumber": 0, "deactivated": 0, "phpenabled": 0, "lastlogin_succ": 0,
        "lastlogin_fail": 0, "loginfail_count": 0, "reportsent": 0, "pop3": 0, "imap": 0, "perlenabled": 0,
        "dnsenabled": 0, "theme": "Froxlor", "custom_notes": "", "custom_notes_show": 0, "lepublickey": null,
        "leprivatekey": null, "leregistered": 0, "allowed_phpconfigs": "", "type_2fa": 0, "data_2fa": "",
        "api_allowed": 1, "shell_allowed": 0, "logviewenabled": 0, "allowed_mysqlserver": "", "gui_access": 1,
    }))
}

/// An admin without any resources.
pub(super) fn admin() -> Row {
    Row::of(json!({
        "adminid": 0, "loginname": "", "password": BCRYPT, "name": "", "email": "", "def_language": "en",
        "ip": "-1", "customers": 0, "customers_used": 0, "customers_see_all": 0, "domains": 0, "domains_used": 0,
        "caneditphpsettings": 0, "change_serversettings": 0, "diskspace": 0, "diskspace_used": 0, "mysqls": 0,
        "mysqls_used": 0, "emails": 0, "emails_used": 0, "email_accounts": 0, "email_accounts_used": 0,
        "email_forwarders": 0, "email_forwarders_used": 0, "email_quota": -1, "email_quota_used": 0, "ftps": 0,
        "ftps_used": 0, "subdomains": 0, "subdomains_used": 0, "traffic": 0, "traffic_used": 0, "deactivated": 0,
        "lastlogin_succ": 0, "lastlogin_fail": 0, "loginfail_count": 0, "reportsent": 0, "theme": "Froxlor",
        "custom_notes": "", "custom_notes_show": 0, "type_2fa": 0, "data_2fa": "", "api_allowed": 1,
        "gui_access": 1,
    }))
}

/// The first admin, who may do everything.
pub(super) fn first_admin() -> Row {
    let mut row = admin();
    row.set("adminid", 1);
    row.set("loginname", "admin");
    row.set("name", "Administrator");
    row.set("email", "hostmaster@example.com");
    row.set("custom_notes", Value::Null);
    for column in [
        "customers_see_all",
        "caneditphpsettings",
        "change_serversettings",
    ] {
        row.set(column, 1);
    }
    for column in [
        "customers",
        "domains",
        "mysqls",
        "emails",
        "email_accounts",
        "email_forwarders",
        "ftps",
        "subdomains",
    ] {
        row.set(column, -1);
    }
    row.set("diskspace", -1024);
    row.set("traffic", -1_048_576);
    row
}

/// A domain.
pub(super) fn domain() -> Row {
    Row::of(json!({
        "id": 0, "domain": "", "domain_ace": "", "adminid": 1, "customerid": 0, "aliasdomain": null,
        "documentroot": "", "isbinddomain": 0, "isemaildomain": 0, "email_only": 0, "iswildcarddomain": 1,
        "subcanemaildomain": 0, "caneditdomain": 0, "zonefile": "", "dkim": 0, "dkim_id": 0, "dkim_privkey": "",
        "dkim_pubkey": "", "wwwserveralias": 0, "parentdomainid": 0, "phpenabled": 0, "openbasedir": 0,
        "openbasedir_path": 0, "speciallogfile": 0, "ssl_redirect": 0, "specialsettings": "",
        "ssl_specialsettings": "", "include_specialsettings": 0, "deactivated": 0, "bindserial": "2000010100",
        "add_date": 0, "registration_date": null, "termination_date": null, "phpsettingid": 1,
        "mod_fcgid_starter": -1, "mod_fcgid_maxrequests": -1, "letsencrypt": 0, "hsts": "0", "hsts_sub": 0,
        "hsts_preload": 0, "ocsp_stapling": 0, "http2": 0, "http3": 0, "notryfiles": 0, "writeaccesslog": 1,
        "writeerrorlog": 1, "override_tls": 0, "ssl_protocols": "", "ssl_cipher_list": "",
        "tlsv13_cipher_list": "", "ssl_enabled": 1, "ssl_honorcipherorder": 0, "ssl_sessiontickets": 1,
        "description": "",
    }))
}

/// The address that domains are served on.
pub(super) fn ip_and_port() -> Value {
    json!({
        "id": 1, "ip": "192.0.2.10", "port": 80, "listen_statement": 0, "namevirtualhost_statement": 0,
        "vhostcontainer": 1, "vhostcontainer_servername_statement": 1, "specialsettings": null, "ssl": 0,
        "ssl_cert_file": "", "ssl_key_file": "", "ssl_ca_file": "", "default_vhostconf_domain": null,
        "ssl_cert_chainfile": "", "docroot": "", "ssl_specialsettings": null, "include_specialsettings": 0,
        "ssl_default_vhostconf_domain": null, "include_default_vhostconf_domain": 0,
    })
}

/// An FTP account.
pub(super) fn ftp_user() -> Row {
    Row::of(json!({
        "id": 0, "username": "", "uid": 0, "gid": 0, "password": SHA256_CRYPT, "homedir": "",
        "shell": "/bin/false", "login_enabled": "Y", "login_count": 0, "last_login": null, "up_count": 0,
        "up_bytes": 0, "down_count": 0, "down_bytes": 0, "customerid": 0, "description": "Default",
    }))
}
