//! WHM's functions: names, parameters, deadlines. No decisions.

use std::time::Duration;

use hosting::{DomainName, Month, PackageName, Username};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::envelope::{self, Answer};
use super::listings::{DiskList, TrafficList};
use crate::http::{Body, Call, Effect, LISTING_CAP, Method, PanelClient, deadline};
use crate::{PanelError, ServerSettings};

/// WHM's TLS port.
pub(super) const PORT: u16 = 2087;

/// One server's WHM API 1.
pub(super) struct Wire {
    client: PanelClient,
    authorization: SecretString,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.client.fmt(f)
    }
}

type Fields<'a> = &'a [(&'a str, &'a str)];

impl Wire {
    /// `user` is root or the reseller whose token it is.
    pub(super) fn new(settings: &ServerSettings, user: &str) -> Result<Self, PanelError> {
        // Access keys of older servers are shown in several lines; they are sent in one.
        let token: String = settings.secret.expose_secret().split_whitespace().collect();
        Ok(Self {
            client: PanelClient::new(settings, PORT)?,
            authorization: format!("whm {user}:{token}").into(),
        })
    }

    pub(super) async fn version(&self) -> Result<Answer, PanelError> {
        self.read("version", &[], deadline::QUICK).await
    }

    pub(super) async fn myprivs(&self) -> Result<Answer, PanelError> {
        self.read("myprivs", &[], deadline::QUICK).await
    }

    pub(super) async fn applist(&self) -> Result<Answer, PanelError> {
        self.read("applist", &[], deadline::QUICK).await
    }

    pub(super) async fn minimum_password_strength(&self) -> Result<Answer, PanelError> {
        let fields = [("name", "createacct")];
        self.read("getminimumpasswordstrengths", &fields, deadline::QUICK)
            .await
    }

    pub(super) async fn current_users_count(&self) -> Result<Answer, PanelError> {
        self.read("get_current_users_count", &[], deadline::QUICK)
            .await
    }

    pub(super) async fn maximum_users(&self) -> Result<Answer, PanelError> {
        self.read("get_maximum_users", &[], deadline::QUICK).await
    }

