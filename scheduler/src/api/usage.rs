//! A month's traffic over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::server;
use hosting::{Limit, Month};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Auth;
use super::extract::Params;
use crate::Problem;
use crate::caller::Scope;
use crate::registry::{self, AccountFilter, UsageRow};
use crate::times::{rfc3339, whole_mb};

/// Which month.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MonthQuery {
    /// `YYYY-MM`; if not set, the current one in the panel's time zone.
    pub(crate) month: Option<String>,
}

/// An account's use, as billing platforms want it. What is not known is null, never zero.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerUsage {
    username: String,
    domain: Option<String>,
    reference: Option<String>,
    /// Whole MB (2^20 bytes).
    disk_mb: Option<u64>,
    /// A number or `unlimited`.
    #[schema(value_type = Option<Object>)]
    disk_limit_mb: Option<Limit>,
    /// Whole MB (2^20 bytes).
    traffic_mb: Option<u64>,
    /// A number or `unlimited`.
    #[schema(value_type = Option<Object>)]
    traffic_limit_mb: Option<Limit>,
    /// When the last reading was taken.
    as_of: Option<String>,
    disk_bytes: Option<i64>,
    traffic_bytes: Option<i64>,
}

impl ServerUsage {
    pub(crate) fn of(row: &UsageRow) -> Self {
        let bytes = row.usage.as_ref().map(|usage| usage.total_bytes);
        Self {
            username: row.account.username.clone(),
            domain: row.account.domain.clone(),
            reference: row.account.reference.clone(),
            disk_mb: row.disk_bytes.map(whole_mb),
            disk_limit_mb: row.disk_limit,
            traffic_mb: bytes.map(whole_mb),
            traffic_limit_mb: row.traffic_limit,
            as_of: row.usage.as_ref().map(|usage| rfc3339(usage.as_of)),
            disk_bytes: row.disk_bytes,
            traffic_bytes: bytes,
        }
    }
}

/// Which month, and how it is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `YYYY-MM`; if not set, the current one (UTC).
    month: Option<String>,
    /// `json` (the usual) or `csv`.
    format: Option<String>,
}

/// A month of all accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MonthUsage {
    month: String,
    /// By account.
    items: Vec<AccountMonth>,
}

/// An account's month with its overage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountMonth {
    account_id: String,
    server: String,
    #[serde(flatten)]
    usage: ServerUsage,
    /// Beyond the limit; null when traffic or limit is not known.
    overage_bytes: Option<i64>,
    /// Whole MB (2^20 bytes).
    overage_mb: Option<u64>,
    /// How often the panel's counter began again.
    resets: Option<i32>,
    /// An operator should look.
    flag: Option<String>,
    /// What came in after the month was closed, not booked.
    late_bytes: Option<i64>,
    /// When it was closed.
    closed_at: Option<String>,
}

impl AccountMonth {
    fn of(row: &UsageRow) -> Self {
        let overage = row.overage_bytes();
        let month = row.usage.as_ref();
        Self {
            account_id: row.account.public_id.clone(),
            server: row.server.clone(),
            usage: ServerUsage::of(row),
            overage_bytes: overage,
            overage_mb: overage.map(whole_mb),
            resets: month.map(|month| month.resets),
            flag: month.and_then(|month| month.flag.clone()),
            late_bytes: month.map(|month| month.late_bytes),
            closed_at: month.and_then(|month| month.closed_at).map(rfc3339),
        }
    }
}

/// Every account's traffic and overage of a month.
#[utoipa::path(
    get, path = "/v1/usage", tag = "usage", params(ExportQuery),
    responses((status = 200, body = MonthUsage, description = "JSON, or CSV where asked for")),
)]
pub(crate) async fn month(
    State(api): State<Api>,
    Auth(caller): Auth,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Traffic)?;
    let month = match &query.month {
        Some(text) => month_of("month", text)?,
        None => month_now(&api, None).await?,
    };
    let format = query.format.as_deref().unwrap_or("json");
    if !["json", "csv"].contains(&format) {
        return Err(Problem::field("format", "must be json or csv"));
    }
    let filter = AccountFilter {
        platform_id: (!caller.sees_all()).then_some(caller.platform_id),
        servers: api.allowed_servers(&caller).await?,
        ..AccountFilter::default()
    };
    let rows = registry::month_usage(&api.store, month, &filter).await?;
    if format == "json" {
        let items = rows.iter().map(AccountMonth::of).collect();
        let month = month.to_string();
        return Ok(Json(MonthUsage { month, items }).into_response());
    }
    let text = registry::month_csv(&rows).map_err(|error| {
        tracing::error!(failure = %error, "The month {month} could not be written as CSV: {error}");
        Problem::unavailable()
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"usage-{month}.csv\""),
        ),
    ];
    Ok((headers, text).into_response())
}

pub(crate) fn month_of(field: &str, text: &str) -> Result<Month, Problem> {
    text.parse()
        .map_err(|error: hosting::NotAMonth| Problem::field(field, error.to_string()))
}

/// The current month in the panel's time zone, or UTC.
pub(crate) async fn month_now(api: &Api, server: Option<&server::Model>) -> Result<Month, Problem> {
    let now = api.store.now().await?;
    let zone: Tz = server
        .and_then(|row| row.time_zone.parse().ok())
        .unwrap_or(Tz::UTC);
    let now = DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default();
    Ok(Month::of(&now.with_timezone(&zone)))
}
