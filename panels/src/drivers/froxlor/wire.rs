//! Froxlor's commands and the shapes of their answers; decides nothing.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hosting::{DomainName, Month};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::envelope::{Generation, Got, Judged, Said, judge, without_records};
use super::shapes::{Customer, Domain, PhpConfig, Plan, TrafficRow, TrafficRows, rows};
use crate::http::lenient::{items, text, whole};
use crate::http::{Body, Call, Effect, LIFECYCLE_CAP, LISTING_CAP, Method, PanelClient, deadline};
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
pub(super) struct Wire {
    client: PanelClient,
    path: &'static str,
    key: SecretString,
    secret: SecretString,
    basic: SecretString,
    generation: AtomicU8,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("client", &self.client)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

/// How one call is made.
#[derive(Clone, Copy)]
struct Manner {
    effect: Effect,
    deadline: Duration,
    cap: usize,
}

const READ: Manner = manner(Effect::Read, deadline::READ, LIFECYCLE_CAP);
const QUICK: Manner = manner(Effect::Read, deadline::QUICK, LIFECYCLE_CAP);
const BULK: Manner = manner(Effect::Read, deadline::BULK, LISTING_CAP);
const CHANGE: Manner = manner(Effect::Change, deadline::CHANGE, LIFECYCLE_CAP);

const fn manner(effect: Effect, deadline: Duration, cap: usize) -> Manner {
    Manner {
        effect,
        deadline,
        cap,
    }
}

impl Wire {
    /// For that server. Its address may be the panel's or the whole one of `api.php`.
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        let key = settings.user.as_deref().unwrap_or_default().trim();
        let secret = settings.secret.expose_secret();
        if key.is_empty() || secret.is_empty() || key.contains(':') {
            let why = "froxlor needs an API key as the user and its secret as the secret";
            return Err(PanelError::refused("server_settings", why));
        }
        let whole = settings.url.trim().trim_end_matches('/').ends_with(".php");
        Ok(Self {
            client: PanelClient::new(settings, 443)?,
            path: if whole { "" } else { "/api.php" },
            basic: format!("Basic {}", STANDARD.encode(format!("{key}:{secret}"))).into(),
            key: key.to_owned().into(),
            secret: settings.secret.clone(),
            generation: AtomicU8::new(0),
        })
    }

    /// The generation that the panel was heard to speak; `None` = not heard yet.
    pub(super) fn generation(&self) -> Option<Generation> {
        match self.generation.load(Ordering::Relaxed) {
            1 => Some(Generation::Modern),
            2 => Some(Generation::Legacy),
            _ => None,
        }
    }

    fn remember(&self, generation: Option<Generation>) {
        let code = match generation {
            None => 0,
            Some(Generation::Modern) => 1,
            Some(Generation::Legacy) => 2,
        };
        self.generation.store(code, Ordering::Relaxed);
    }

    /// Sends a command in the panel's generation.
    ///
    /// The rule: a read on first use goes out as 2.x; an answer with `status_message` comes from 0.10,
    /// which refuses a body without its `header` before it looks at credentials, and the read is put
    /// again in that form. A change never finds out: a read does so first. A panel that was upgraded
    /// meanwhile refuses the other form's body as well; nothing was done then, and the next read finds out.
    async fn send<T: DeserializeOwned>(
        &self,
        command: &str,
        params: &Value,
        manner: Manner,
        extra: Option<&SecretString>,
    ) -> Outcome<T> {
        if manner.effect == Effect::Change && self.generation().is_none() {
            // Whatever Froxlor says to it, it says it in its generation.
            let _heard = self.count_customers().await?;
        }
        let first = self.generation().unwrap_or(Generation::Modern);
        let judged = self.post(first, command, params, manner, extra).await?;
        let spoken = match (judged.spoken, &judged.outcome) {
            (Some(spoken), outcome) if spoken != first && refused_whole(outcome) => spoken,
            (spoken, _) => {
                if self.generation().is_none() {
                    self.remember(spoken);
                }
                return judged.outcome;
            }
        };
        self.remember(Some(spoken));
        match manner.effect {
            Effect::Read => {
                let again = self.post(spoken, command, params, manner, extra).await?;
                again.outcome
            }
            Effect::Change => judged.outcome.and_then(|outcome| match outcome {
                Err(said) => Err(PanelError::Transient(said.reply.detail(
                    "Froxlor speaks another version of its API than before; nothing was done",
                ))),
                good => Ok(good),
            }),
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        generation: Generation,
        command: &str,
        params: &Value,
        manner: Manner,
        extra: Option<&SecretString>,
    ) -> Result<Judged<T>, PanelError> {
        let (key, secret) = (self.key.expose_secret(), self.secret.expose_secret());
        let body = generation.request(key, secret, command, params);
        let secrets: Vec<&SecretString> =
            [&self.key, &self.secret].into_iter().chain(extra).collect();
        let call = Call {
            name: command,
            method: Method::POST,
            path: self.path,
            query: &[],
            body: Body::Json(&body),
            authorization: &self.basic,
            secrets: &secrets,
            effect: manner.effect,
            deadline: manner.deadline,
            cap: manner.cap,
        };
        let reply = self.client.send(call).await.map_err(without_records)?;
        let judged = judge(reply);
        Ok(Judged {
            outcome: judged.outcome.map_err(without_records),
            ..judged
        })
    }

    /// Sends a command whose answer is read by `read`.
    async fn ask<T>(
        &self,
        command: &str,
        params: Value,
        manner: Manner,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Outcome<T> {
        let outcome = self.send::<Value>(command, &params, manner, None).await?;
        shaped(outcome, read)
    }

    async fn change(
        &self,
        command: &str,
        params: Params,
        deadline: Duration,
        extra: Option<&SecretString>,
    ) -> Outcome<Customer> {
        let manner = Manner { deadline, ..CHANGE };
        let outcome = self
            .send::<Value>(command, &Value::Object(params), manner, extra)
            .await?;
        shaped(outcome, Customer::read)
    }

    pub(super) async fn count_customers(&self) -> Outcome<u64> {
        // Boxed because `send` calls this, and this calls `send`.
        let params = json!({});
        Box::pin(self.ask("Customers.listingCount", params, QUICK, whole)).await
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
        self.ask("Domains.add", params, CHANGE, Domain::read).await
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

/// Whether Froxlor refused a request as a whole, because it is not of its generation.
fn refused_whole<T>(outcome: &Result<Result<Got<T>, Said>, PanelError>) -> bool {
    match outcome {
        Ok(Err(said)) => said.reply.status == 400,
        _ => false,
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
