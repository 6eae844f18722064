//! Servers over HTTP.

use axum::Json;
use axum::extract::State;
use entity::server;
use hosting::{PanelRules, Reference};
use jobs::store::Selector;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::accounts::AccountView;
use super::auth::Auth;
use super::extract::{Params, Part};
use super::jobs::page_size;
use super::rules::{PackageView, RulesView};
use super::{Api, registry_problem};
use crate::caller::{Caller, Scope};
use crate::registry::{self, AccountFilter, ServerUsage};
use crate::times::rfc3339;
use crate::{Problem, shapes};

/// A server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerView {
    /// The operator's name for it.
    name: String,
    /// The driver's name.
    panel: String,
    /// Its own host name, once read.
    host_name: Option<String>,
    /// The panel's time zone: its traffic months are in it.
    time_zone: String,
    /// Why jobs do not start there now, if so.
    #[schema(value_type = shapes::ServerState)]
    state: &'static str,
    /// Until when, where that is known.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// The panel's version.
    version: Option<String>,
    /// When it was checked last.
    #[schema(format = DateTime)]
    checked_at: Option<String>,
    /// What its panel takes: kinds, names, passwords, limits, fields of `account.panel`.
    #[schema(value_type = Option<RulesView>)]
    rules: Option<PanelRules>,
    /// For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<ServerOperatorView>,
}

/// What only operators see of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerOperatorView {
    /// The panel's address.
    url: String,
    /// The API user.
    user: Option<String>,
    /// SPKI pins.
    #[schema(value_type = Vec<String>)]
    pins: Value,
    /// Private networks that its address may lie in.
    #[schema(value_type = Vec<String>)]
    allow_networks: Value,
    /// Whether the nightly statistics visit it.
    enabled: bool,
    /// Minutes after the panel's midnight.
    stats_at: i32,
    /// Most jobs at one time.
    max_jobs: i32,
    /// Most creates at one time.
    max_creates: i32,
    /// Most terminations an hour.
    max_terminates: i32,
    /// Why it is paused.
    pause_reason: Option<String>,
    /// Failures to reach it in a row.
    failures: i32,
    /// What the panel said when it refused the credentials, redacted.
    auth_hold_detail: Option<String>,
    /// What the last check found.
    #[schema(value_type = Vec<String>)]
    check_notes: Value,
}

impl ServerView {
    fn of(row: server::Model, caller: &Caller, now: i64) -> Self {
        let (state, until) = state_of(&row, now);
        let list = |text: Option<&str>| {
            text.and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Array(Vec::new()))
        };
        let operator = caller.sees_all().then(|| ServerOperatorView {
            url: row.url,
            user: row.user,
            pins: list(Some(&row.pins)),
            allow_networks: list(Some(&row.allow_networks)),
            enabled: row.enabled,
            stats_at: row.stats_at,
            max_jobs: row.max_jobs,
            max_creates: row.max_creates,
            max_terminates: row.max_terminates,
            pause_reason: row.pause_reason,
            failures: row.breaker_failures,
            auth_hold_detail: row.auth_hold_detail,
            check_notes: list(row.check_notes.as_deref()),
        });
        Self {
            name: row.name,
            panel: row.panel,
            host_name: row.host_name,
            time_zone: row.time_zone,
            state,
            until: until.map(rfc3339),
            version: row.version,
            checked_at: row.checked_at.map(rfc3339),
            rules: serde_json::from_str(&row.rules).ok(),
            operator,
        }
    }
}

/// Why no jobs start on a server now, by the strongest reason.
fn state_of(row: &server::Model, now: i64) -> (&'static str, Option<i64>) {
    let later = |at: Option<i64>| at.filter(|at| *at > now);
    let window = row.maintenance_from.is_some_and(|from| from <= now);
    if row.paused && row.paused_until.is_none_or(|until| until > now) {
        ("paused", row.paused_until)
    } else if window && later(row.maintenance_until).is_some() {
        ("maintenance", row.maintenance_until)
    } else if row.auth_hold_since.is_some() {
        ("auth_hold", None)
    } else if row.breaker_probe_at.is_some() {
        ("breaker_open", later(row.breaker_probe_at))
    } else if later(row.cool_until).is_some() {
        ("cooling_down", row.cool_until)
    } else {
        ("open", None)
    }
}

/// The servers that the token may touch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerList {
    /// By name.
    items: Vec<ServerView>,
}

/// The servers that the token may touch, by name.
#[utoipa::path(
    get, path = "/v1/servers", tag = "servers", operation_id = "list_servers",
    responses((status = 200, description = "Those servers", body = ServerList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Auth(caller): Auth,
) -> Result<Json<ServerList>, Problem> {
    caller.need(Scope::Read)?;
    let now = api.store.now().await?;
    let rows = registry::servers(&api.store)
        .await
        .map_err(registry_problem)?;
    let items = rows
        .into_iter()
        .filter(|row| caller.may_touch(&row.name))
        .map(|row| ServerView::of(row, &caller, now))
        .collect();
    Ok(Json(ServerList { items }))
}

/// One server.
#[utoipa::path(
    get, path = "/v1/servers/{name}", tag = "servers", operation_id = "get_server",
    params(("name" = String, Path, description = "The server", example = "web1")),
    responses(
        (status = 200, description = "The server", body = ServerView),
        (status = 404, description = "None, or not this token's"),
    ),
)]
pub(crate) async fn one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(name): Part,
) -> Result<Json<ServerView>, Problem> {
    caller.need(Scope::Read)?;
    let row = api.server_of(&caller, &name).await?;
    let now = api.store.now().await?;
    Ok(Json(ServerView::of(row, &caller, now)))
}

