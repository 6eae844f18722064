//! Reading bodies and queries, with problems instead of plain texts where they are wrong.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Problem;

/// A body of JSON, or a form as JSON. An empty one is `null`.
pub(crate) struct JsonBody(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(too_large_or_broken)?;
        if bytes.is_empty() {
            return Ok(Self(Value::Null));
        }
        if kind_of(&headers).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            if headers.contains_key(ORIGIN) {
                // A page may let its reader's browser send a form anywhere, with what it knows of passwords.
                return Err(Problem::forbidden("forms are not taken from browsers"));
            }
            return super::form::json_of(&bytes).map(Self);
        }
        if !is_json(&headers) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The request cannot be read",
                "send JSON, with the header Content-Type: application/json",
            ));
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::unreadable(format!("the body is not JSON: {error}")))
    }
}

impl JsonBody {
    /// The typed body; an empty one is as `{}`.
    pub(crate) fn typed<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let value = match self.0 {
            Value::Null => Value::Object(serde_json::Map::new()),
            value => value,
        };
        crate::intake::typed(&value)
    }
}

fn kind_of(headers: &HeaderMap) -> &str {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = kind_of(headers);
    kind.eq_ignore_ascii_case("application/json")
        || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn too_large_or_broken(rejection: BytesRejection) -> Problem {
    let status = rejection.into_response().status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            status,
            "too_large",
            "The body is too large",
            "a job may have 64 KiB, a batch 4 MiB",
        )
    } else {
        Problem::unreadable("the body did not arrive whole")
    }
}

/// A query; unknown parameters are refused.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(query)| Self(query))
            .map_err(|error| {
                // The rejection's own text begins with what everybody knows.
                let text = error.to_string();
                let why = text.rsplit_once(": ").map_or(text.as_str(), |(_, why)| why);
                Problem::field("query", why)
            })
    }
}
