//! Who looks at a page: a browser, which asks its user for a name and a password. The password is an API
//! token with the scope `operate`; the name is not looked at.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{REFRESH, SOON, html};
use crate::Problem;
use crate::api::{Api, Auth};
use crate::caller::{Caller, Scope};

const SIGN_IN: &str = "Sign in with any name and, as the password, an API token with the scope `operate`: \
                       `hostler token create --platform NAME --name NAME --scope operate`.";

/// The caller of a page.
pub(crate) struct Viewer(pub(crate) Caller);

impl FromRequestParts<Api> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        // A browser always begins without: that is no guess of a token, and must not use up the guesses of
        // an address that many have behind a proxy.
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(refused(&Problem::unauthorized()));
        }
        let Auth(caller) = Auth::from_request_parts(parts, api)
            .await
            .map_err(|problem| refused(&problem))?;
        match caller.need(Scope::Operate) {
            Ok(()) => Ok(Self(caller)),
            Err(problem) => Err(refused(&problem)),
        }
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    title: &'a str,
    detail: &'a str,
}

/// A page that says why there is none. A token that may not look is answered like none at all: the browser
/// remembers it, and asks its user for another one only on a 401.
pub(super) fn refused(problem: &Problem) -> Response {
    let again = matches!(
        problem.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    );
    let page = Refused {
        title: problem.title,
        detail: if again { SIGN_IN } else { &problem.detail },
    };
    let status = if again {
        StatusCode::UNAUTHORIZED
    } else {
        problem.status
    };
    let mut response = match html(&page) {
        Ok(page) => (status, page).into_response(),
        Err(problem) => problem.into_response(),
    };
    let (name, value) = if again {
        let ask = "Basic realm=\"Hostler\", charset=\"UTF-8\"";
        (header::WWW_AUTHENTICATE, HeaderValue::from_static(ask))
    } else {
        // Who watches the night sees it again once the trouble is over.
        (REFRESH, SOON)
    };
    response.headers_mut().insert(name, value);
    response
}
