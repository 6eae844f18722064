//! The list controls that every list function takes: filter, sort, chunk.

use serde_json::{Value, json};

use super::envelope::{Params, Reply};

/// Applies `api.filter.*`, `api.sort.*` and `api.chunk.*` to the first list of the answer.
pub(super) fn apply(mut reply: Reply, params: &Params) -> Reply {
    if !reply.ok {
        return reply;
    }
    let Some(list) = reply
        .data
        .as_object_mut()
        .and_then(|data| data.values_mut().find_map(|value| value.as_array_mut()))
    else {
        return reply;
    };
    if params.on("api.filter.enable") {
        for letter in 'a'..='z' {
            if let Some(field) = params.get(&format!("api.filter.{letter}.field")) {
                let kind = params
                    .get(&format!("api.filter.{letter}.type"))
                    .unwrap_or("contains");
                let wanted = params
                    .get(&format!("api.filter.{letter}.arg0"))
                    .unwrap_or_default();
                list.retain(|row| matches(&text(&row[field]), kind, wanted));
            }
        }
    }
    if params.on("api.sort.enable")
        && let Some(field) = params.get("api.sort.a.field")
    {
        list.sort_by_key(|row| text(&row[field]));
        if params.on("api.sort.a.reverse") {
            list.reverse();
        }
    }
    if params.on("api.chunk.enable") {
        let number = |name: &str| {
            params
                .get(name)
                .and_then(|value| value.parse::<usize>().ok())
        };
        let size = number("api.chunk.size").unwrap_or(usize::MAX).max(1);
        let start = number("api.chunk.start").unwrap_or(1).max(1);
        let records = list.len();
        *list = list.iter().skip(start - 1).take(size).cloned().collect();
        reply.chunk = Some(json!({
            "current": start.div_ceil(size), "records": records, "size": size, "start": start,
            "chunks": records.div_ceil(size),
        }));
    }
    reply
}

fn matches(value: &str, kind: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    match kind {
        "eq" => value == wanted,
        "begins" => value.starts_with(wanted),
        "ends" => value.ends_with(wanted),
        "==" => (number(value) - number(wanted)).abs() < f64::EPSILON,
        "gt" => number(value) > number(wanted),
        "lt" => number(value) < number(wanted),
        _ => value.contains(wanted),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
