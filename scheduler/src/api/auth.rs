//! Who sends a request: the token in its headers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Api;
use crate::caller::Caller;
use crate::{Problem, registry};

/// The caller of an authenticated request.
#[derive(Debug)]
pub(crate) struct Auth(pub(crate) Caller);

impl FromRequestParts<Api> for Auth {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = match token(parts) {
            Some(token) => registry::caller_of(&api.store, &token).await?,
            None => None,
        };
        let Some(caller) = caller else {
            // A valid token always passes: one client's wrong token must not lock out the others
            // behind the same address.
            return Err(if api.limits.may_fail(address(parts), Instant::now()) {
                Problem::unauthorized()
            } else {
                Problem::too_many(
                    "too many requests without a valid token from this address",
                    60,
                )
            });
        };
        let within = caller
            .token_id
            .is_none_or(|id| api.limits.may_ask(id, Instant::now()));
        if within {
            Ok(Self(caller))
        } else {
            Err(Problem::too_many(
                "this token asks more often than it may",
                1,
            ))
        }
    }
}

/// The token: `Bearer TOKEN`, or the password of `Basic`.
fn token(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}

fn address(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}
