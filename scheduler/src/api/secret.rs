//! A job's secret over HTTP.

use axum::Json;
use axum::extract::State;
use jobs::store::Purpose;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Auth;
use super::extract::{JsonBody, Part};
use crate::times::rfc3339;
use crate::{Problem, secrets, shapes};

/// A generated password or a login link. It has no `Debug`: it is a secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretView {
    /// What it is.
    #[schema(value_type = shapes::SecretPurpose)]
    purpose: &'static str,
    /// The account's login name.
    username: Option<String>,
    /// The generated password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// The link that logs its owner in.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<String>,
    /// Until when it can be asked for again.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Reads a job's secret. The same token may ask again until it acknowledges; every read is audited.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/secret", tag = "secrets", operation_id = "read_secret",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The secret", body = SecretView),
        (status = 403, description = "Another token asked for the job"),
        (status = 409, description = "The job has not succeeded"),
        (status = 410, description = "Acknowledged, or a day old"),
    ),
)]
pub(crate) async fn read(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    _: JsonBody,
) -> Result<Json<SecretView>, Problem> {
    let row = api.job_of(&caller, &id).await?;
    let secret = secrets::hand_out(&api.store, &api.keyring, &caller, &row).await?;
    let account = match row.account_id {
        Some(id) => api.store.account_by_row(id).await?,
        None => None,
    };
    let value = Some(secret.value.expose_secret().to_owned());
    let link = secret.purpose == Purpose::LoginLink;
    let (password, login_url) = if link { (None, value) } else { (value, None) };
    Ok(Json(SecretView {
        purpose: secret.purpose.name(),
        username: account.map(|row| row.username),
        password,
        login_url,
        expires_at: secret.expires_at.map(rfc3339),
    }))
}

/// A secret is wiped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    /// Always true.
    acknowledged: bool,
}

/// Wipes a job's secret: the client has it. Twice is as once.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/secret/ack", tag = "secrets", operation_id = "acknowledge_secret",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "Wiped", body = Acknowledged),
        (status = 403, description = "Another token asked for the job"),
        (status = 409, description = "The job has not succeeded"),
    ),
)]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    _: JsonBody,
) -> Result<Json<Acknowledged>, Problem> {
    let row = api.job_of(&caller, &id).await?;
    secrets::acknowledge(&api.store, &caller, &row).await?;
    Ok(Json(Acknowledged { acknowledged: true }))
}
