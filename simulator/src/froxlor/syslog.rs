//! The panel's own log.

use serde_json::{Value, json};

use super::Froxlor;
use super::access::Caller;
use super::failure::Failure;
use super::input::Params;
use super::rows::Row;
use super::search::Table;
use crate::panel::Context;

/// So many lines are kept; nobody reads further back.
const KEPT: usize = 5_000;

fn table<'a>(froxlor: &Froxlor, caller: &Caller) -> Table<'a> {
    let own = froxlor.name_of(caller);
    let seen = |line: &&Row| match caller {
        Caller::Admin { sees_all: true, .. } => true,
        _ => line.text("user") == own,
    };
    Table {
        rows: froxlor.log.iter().filter(seen).cloned().collect(),
        alias: "",
        ambiguous: Vec::new(),
        columns: ["logid", "action", "type", "date", "user", "text"]
            .map(str::to_owned)
            .to_vec(),
    }
}

pub(super) fn listing(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Value, Failure> {
    let list: Vec<Value> = table(froxlor, caller)
        .select(params)?
        .iter()
        .map(Row::value)
        .collect();
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller).search(params)?.len().into())
}

impl Froxlor {
    /// `action`: 10 a customer, 30 an admin. `kind`: 4 a notice, 5 a change, 6 a detail.
    pub(super) fn write_log(
        &mut self,
        user: &str,
        action: i64,
        kind: i64,
        text: &str,
        context: &Context<'_>,
    ) {
        self.last.log += 1;
        if self.log.len() >= KEPT {
            self.log.remove(0);
        }
        self.log.push(Row::of(json!({
            "logid": self.last.log, "action": action, "type": kind, "date": context.now_seconds(),
            "user": user, "text": text,
        })));
    }
}
