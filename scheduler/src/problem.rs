//! What is said to a client whose request cannot be done: RFC 9457 problem documents.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hosting::FieldError;
use jobs::store::{Refusal, StoreError};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// A problem, safe to show to the client: no internals, no secrets.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code; `type` is `urn:hostler:problem:<code>`.
    pub code: &'static str,
    /// What kind of problem it is.
    pub title: &'static str,
    /// What is wrong with this request, and what would be right.
    pub detail: String,
    /// The fields that are not right.
    pub errors: Vec<FieldError>,
    /// When another try makes sense, in seconds.
    pub retry_after: Option<u32>,
}

/// What is wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemDocument<'a> {
    /// `urn:hostler:problem:` and a stable code.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:hostler:problem:[a-z_]+$")]
    kind: String,
    /// What kind of problem it is.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request, and what would be right.
    detail: &'a str,
    /// The fields that are not right.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<WrongField>, required = false)]
    errors: &'a [FieldError],
}

/// A field that is not right.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape of `FieldError`")]
pub(crate) struct WrongField {
    /// Its path in the request, with dots; or the parameter's name.
    field: String,
    /// What is wrong and what would be right.
    message: String,
}

impl Problem {
    /// A problem without fields.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 422: fields that are not right.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "The request is not valid",
                detail,
            )
        }
    }

    /// 422: one field that is not right.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    /// 400: not a request that can be read.
    pub fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "unreadable",
            "The request cannot be read",
            detail,
        )
    }

    /// 401, the same for every reason.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A valid token is needed",
            "send `Authorization: Bearer TOKEN`; the token is missing, wrong, expired or revoked",
        )
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The token does not allow this",
            detail,
        )
    }

    /// 404: it does not exist, or is not the caller's.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "Not found",
            format!("there is no {what}"),
        )
    }

    /// 409.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code,
            "It cannot be done as things are",
            detail,
        )
    }

    /// 410: it was there and is wiped.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", "It is gone", detail)
    }

    /// 429.
    #[must_use]
    pub fn too_many(detail: &str, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "Too many requests",
                detail,
            )
        }
    }

    /// 503: nothing was taken in, or it is not known; the same request with the same key is safe.
    #[must_use]
    pub fn unavailable() -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The ledger cannot be reached",
                "nothing is promised; send the same request with the same idempotency key again",
            )
        }
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!(ProblemDocument {
            kind: format!("urn:hostler:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        })
    }
}

impl From<StoreError> for Problem {
    /// Logs what the client must not see: this is the boundary.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(&what),
            StoreError::Refused(why) => Self::conflict("refused", why),
            StoreError::Row { .. } => {
                tracing::error!(failure = %error, "A row of the ledger cannot be read: {error}");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "Something is wrong here",
                    "the operator's log says more",
                )
            }
            // A full disk or a refused statement is no promise either.
            StoreError::Unreachable { .. }
            | StoreError::Db(_)
            | StoreError::CommitUnknown(_)
            | StoreError::NoAnswer(_) => {
                tracing::error!(failure = %error, "The ledger did not do what the API asked: {error}");
                Self::unavailable()
            }
        }
    }
}

impl From<sea_orm::DbErr> for Problem {
    fn from(error: sea_orm::DbErr) -> Self {
        StoreError::Db(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::KeyTaken(_) => Self::conflict("idempotency_key_reused", text),
            Refusal::AccountTaken(_) => Self::conflict("account_taken", text),
            Refusal::NoName(_) => Self::field("account.username", text),
            Refusal::AccountGone => Self::conflict("account_terminated", text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.to_json())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"hostler\""),
            );
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
