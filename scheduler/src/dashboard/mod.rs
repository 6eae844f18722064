//! Pages for the operator's browser.
//!
//! They only read: whatever changes something is asked for at the command line or the API. So there is no
//! session and no form, and nothing that another site's page could make a browser do
//! (docs/decisions/0009-the-dashboard-only-reads.md). Templates are compiled in and escape what they show; no page
//! has a script.

mod nights;
mod viewer;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::Problem;
use crate::api::Api;

const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// A browser asks for the page anew after so many seconds, while something is still to come.
const SOON: HeaderValue = HeaderValue::from_static("10");

const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The pages, and how they look.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route(
            "/dashboard",
            get(|| async { Redirect::to("/dashboard/nights") }),
        )
        .route("/dashboard/nights", get(nights::show))
        .route("/dashboard/style.css", get(style))
        .layer(from_fn(bounded))
}

/// What a browser may do with a page: nothing but show it.
async fn bounded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("style.css")).into_response()
}

fn html(page: &impl askama::Template) -> Result<Html<String>, Problem> {
    page.render().map(Html).map_err(|error| {
        tracing::error!(failure = %error, "A page could not be written: {error}");
        Problem::unavailable()
    })
}
