//! Reading bodies and queries, with problems instead of plain texts where they are wrong.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use crate::Problem;
use crate::intake::NO_NUL;

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
        crate::intake::whole(&self.document())
    }

    /// The document; an empty one is `{}`.
    pub(crate) fn document(self) -> Value {
        match self.0 {
            Value::Null => Value::Object(serde_json::Map::new()),
            value => value,
        }
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

/// The part of the path that names something.
pub(crate) struct Part(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            // No database keeps such a name, and one of them takes it for an error.
            Ok(Path(part)) if !part.contains('\0') => Ok(Self(part)),
            Ok(_) | Err(_) => Err(Problem::not_found("such path: it is no text")),
        }
    }
}

/// A query; unknown parameters are refused.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        for (name, value) in form_urlencoded::parse(query) {
            if value.contains('\0') {
                return Err(Problem::field(name, NO_NUL));
            }
        }
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                let path = error.path().to_string();
                let field = if path == "." { "query" } else { &path };
                Problem::field(field, plain(&error.inner().to_string()))
            })
    }
}

/// What Rust says of text that is no number, in words for others.
fn plain(message: &str) -> &str {
    const NO_NUMBER: [&str; 3] = [
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
    ];
    if NO_NUMBER.contains(&message) {
        "must be a whole number"
    } else {
        message
    }
}