/// A server's packages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PackageList {
    /// By name.
    #[schema(value_type = Vec<PackageView>)]
    items: Vec<Value>,
    /// When they were read; null = never, run `get_server_config`.
    #[schema(format = DateTime)]
    as_of: Option<String>,
}

/// A server's packages as `get_server_config` read them last.
#[utoipa::path(
    get, path = "/v1/servers/{name}/packages", tag = "servers", operation_id = "list_packages",
    params(("name" = String, Path, description = "The server", example = "web1")),
    responses((status = 200, description = "Its packages", body = PackageList)),
)]
pub(crate) async fn packages(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(name): Part,
) -> Result<Json<PackageList>, Problem> {
    caller.need(Scope::Read)?;
    let row = api.server_of(&caller, &name).await?;
    let config: Option<Value> = row
        .config
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let items = config
        .and_then(|mut config| config.get_mut("packages").map(Value::take))
        .and_then(|packages| match packages {
            Value::Array(items) => Some(items),
            _ => None,
        })
        .unwrap_or_default();
    Ok(Json(PackageList {
        items,
        as_of: row.config_at.map(rfc3339),
    }))
}

/// Which accounts to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountsQuery {
    /// Only in this state.
    #[param(value_type = Option<shapes::AccountState>)]
    state: Option<String>,
    /// Accounts on a page, 1 to 200; 50 if not set.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountList {
    /// The accounts, oldest first.
    items: Vec<AccountView>,
    /// Where the next page begins; null = there is none.
    next_cursor: Option<String>,
}

/// The platform's accounts on a server.
#[utoipa::path(
    get, path = "/v1/servers/{name}/accounts", tag = "servers", operation_id = "list_accounts",
    params(("name" = String, Path, description = "The server", example = "web1"), AccountsQuery),
    responses((status = 200, description = "A page of accounts", body = AccountList)),
)]
pub(crate) async fn accounts(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(name): Part,
    Params(query): Params<AccountsQuery>,
) -> Result<Json<AccountList>, Problem> {
    caller.need(Scope::Read)?;
    let server = api.server_of(&caller, &name).await?;
    let after = match &query.cursor {
        Some(cursor) => {
            let row = registry::account_by_id(&api.store, cursor).await?;
            let row = row.filter(|row| caller.sees_platform(row.platform_id));
            Some(row.ok_or_else(|| {
                Problem::field("cursor", "is not a next_cursor of this list; begin again")
            })?)
        }
        None => None,
    };
    let state = query
        .state
        .map(|text| {
            serde_json::from_value(Value::String(text))
                .map_err(|_| Problem::field("state", "is not a state of an account"))
        })
        .transpose()?;
    let filter = AccountFilter {
        platform_id: (!caller.sees_all()).then_some(caller.platform_id),
        servers: Some(vec![server.id]),
        state,
        id: None,
        after: after.map(|row| row.id),
        limit: page_size(query.limit)?,
    };
    let page = registry::accounts(&api.store, &filter).await?;
    let next_cursor = page
        .items
        .last()
        .filter(|_| page.more)
        .map(|row| row.public_id.clone());
    let items = page
        .items
        .iter()
        .map(|row| AccountView::of(row, &server.name))
        .collect();
    Ok(Json(AccountList { items, next_cursor }))
}

/// Which month, and of which accounts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// `YYYY-MM`; if not set, the current one in the panel's time zone.
    #[param(value_type = Option<shapes::Month>)]
    month: Option<String>,
    /// Only of the live account with this reference.
    reference: Option<String>,
}

/// The month's use of all the platform's accounts on a server, in one call.
#[utoipa::path(
    get, path = "/v1/servers/{name}/usage", tag = "usage", operation_id = "get_server_usage",
    params(("name" = String, Path, description = "The server", example = "web1"), UsageQuery),
    responses((status = 200, description = "One for each account", body = Vec<ServerUsage>)),
)]
pub(crate) async fn usage(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(name): Part,
    Params(query): Params<UsageQuery>,
) -> Result<Json<Vec<ServerUsage>>, Problem> {
    caller.need(Scope::Traffic)?;
    let server = api.server_of(&caller, &name).await?;
    let month = match &query.month {
        Some(text) => super::usage::month_of("month", text)?,
        None => super::usage::month_now(&api, Some(&server)).await?,
    };
    let id = match &query.reference {
        Some(reference) => match api.row_of_reference(&caller, reference).await? {
            Some(id) => Some(id),
            None => return Ok(Json(Vec::new())),
        },
        None => None,
    };
    let filter = AccountFilter {
        platform_id: (!caller.sees_all()).then_some(caller.platform_id),
        servers: Some(vec![server.id]),
        id,
        ..AccountFilter::default()
    };
    let rows = registry::month_usage(&api.store, month, &filter).await?;
    Ok(Json(rows.iter().map(ServerUsage::from).collect()))
}

impl Api {
    /// The row of the caller's live account with that reference.
    async fn row_of_reference(
        &self,
        caller: &Caller,
        reference: &str,
    ) -> Result<Option<i64>, Problem> {
        let parsed = reference.parse::<Reference>();
        let reference = parsed.map_err(|error| Problem::field("reference", error.why))?;
        let which = Selector::Reference {
            platform_id: caller.platform_id,
            reference,
        };
        Ok(self.store.account(&which).await?.map(|row| row.id))
    }

    /// The server of that name, if the caller may touch it.
    pub(crate) async fn server_of(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<server::Model, Problem> {
        if !caller.may_touch(name) {
            return Err(Problem::not_found("such server"));
        }
        registry::server_named(&self.store, name)
            .await
            .map_err(registry_problem)
    }
}