    pub(super) async fn accountsummary(&self, user: &Username) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.read("accountsummary", &[("user", &user)], deadline::READ)
            .await
    }

    /// Without a search: every account that the token may see.
    pub(super) async fn listaccts(&self) -> Result<Answer, PanelError> {
        self.list("listaccts", &[]).await
    }

    pub(super) async fn listpkgs(&self) -> Result<Answer, PanelError> {
        self.list("listpkgs", &[]).await
    }

    pub(super) async fn listips(&self) -> Result<Answer, PanelError> {
        self.list("listips", &[]).await
    }

    pub(super) async fn getpkginfo(&self, package: &PackageName) -> Result<Answer, PanelError> {
        let fields = [("pkg", package.as_str())];
        self.read("getpkginfo", &fields, deadline::READ).await
    }

    pub(super) async fn getdomainowner(&self, domain: &DomainName) -> Result<Answer, PanelError> {
        let fields = [("domain", domain.as_str())];
        self.read("getdomainowner", &fields, deadline::READ).await
    }

    pub(super) async fn verify_new_username(&self, user: &Username) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.read("verify_new_username", &[("user", &user)], deadline::READ)
            .await
    }

    /// Traffic of all accounts in that month.
    pub(super) async fn showbw(&self, month: Month) -> Result<Answer<TrafficList>, PanelError> {
        let (year, month) = (month.year().to_string(), month.month().to_string());
        let fields = [("year", year.as_str()), ("month", &month)];
        self.listing("showbw", &fields, TrafficList::odd).await
    }

    /// Traffic of one account; without a month, of the panel's current one.
    pub(super) async fn showbw_of(
        &self,
        user: &Username,
        month: Option<Month>,
    ) -> Result<Answer, PanelError> {
        // The search is a regular expression, and without its type it is ignored.
        let search = format!("^{}$", lower(user).replace('.', "\\.").replace('-', "\\-"));
        let mut fields = vec![("searchtype", "user"), ("search", &search)];
        let asked = month.map(|month| (month.year().to_string(), month.month().to_string()));
        if let Some((year, month)) = &asked {
            fields.extend([("year", year.as_str()), ("month", month.as_str())]);
        }
        self.read("showbw", &fields, deadline::BULK).await
    }

    pub(super) async fn get_disk_usage(&self) -> Result<Answer<DiskList>, PanelError> {
        let fields = [("cache_mode", "on")];
        self.listing("get_disk_usage", &fields, DiskList::odd).await
    }

    /// `fields` hold the password, which is also named so that no text shows it.
    pub(super) async fn createacct(
        &self,
        fields: Fields<'_>,
        password: &SecretString,
    ) -> Result<Answer, PanelError> {
        self.change_with("createacct", fields, deadline::CREATE, &[password])
            .await
    }

    pub(super) async fn suspendacct(
        &self,
        user: &Username,
        reason: &str,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.change("suspendacct", &[("user", &user), ("reason", reason)])
            .await
    }

    pub(super) async fn unsuspendacct(&self, user: &Username) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.change("unsuspendacct", &[("user", &user)]).await
    }

    pub(super) async fn removeacct(&self, user: &Username) -> Result<Answer, PanelError> {
        let user = lower(user);
        // New versions read `username`, old ones `user`.
        let fields = [("username", user.as_str()), ("user", &user)];
        self.change_with("removeacct", &fields, deadline::TERMINATE, &[])
            .await
    }

    pub(super) async fn changepackage(
        &self,
        user: &Username,
        package: &PackageName,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        let fields = [("user", user.as_str()), ("pkg", package.as_str())];
        self.change("changepackage", &fields).await
    }

    /// `quota` in MB or `unlimited`.
    pub(super) async fn editquota(
        &self,
        user: &Username,
        quota: &str,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.change("editquota", &[("user", &user), ("quota", quota)])
            .await
    }

    /// `bwlimit` in MB or `unlimited`; an argument, because WHM takes its absence for unlimited.
    pub(super) async fn limitbw(
        &self,
        user: &Username,
        bwlimit: &str,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.change("limitbw", &[("user", &user), ("bwlimit", bwlimit)])
            .await
    }

    /// Names are case-sensitive; WHM ignores those that it does not know.
    pub(super) async fn modifyacct(
        &self,
        user: &Username,
        changes: Fields<'_>,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        let fields: Vec<_> = [("user", user.as_str())]
            .into_iter()
            .chain(changes.iter().copied())
            .collect();
        self.change("modifyacct", &fields).await
    }

    pub(super) async fn setsiteip(
        &self,
        user: &Username,
        address: &str,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        self.change("setsiteip", &[("user", &user), ("ip", address)])
            .await
    }

    pub(super) async fn passwd(
        &self,
        user: &Username,
        password: &SecretString,
    ) -> Result<Answer, PanelError> {
        let user = lower(user);
        let fields = [
            ("user", user.as_str()),
            ("password", password.expose_secret()),
        ];
        self.change_with("passwd", &fields, deadline::CHANGE, &[password])
            .await
    }

    /// Makes a session, which is nothing that a second call would spoil: a read in its effect.
    pub(super) async fn create_user_session(&self, user: &Username) -> Result<Answer, PanelError> {
        let user = lower(user);
        let fields = [
            ("user", user.as_str()),
            ("service", "cpaneld"),
            ("api.version", "1"),
        ];
        let path = path("create_user_session");
        let call = Call {
            method: Method::POST,
            body: Body::Form(&fields),
            deadline: deadline::QUICK,
            ..Call::read("create_user_session", &path, &self.authorization)
        };
        self.send(call).await
    }

    async fn read(
        &self,
        function: &str,
        fields: Fields<'_>,
        deadline: Duration,
    ) -> Result<Answer, PanelError> {
        let query = with_version(fields);
        let path = path(function);
        let call = Call {
            query: &query,
            deadline,
            ..Call::read(function, &path, &self.authorization)
        };
        self.send(call).await
    }

    /// A listing whose rows are read in place.
    async fn listing<T: DeserializeOwned>(
        &self,
        function: &str,
        fields: Fields<'_>,
        odd: fn(&Value) -> T,
    ) -> Result<Answer<T>, PanelError> {
        let query = with_version(fields);
        let path = path(function);
        let call = Call {
            query: &query,
            deadline: deadline::BULK,
            cap: LISTING_CAP,
            ..Call::read(function, &path, &self.authorization)
        };
        envelope::open_listing(self.client.send(call).await?, Effect::Read, odd)
    }

    async fn list(&self, function: &str, fields: Fields<'_>) -> Result<Answer, PanelError> {
        let query = with_version(fields);
        let path = path(function);
        let call = Call {
            query: &query,
            deadline: deadline::BULK,
            cap: LISTING_CAP,
            ..Call::read(function, &path, &self.authorization)
        };
        self.send(call).await
    }

    async fn change(&self, function: &str, fields: Fields<'_>) -> Result<Answer, PanelError> {
        self.change_with(function, fields, deadline::CHANGE, &[])
            .await
    }

    async fn change_with(
        &self,
        function: &str,
        fields: Fields<'_>,
        deadline: Duration,
        secrets: &[&SecretString],
    ) -> Result<Answer, PanelError> {
        let form = with_version(fields);
        let path = path(function);
        let call = Call {
            body: Body::Form(&form),
            deadline,
            secrets,
            ..Call::change(function, &path, &self.authorization)
        };
        self.send(call).await
    }

    async fn send(&self, call: Call<'_>) -> Result<Answer, PanelError> {
        let effect: Effect = call.effect;
        envelope::open(self.client.send(call).await?, effect)
    }
}

fn path(function: &str) -> String {
    format!("/json-api/{function}")
}

/// Without it WHM answers in API 0.
fn with_version<'a>(fields: Fields<'a>) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .copied()
        .chain([("api.version", "1")])
        .collect()
}

/// WHM keeps names in lower case and compares them so.
pub(super) fn lower(user: &Username) -> String {
    user.as_str().to_ascii_lowercase()
}
