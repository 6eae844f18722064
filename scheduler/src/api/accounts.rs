//! Accounts over HTTP.

use axum::Json;
use axum::extract::State;
use chrono_tz::Tz;
use entity::{account, server};
use hosting::{Limit, Limits};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Auth;
use super::extract::{Params, Part};
use super::usage::{month_now, month_of};
use super::view::AccountRef;
use crate::caller::{Caller, Scope};
use crate::registry::MonthState;
use crate::times::rfc3339;
use crate::{Problem, registry, shapes};

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    /// Who it is.
    #[serde(flatten)]
    account: AccountRef,
    /// Its server's name.
    server: String,
    /// The owner's mail address.
    email: Option<String>,
    /// The package.
    package: Option<String>,
    /// Limits over its package.
    #[schema(value_type = shapes::Limits)]
    limits: Limits,
    /// Whether it has an address of its own.
    dedicated_ip: bool,
    /// Its main address.
    address: Option<String>,
    /// `us`, `others`, or `overuse` when it is for its traffic alone, while suspended.
    suspended_by: Option<String>,
    /// Why, while suspended.
    suspend_reason: Option<String>,
    /// The month whose traffic is used up, while it is suspended for that, be it alone or besides.
    #[schema(value_type = Option<shapes::Month>)]
    overuse_month: Option<String>,
    /// Disk use in bytes at the last reading.
    disk_bytes: Option<i64>,
    /// In how many nights in a row the panel did not report it; from three on it is rather gone.
    missing_nights: i32,
    /// When Hostler came to know it.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it changed last.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it was terminated.
    #[schema(format = DateTime)]
    terminated_at: Option<String>,
}

impl AccountView {
    pub(crate) fn of(row: &account::Model, server: &str) -> Self {
        Self {
            account: AccountRef::of(row),
            server: server.to_owned(),
            email: row.email.clone(),
            package: row.package.clone(),
            limits: serde_json::from_str(&row.limits).unwrap_or_default(),
            dedicated_ip: row.dedicated_ip,
            address: row.address.clone(),
            suspended_by: row.suspended_by.clone(),
            suspend_reason: row.suspend_reason.clone(),
            overuse_month: row.overuse_month.clone(),
            disk_bytes: row.disk_bytes,
            missing_nights: row.missing_nights,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
            terminated_at: row.terminated_at.map(rfc3339),
        }
    }
}

/// One account.
#[utoipa::path(
    get, path = "/v1/accounts/{id}", tag = "accounts", operation_id = "get_account",
    params(("id" = String, Path, description = "The account")),
    responses(
        (status = 200, description = "The account", body = AccountView),
        (status = 404, description = "None, or another platform's"),
    ),
)]
pub(crate) async fn one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
) -> Result<Json<AccountView>, Problem> {
    caller.need(Scope::Read)?;
    let (row, server) = api.account_by_id(&caller, &id).await?;
    Ok(Json(AccountView::of(&row, &server.name)))
}

/// Which months.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MonthsQuery {
    /// First month, `YYYY-MM`; if not set, a year before the last one.
    #[param(value_type = Option<shapes::Month>)]
    from: Option<String>,
    /// Last month; if not set, the current one.
    #[param(value_type = Option<shapes::Month>)]
    to: Option<String>,
}

/// An account's traffic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrafficView {
    /// Whose.
    account: AccountRef,
    /// One row a month.
    months: Vec<MonthView>,
    /// What was booked, oldest first.
    ledger: Vec<LedgerView>,
    /// What the panel reported, oldest first.
    readings: Vec<ReadingView>,
    /// Traffic by the panel's dates, oldest first; a date without any is not there.
    days: Vec<DayView>,
}

/// An account's month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MonthView {
    #[schema(value_type = shapes::Month)]
    month: String,
    /// `open`; `closing`: over on the panel, not closed yet; `closed`.
    state: &'static str,
    /// = the sum of the booked deltas.
    total_bytes: i64,
    /// What of it operators have added by hand; less than zero: taken away.
    corrected_bytes: i64,
    /// A number or `unlimited`.
    #[schema(value_type = Option<shapes::Limit>)]
    traffic_limit_mb: Option<hosting::Limit>,
    /// How often the panel's counter began again.
    resets: i32,
    /// `drop`, `missing_final`, `implausible`: an operator should look.
    flag: Option<String>,
    /// The panel's figure that was flagged.
    flagged_bytes: Option<i64>,
    /// What came in after the month was closed, not booked.
    late_bytes: i64,
    /// When it was closed.
    #[schema(format = DateTime)]
    closed_at: Option<String>,
    /// When the last reading was taken.
    #[schema(format = DateTime)]
    as_of: String,
}

