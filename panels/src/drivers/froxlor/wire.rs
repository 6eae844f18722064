//! Froxlor's commands and the shapes of their answers; decides nothing.

use std::time::Duration;

use hosting::{DomainName, Month};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::channel::{BULK, Channel, Manner, QUICK, READ, change};
use super::envelope::{Generation, Got, Said};
use super::shapes::{Customer, Domain, PhpConfig, Plan, TrafficRow, TrafficRows, rows};
use crate::http::deadline;
use crate::http::lenient::{items, text, whole};
use crate::{PanelError, ServerSettings};

/// An answer: good, or an error that Froxlor reports; the outer error is everything else.
pub(super) type Outcome<T> = Result<Result<Got<T>, Said>, PanelError>;

/// Parameters of a command.
pub(super) type Params = Map<String, Value>;

/// Rows of one page of a listing.
pub(super) const PAGE: usize = 500;
/// How long a login link is good, in seconds; Froxlor takes 10 to 120.
pub(super) const LINK_SECONDS: u32 = 60;

/// One Froxlor's API.
#[derive(Debug)]
pub(super) struct Wire {
    channel: Channel,
}

impl Wire {
    /// For that server.
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        Ok(Self {
            channel: Channel::new(settings)?,
        })
    }

    /// The generation that the panel was heard to speak; `None` = not heard yet.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.channel.generation()
    }

    /// Sends a command whose answer is read by `read`.
    async fn ask<T>(
        &self,
        command: &str,
        params: Value,
        manner: Manner,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Outcome<T> {
        let outcome = self
            .channel
            .send::<Value>(command, &params, manner, None)
            .await?;
        shaped(outcome, read)
    }

    async fn change(
        &self,
        command: &str,
        params: Params,
        deadline: Duration,
        extra: Option<&SecretString>,
    ) -> Outcome<Customer> {
        let params = Value::Object(params);
        let outcome = self
            .channel
            .send::<Value>(command, &params, change(deadline), extra)
            .await?;
        shaped(outcome, Customer::read)
    }

    pub(super) async fn count_customers(&self) -> Outcome<u64> {
        self.ask("Customers.listingCount", json!({}), QUICK, whole)
            .await
    }

    pub(super) async fn count_admins(&self) -> Outcome<u64> {
        self.ask("Admins.listingCount", json!({}), QUICK, whole)
            .await
    }

    /// The names of the functions of a module, in lower case.
    pub(super) async fn functions(&self, module: &str) -> Outcome<Vec<String>> {
        let params = json!({"module": module});
        self.ask("Froxlor.listFunctions", params, QUICK, |data| {
            let name = |row: &Value| text(row.get("function")?).map(|name| name.to_lowercase());
            items(data).into_iter().map(name).collect()
        })
        .await
    }

    pub(super) async fn customer(&self, login: &str) -> Outcome<Customer> {
        let params = json!({"loginname": login});
        self.ask("Customers.get", params, READ, Customer::read)
            .await
    }

    pub(super) async fn customer_by_id(&self, id: i64) -> Outcome<Customer> {
        let params = json!({"id": id});
        self.ask("Customers.get", params, READ, Customer::read)
            .await
    }

    /// The next page of customers by id. Fields need their `c.`: other tables are joined in.
    pub(super) async fn customers_after(&self, id: i64) -> Outcome<Vec<Customer>> {
        let params = page("c.customerid", id);
        self.ask("Customers.listing", params, BULK, |data| {
            rows(data, Customer::read)
        })
        .await
    }

    /// How many customers have that Unix user id.
    pub(super) async fn sharers_of(&self, guid: i64) -> Outcome<usize> {
        let params = json!({"sql_search": {"c.guid": {"op": "=", "value": guid}}});
        self.ask("Customers.listing", params, READ, |data| {
            let all = rows(data, Customer::read)?;
            // An operator that the version does not know makes the filter vanish without a word.
            Some(all.iter().filter(|one| one.guid == guid).count())
        })
        .await
    }

    pub(super) async fn add_customer(
        &self,
        mut params: Params,
        password: &SecretString,
    ) -> Outcome<Customer> {
        params.insert(
            "new_customer_password".into(),
            json!(password.expose_secret()),
        );
        self.change("Customers.add", params, deadline::CREATE, Some(password))
            .await
    }

    pub(super) async fn update_customer(
        &self,
        login: &str,
        mut params: Params,
    ) -> Outcome<Customer> {
        params.insert("loginname".into(), json!(login));
        self.change("Customers.update", params, deadline::CHANGE, None)
            .await
    }

    pub(super) async fn set_password(
        &self,
        login: &str,
        password: &SecretString,
    ) -> Outcome<Customer> {
        let mut params = Params::new();
        params.insert("loginname".into(), json!(login));
        params.insert(
            "new_customer_password".into(),
            json!(password.expose_secret()),
        );
        self.change("Customers.update", params, deadline::CHANGE, Some(password))
            .await
    }

    pub(super) async fn delete_customer(&self, login: &str) -> Outcome<Customer> {
        let params = object(json!({"loginname": login, "delete_userfiles": 1}));
        self.change("Customers.delete", params, deadline::TERMINATE, None)
            .await
    }

    pub(super) async fn unlock_customer(&self, login: &str) -> Outcome<Customer> {
        let params = object(json!({"loginname": login}));
        self.change("Customers.unlock", params, deadline::CHANGE, None)
            .await
    }

    pub(super) async fn move_customer(&self, login: &str, admin: i64) -> Outcome<Customer> {
        let params = object(json!({"loginname": login, "adminid": admin}));
        self.change("Customers.move", params, deadline::CHANGE, None)
            .await
    }

    /// The names of a customer's FTP users.
    pub(super) async fn ftp_users(&self, login: &str) -> Outcome<Vec<String>> {
        let params = json!({"loginname": login});
        self.ask("Ftps.listing", params, READ, |data| {
            rows(data, |row| text(row.get("username")?))
        })
        .await
    }

    pub(super) async fn domain(&self, name: &DomainName) -> Outcome<Domain> {
        let params = json!({"domainname": unicode(name), "with_ips": 0});
        self.ask("Domains.get", params, READ, Domain::read).await
    }

    pub(super) async fn domains_of(&self, customer: i64) -> Outcome<Vec<Domain>> {
        let params = json!({
            "sql_search": {"d.customerid": {"op": "=", "value": customer}},
            "sql_orderby": {"d.id": "ASC"},
            "with_ips": 0,
        });
        self.ask("Domains.listing", params, READ, |data| {
            rows(data, Domain::read)
        })
        .await
    }

    /// The next page of domains by id.
    pub(super) async fn domains_after(&self, id: i64) -> Outcome<Vec<Domain>> {
        let mut params = page("d.id", id);
        params["with_ips"] = json!(0);
        self.ask("Domains.listing", params, BULK, |data| {
            rows(data, Domain::read)
        })
        .await
    }

    pub(super) async fn add_domain(
        &self,
        name: &DomainName,
        mut params: Params,
    ) -> Outcome<Domain> {
        params.insert("domain".into(), json!(unicode(name)));
        let params = Value::Object(params);
        self.ask(
            "Domains.add",
            params,
            change(deadline::CHANGE),
            Domain::read,
        )
        .await
    }

    pub(super) async fn plans(&self) -> Outcome<Vec<Plan>> {
        self.ask("HostingPlans.listing", json!({}), READ, |data| {
            rows(data, Plan::read)
        })
        .await
    }

    pub(super) async fn php_configs(&self) -> Outcome<Vec<PhpConfig>> {
        self.ask("PhpSettings.listing", json!({}), READ, |data| {
            rows(data, PhpConfig::read)
        })
        .await
    }

    /// The traffic rows of a month, of one customer or of all. Without `customer_traffic` an admin gets
    /// sums of its own. There is no paging.
    pub(super) async fn traffic(
        &self,
        month: Month,
        login: Option<&str>,
    ) -> Outcome<Vec<TrafficRow>> {
        let mut params =
            json!({"customer_traffic": 1, "year": month.year(), "month": month.month()});
        if let Some(login) = login {
            params["loginname"] = json!(login);
        }
        let outcome = self
            .channel
            .send::<TrafficRows>("Traffic.listing", &params, BULK, None)
            .await?;
        Ok(outcome.map(|got| Got {
            value: got.value.list,
            reply: got.reply,
        }))
    }

    /// Base and rest of a link that logs the customer in.
    pub(super) async fn login_link(&self, login: &str) -> Outcome<(String, String)> {
        let params = json!({"loginname": login, "valid_time": LINK_SECONDS});
        self.ask("Froxlor.generateLoginLink", params, QUICK, |data| {
            Some((text(data.get("base")?)?, text(data.get("uri")?)?))
        })
        .await
    }
}

/// Key-set paging: offsets would skip or repeat rows while customers come and go.
fn page(column: &str, after: i64) -> Value {
    json!({
        "sql_search": {column: {"op": ">", "value": after}},
        "sql_orderby": {column: "ASC"},
        "sql_limit": PAGE,
    })
}

/// Froxlor refuses domains in punycode and makes it itself.
fn unicode(name: &DomainName) -> String {
    match idna::domain_to_unicode(name.as_str()) {
        (unicode, Ok(())) => unicode,
        (_, Err(_)) => name.as_str().to_owned(),
    }
}

fn object(value: Value) -> Params {
    match value {
        Value::Object(params) => params,
        _ => Params::new(),
    }
}

fn shaped<T>(outcome: Result<Got<Value>, Said>, read: impl Fn(&Value) -> Option<T>) -> Outcome<T> {
    match outcome {
        Err(said) => Ok(Err(said)),
        Ok(got) => match read(&got.value) {
            Some(value) => Ok(Ok(Got {
                value,
                reply: got.reply,
            })),
            None => Err(got
                .reply
                .unknown("the panel's data is not what the command answers with")),
        },
    }
}
