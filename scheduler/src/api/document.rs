//! The OpenAPI 3.1 document. What every operation can answer is added here, in one place.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder};

use super::{accounts, forms, health, jobs, operate, secret, servers, usage};
use crate::problem::ProblemDocument;
use crate::shapes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hostler",
        description = "Jobs between billing platforms and hosting panels. Errors are RFC 9457 problem documents."
    ),
    paths(
        jobs::submit,
        jobs::submit_batch,
        forms::submit,
        jobs::one,
        jobs::list,
        operate::replay_one,
        operate::cancel_one,
        operate::replay_many,
        operate::cancel_many,
        secret::read,
        secret::acknowledge,
        servers::list,
        servers::one,
        servers::packages,
        servers::accounts,
        servers::usage,
        accounts::one,
        accounts::traffic,
        usage::month,
        health::alive,
        health::ready,
        health::metrics,
        describe,
    ),
    components(schemas(
        ProblemDocument,
        shapes::AccountState,
        shapes::ExportFormat,
        shapes::JobState,
        shapes::JobStates,
        shapes::Key,
        shapes::Kind,
        shapes::Limit,
        shapes::Month,
        shapes::Time,
    )),
    security(("token" = []), ("basic" = []))
)]
struct Document;

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", operation_id = "describe", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub(super) async fn describe() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_with(Default::default);
    let scheme = |scheme, about: &str| {
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(scheme)
                .description(Some(about))
                .build(),
        )
    };
    components.add_security_scheme(
        "token",
        scheme(HttpAuthScheme::Bearer, "A token of a billing platform"),
    );
    components.add_security_scheme(
        "basic",
        scheme(HttpAuthScheme::Basic, "The same token as password"),
    );
    for (path, item) in &mut document.paths.paths {
        let needs_token = path.starts_with("/v1/");
        for operation in operations(item) {
            if needs_token {
                add_problems(operation);
            }
            shape_problems(operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}

/// The problems that operations with a token share, by what they take.
fn add_problems(operation: &mut Operation) {
    let within = |place: &ParameterIn| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == *place,
            RefOr::Ref(_) => false,
        })
    };
    let in_path = within(&ParameterIn::Path);
    let in_query = within(&ParameterIn::Query);
    let has_body = operation.request_body.is_some();
    for (status, about, can_be) in [
        ("400", "The request cannot be read", has_body),
        (
            "401",
            "The token is missing, wrong, expired or revoked",
            true,
        ),
        ("403", "The token does not allow this", true),
        ("404", "It does not exist, or is not the caller's", in_path),
        ("413", "The body is too large", has_body),
        ("415", "The body is of another type", has_body),
        (
            "422",
            "Not valid; `errors` names the fields",
            in_query || has_body,
        ),
        ("429", "Too many requests; again after `Retry-After`", true),
        (
            "500",
            "Something is wrong here; the operator's log says more",
            true,
        ),
        (
            "503",
            "The ledger cannot be reached; nothing is promised",
            true,
        ),
    ] {
        if can_be {
            let responses = &mut operation.responses.responses;
            responses
                .entry(status.to_owned())
                .or_insert_with(|| ResponseBuilder::new().description(about).into());
        }
    }
}

/// A failure without a body of its own is a problem document.
fn shape_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.content.is_empty()
            && status.as_str() >= "400"
        {
            let shape = Ref::from_schema_name("ProblemDocument");
            let content = ContentBuilder::new().schema(Some(shape)).build();
            response
                .content
                .insert("application/problem+json".to_owned(), content.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own_and_says_what_can_go_wrong() {
        let document = serde_json::to_value(document()).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        let paths = document["paths"].as_object().unwrap();
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str();
                let id = id.unwrap_or_else(|| panic!("{method} {path} has none"));
                assert!(ids.insert(id.to_owned()), "{id} twice");
                let responses = operation["responses"].as_object().unwrap();
                for (status, response) in responses {
                    let about = response["description"].as_str().unwrap_or_default();
                    assert!(!about.is_empty(), "{method} {path} {status}");
                    let content = response["content"].as_object();
                    assert!(content.is_some(), "{method} {path} {status}");
                }
                let refused = responses.get("401");
                assert_eq!(
                    refused.is_some(),
                    path.starts_with("/v1/"),
                    "{method} {path}"
                );
            }
        }
        assert_eq!(ids.len(), 23);
    }
}
