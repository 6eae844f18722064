//! Requests and answers for clients that know no JSON: a form in, a line of text out.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::view::JobView;
use crate::Problem;
use crate::shapes::WHOLE;

/// Deeper names are nothing that a request knows (`account.limits.disk_mb`).
const DEEPEST: usize = 3;

/// The JSON that a form stands for. `account[username]` and `account.username` are the same; an empty field
/// is as one that was not sent. Fields of other names are passed over, since such clients send what they like
/// besides; below `account` they are refused like in JSON.
///
/// # Errors
/// 400 for a body that is no form, and for a field that is given twice.
pub(super) fn json_of(body: &[u8]) -> Result<Value, Problem> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|_| {
        Problem::unreadable("the body is not a form (names and values, URL-encoded)")
    })?;
    let mut document = Map::new();
    for (name, value) in fields {
        let path = path_of(&name);
        let known = match path.as_slice() {
            [one] => WHOLE.contains(one),
            [first, ..] => *first == "account" && path.len() <= DEEPEST,
            [] => false,
        };
        if !known || value.is_empty() {
            continue;
        }
        if !put(&mut document, &path, typed(&path, value)) {
            let name = path.join(".");
            return Err(Problem::unreadable(format!(
                "the field {name} is given twice"
            )));
        }
    }
    Ok(Value::Object(document))
}

fn path_of(name: &str) -> Vec<&str> {
    name.split(['.', '['])
        .map(|part| part.strip_suffix(']').unwrap_or(part))
        .collect()
}

/// What JSON would have as a number or a truth value; whatever else stays text, and is refused as such.
fn typed(path: &[&str], value: String) -> Value {
    match path {
        ["account", "limits", _] => match value.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => value.into(),
        },
        ["import"] | ["account", "dedicated_ip"] => match value.as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => value.into(),
        },
        _ => value.into(),
    }
}

/// `false` = something stands there.
fn put(document: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    match path {
        [] => false,
        [name] => document.insert((*name).to_owned(), value).is_none(),
        [name, rest @ ..] => {
            let below = document
                .entry((*name).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            below
                .as_object_mut()
                .is_some_and(|below| put(below, rest, value))
        }
    }
}

/// Whether the client asks for text and not for JSON.
pub(super) fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/plain") && !accept.contains("json"))
}

/// The job in one line, to be searched for `state=succeeded`: `state=failed id=... error=...`.
pub(super) fn text_of(view: &JobView) -> Response {
    let mut text = format!("state={} id={}", view.state, view.id);
    if let Some(error) = &view.error {
        // What a panel says must not look like a state.
        let message = error.message.as_deref().unwrap_or_default();
        let message = message.replace(['=', '\n', '\r'], " ");
        text.push_str(&format!(" error={} {message}", error.code));
    }
    text.push('\n');
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_the_json_that_it_stands_for() {
        let body = "kind=create&server=web1&account%5Busername%5D=acme&account.domain=a.example.com\
                    &account[limits][disk_mb]=500&account[limits][traffic_mb]=unlimited\
                    &account[dedicated_ip]=0&account[email]=&client_id=7&idempotency_key=b+1";
        assert_eq!(
            json_of(body.as_bytes()).unwrap(),
            json!({
                "kind": "create", "server": "web1", "idempotency_key": "b 1",
                "account": {
                    "username": "acme", "domain": "a.example.com", "dedicated_ip": false,
                    "limits": {"disk_mb": 500, "traffic_mb": "unlimited"},
                },
            })
        );
    }

    #[test]
    fn what_contradicts_itself_is_no_request() {
        for body in [
            "kind=a&kind=b",
            "account.id=1&account[id]=2",
            "account.id=1&account.id.x=2",
        ] {
            let problem = json_of(body.as_bytes()).unwrap_err();
            assert!(problem.detail.contains("twice"), "{body}: {problem}");
        }
    }
}
