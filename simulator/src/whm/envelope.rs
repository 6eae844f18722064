//! Parameters in, envelopes out.

use serde_json::{Map, Value, json};

use crate::http::{Request, Response};

/// The parameters of query and body together, in order.
#[derive(Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(request: &Request) -> Self {
        let mut all: Vec<(String, String)> =
            serde_urlencoded::from_str(&request.query).unwrap_or_default();
        let form = request
            .header("content-type")
            .is_none_or(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if form {
            let body: Vec<(String, String)> =
                serde_urlencoded::from_bytes(&request.body).unwrap_or_default();
            all.extend(body);
        }
        Params(all)
    }

    /// A parameter that was given, maybe empty. Names are case-sensitive.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that was given and is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Perl's idea of truth for a switch.
    pub(super) fn on(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value, "" | "0" | "n" | "no"))
    }

    pub(super) fn to_value(&self) -> Value {
        let pairs = self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}

/// A function's outcome, before it is wrapped.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) ok: bool,
    pub(super) reason: String,
    pub(super) data: Value,
    pub(super) raw: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) chunk: Option<Value>,
}

impl Reply {
    pub(super) fn ok(reason: impl Into<String>, data: Value) -> Self {
        Reply {
            ok: true,
            reason: reason.into(),
            data,
            raw: None,
            warnings: Vec::new(),
            chunk: None,
        }
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Reply {
            ok: false,
            ..Reply::ok(reason, json!({}))
        }
    }

    pub(super) fn raw(mut self, raw: impl Into<String>) -> Self {
        self.raw = Some(raw.into());
        self
    }

    pub(super) fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

/// Wraps a reply: API 1 with `api.version=1`, else the old envelope. Business failures have status 200 too.
pub(super) fn respond(
    function: &str,
    reply: Reply,
    params: &Params,
    numbers_as_strings: bool,
) -> Response {
    let mut body = match params.get("api.version") {
        Some("1") => version_1(function, reply),
        _ => version_0(function, &reply),
    };
    if numbers_as_strings {
        body = stringify(body);
    }
    // Old servers label their JSON as plain text.
    let kind = if params.get("api.version") == Some("1") {
        "application/json"
    } else {
        "text/plain"
    };
    Response::new(200, &format!("{kind}; charset=\"utf-8\""), body.to_string())
        .with("Server", "cpsrvd")
        .with(
            "Cache-Control",
            "no-cache, no-store, must-revalidate, private",
        )
}

fn version_1(function: &str, reply: Reply) -> Value {
    let mut metadata = json!({
        "version": 1, "command": function, "result": u8::from(reply.ok), "reason": reply.reason,
    });
    let mut output = Map::new();
    if let Some(raw) = reply.raw {
        output.insert("raw".to_owned(), raw.into());
    }
    if !reply.warnings.is_empty() {
        output.insert("warnings".to_owned(), reply.warnings.into());
    }
    if !output.is_empty() {
        metadata["output"] = output.into();
    }
    if let Some(chunk) = reply.chunk {
        metadata["chunk"] = chunk;
    }
    json!({"metadata": metadata, "data": reply.data})
}

fn version_0(function: &str, reply: &Reply) -> Value {
    let status = u8::from(reply.ok);
    let part = |name: &str| reply.data.get(name).cloned().unwrap_or(Value::Null);
    match function {
        "accountsummary" | "listaccts" if reply.ok => {
            json!({"status": 1, "statusmsg": "Ok", "acct": part("acct")})
        }
        "accountsummary" | "listaccts" => json!({"status": 0, "statusmsg": reply.reason}),
        "passwd" => json!({"passwd": [{
            "status": status, "statusmsg": reply.reason, "services": part("app"),
        }]}),
        "showbw" => json!({"bandwidth": [reply.data]}),
        "version" => json!({"version": part("version")}),
        "applist" => json!({"app": part("app")}),
        "myprivs" => json!({"privs": reply.data["privileges"][0]}),
        "listpkgs" => json!({"package": part("pkg")}),
        _ => json!({"result": [{
            "status": status, "statusmsg": reply.reason, "rawout": reply.raw, "options": reply.data,
        }]}),
    }
}

fn stringify(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.to_string()),
        Value::Array(list) => list.into_iter().map(stringify).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, stringify(value)))
            .collect(),
        other => other,
    }
}
