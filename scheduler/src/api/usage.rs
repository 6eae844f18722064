//! A month's traffic over HTTP.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::server;
use hosting::Month;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Auth;
use super::extract::Params;
use crate::caller::Scope;
use crate::registry::{AccountFilter, AccountMonth, Layout};
use crate::{Problem, shapes};

/// Which month, and how it is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `YYYY-MM`; if not set, the current one (UTC).
    #[param(value_type = Option<shapes::Month>)]
    month: Option<String>,
    /// `json` (the usual), `ndjson` (a JSON object for each line), `csv` or `parquet`.
    #[param(value_type = Option<shapes::ExportFormat>)]
    format: Option<String>,
}

/// A month of all accounts.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only the shape of what is sent piece by piece")]
pub(crate) struct MonthUsage {
    #[schema(value_type = shapes::Month)]
    month: String,
    /// By account.
    items: Vec<AccountMonth>,
}

/// Every account's traffic and overage of a month.
#[utoipa::path(
    get, path = "/v1/usage", tag = "usage", operation_id = "get_usage", params(ExportQuery),
    responses((
        status = 200, description = "By account; a body that is cut off is not complete",
        content(
            (MonthUsage = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"),
        ),
    )),
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
    let (layout, kind, ending) = match query.format.as_deref().unwrap_or("json") {
        "json" => (Layout::JsonMonth, "application/json", "json"),
        "ndjson" => (Layout::NdJson, "application/x-ndjson", "ndjson"),
        "csv" => (Layout::Csv, "text/csv; charset=utf-8", "csv"),
        "parquet" => (Layout::Parquet, "application/vnd.apache.parquet", "parquet"),
        _ => {
            return Err(Problem::field(
                "format",
                "must be json, ndjson, csv or parquet",
            ));
        }
    };
    let filter = AccountFilter {
        platform_id: (!caller.sees_all()).then_some(caller.platform_id),
        servers: api.allowed_servers(&caller).await?,
        ..AccountFilter::default()
    };
    let body = api.export(layout, month, &filter).await?;
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    if layout != Layout::JsonMonth {
        let name = format!("attachment; filename=\"usage-{month}.{ending}\"");
        let value = HeaderValue::try_from(name).map_err(|_| Problem::unavailable())?;
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
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