/// A line of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerView {
    #[schema(value_type = shapes::Month)]
    month: String,
    /// `delta`, `reset`, `correction`, `reopened`.
    entry: String,
    delta_bytes: i64,
    /// The month's total afterwards.
    total_bytes: i64,
    #[schema(format = DateTime)]
    booked_at: String,
    /// Who booked it.
    actor: String,
    /// Why, for corrections and re-openings.
    note: Option<String>,
}

/// A figure as the panel reported it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadingView {
    #[schema(value_type = shapes::Month)]
    month: String,
    traffic_bytes: Option<i64>,
    disk_bytes: Option<i64>,
    #[schema(format = DateTime)]
    read_at: String,
    /// `drop`, `reset`, `implausible`, `final`, `closed_month`, ...
    flag: Option<String>,
}

/// A day of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayView {
    /// The panel's date.
    #[schema(format = Date)]
    date: String,
    traffic_bytes: i64,
    /// `panel`: its own figure of the day; `derived`: what was booked at that day's readings.
    source: String,
    /// How many days it covers, this one as the last: more than 1 after nights without a reading.
    span_days: i32,
    /// When the last figure that went into it was read.
    #[schema(format = DateTime)]
    as_of: String,
}

/// An account's traffic: months, booked deltas, resets, corrections, readings.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/traffic", tag = "usage", operation_id = "get_account_traffic",
    params(("id" = String, Path, description = "The account"), MonthsQuery),
    responses((status = 200, description = "Its traffic", body = TrafficView)),
)]
pub(crate) async fn traffic(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    Params(query): Params<MonthsQuery>,
) -> Result<Json<TrafficView>, Problem> {
    caller.need(Scope::Traffic)?;
    let (row, server) = api.account_by_id(&caller, &id).await?;
    let to = match &query.to {
        Some(text) => month_of("to", text)?,
        None => month_now(&api, Some(&server)).await?,
    };
    let from = match &query.from {
        Some(text) => month_of("from", text)?,
        None => (0..12).fold(to, |month, _| month.previous()),
    };
    if from > to {
        return Err(Problem::field("from", "must not be after `to`"));
    }
    let traffic = registry::account_traffic(&api.store, row.id, from, to).await?;
    let now = api.store.now().await?;
    Ok(Json(TrafficView::of(&row, &server, traffic, now)))
}

impl TrafficView {
    fn of(
        row: &account::Model,
        server: &server::Model,
        traffic: registry::Traffic,
        now: i64,
    ) -> Self {
        let zone: Tz = server.time_zone.parse().unwrap_or(Tz::UTC);
        let state = |month: &str, closed_at| {
            let month = month.parse();
            month.map_or("closed", |month| {
                MonthState::of(month, closed_at, zone, now).name()
            })
        };
        let months = traffic.months.into_iter().map(|row| MonthView {
            state: state(&row.month, row.closed_at),
            month: row.month,
            total_bytes: row.total_bytes,
            corrected_bytes: row.corrected_bytes,
            traffic_limit_mb: row.traffic_limit_mb.map(Limit::from_column),
            resets: row.resets,
            flag: row.flag,
            flagged_bytes: row.flagged_raw,
            late_bytes: row.late_bytes,
            closed_at: row.closed_at.map(rfc3339),
            as_of: rfc3339(row.as_of),
        });
        let ledger = traffic.ledger.into_iter().map(|row| LedgerView {
            month: row.month,
            entry: row.entry,
            delta_bytes: row.delta_bytes,
            total_bytes: row.total_bytes,
            booked_at: rfc3339(row.booked_at),
            actor: row.actor,
            note: row.note,
        });
        let readings = traffic.readings.into_iter().map(|row| ReadingView {
            month: row.month,
            traffic_bytes: row.traffic_bytes,
            disk_bytes: row.disk_bytes,
            read_at: rfc3339(row.read_at),
            flag: row.flag,
        });
        let days = traffic.days.into_iter().map(|row| DayView {
            date: row.date,
            traffic_bytes: row.bytes,
            source: row.source,
            span_days: row.span_days,
            as_of: rfc3339(row.as_of),
        });
        Self {
            account: AccountRef::of(row),
            months: months.collect(),
            ledger: ledger.collect(),
            readings: readings.collect(),
            days: days.collect(),
        }
    }
}

impl Api {
    /// An account and its server, if the caller may see them.
    async fn account_by_id(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(account::Model, server::Model), Problem> {
        let none = || Problem::not_found("such account");
        let row = registry::account_by_id(&self.store, id).await?;
        let row = row
            .filter(|row| caller.sees_platform(row.platform_id))
            .ok_or_else(none)?;
        let server = server::Entity::find_by_id(row.server_id)
            .one(self.store.reader())
            .await?;
        let server = server
            .filter(|server| caller.may_touch(&server.name))
            .ok_or_else(none)?;
        Ok((row, server))
    }
}
