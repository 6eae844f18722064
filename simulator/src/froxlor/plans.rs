//! Hosting plans. Their `value` is JSON inside JSON: sizes in MB and GB, switches as `"1"` and `"0"`.

use serde_json::{Map, Value, json};

use super::Froxlor;
use super::access::Caller;
use super::failure::Failure;
use super::input::{Params, Selector, as_int};
use super::rows::Row;
use super::search::Table;
use crate::panel::Context;

/// Columns that are limits, with what one unit of a parameter is in the table.
const LIMITS: [(&str, i64); 9] = [
    ("diskspace", 1024),
    ("traffic", 1_048_576),
    ("subdomains", 1),
    ("emails", 1),
    ("email_accounts", 1),
    ("email_forwarders", 1),
    ("ftps", 1),
    ("mysqls", 1),
    ("email_quota", 1),
];
/// Switches: the name of the parameter and of the column.
const SWITCHES: [(&str, &str); 6] = [
    ("email_imap", "imap"),
    ("email_pop3", "pop3"),
    ("phpenabled", "phpenabled"),
    ("perlenabled", "perlenabled"),
    ("dnsenabled", "dnsenabled"),
    ("logviewenabled", "logviewenabled"),
];

/// What a customer gets, in the units of parameters and plans.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    limits: Vec<(&'static str, i64)>,
    switches: Vec<(&'static str, bool)>,
    phpconfigs: Option<Vec<i64>>,
}

impl Resources {
    /// From parameters; what is missing is zero or off.
    pub(super) fn of(params: &Params) -> Result<Self, Failure> {
        let mut resources = Resources::given(params)?;
        for (name, limit) in &mut resources.limits {
            *limit = params.limit(name).unwrap_or(0);
        }
        Ok(resources)
    }

    /// From parameters; what is missing stays as the row has it. Sizes of a row that are no whole MB or GB are cut.
    pub(super) fn of_row(row: &Row, params: &Params) -> Result<Self, Failure> {
        let mut resources = Resources::given(params)?;
        for ((name, limit), (_, unit)) in resources.limits.iter_mut().zip(LIMITS) {
            *limit = params.limit(name).unwrap_or_else(|| row.int(name) / unit);
        }
        for ((name, on), (_, column)) in resources.switches.iter_mut().zip(SWITCHES) {
            *on = params.flag(name).unwrap_or_else(|| row.on(column));
        }
        if params.get("allowed_phpconfigs").is_none() {
            resources.phpconfigs = None;
        }
        Ok(resources)
    }

    fn given(params: &Params) -> Result<Self, Failure> {
        Ok(Resources {
            limits: LIMITS.iter().map(|(name, _)| (*name, 0)).collect(),
            switches: SWITCHES
                .iter()
                .map(|(name, _)| (*name, params.flag(name).unwrap_or(false)))
                .collect(),
            phpconfigs: Some(phpconfigs(params.get("allowed_phpconfigs"))),
        })
    }

    /// Into a customer's row. The quota of mailboxes is -1 as long as quotas are off, which they are.
    pub(super) fn write(&self, row: &mut Row) {
        for ((name, limit), (_, unit)) in self.limits.iter().zip(LIMITS) {
            row.set(name, limit.saturating_mul(unit));
        }
        row.set("email_quota", -1);
        for ((_, on), (_, column)) in self.switches.iter().zip(SWITCHES) {
            row.set(column, i64::from(*on));
        }
        match &self.phpconfigs {
            None => {}
            Some(ids) if ids.is_empty() => row.set("allowed_phpconfigs", ""),
            Some(ids) => row.set("allowed_phpconfigs", json!(ids).to_string()),
        }
    }

    /// As the text of a plan's `value`.
    fn to_text(&self) -> String {
        let mut map = Map::new();
        for (name, limit) in &self.limits {
            map.insert((*name).to_owned(), (*limit).into());
        }
        map.insert("email_quota".to_owned(), (-1).into());
        for (name, on) in &self.switches {
            map.insert(
                (*name).to_owned(),
                if *on { "1".into() } else { "0".into() },
            );
        }
        map.insert(
            "allowed_phpconfigs".to_owned(),
            json!(self.phpconfigs.clone().unwrap_or_default()),
        );
        Value::Object(map).to_string()
    }
}

fn phpconfigs(value: Option<&Value>) -> Vec<i64> {
    match value {
        Some(Value::Array(list)) => list.iter().map(as_int).collect(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What a plan gives.
pub(super) fn resources(plan: &Row) -> Resources {
    let value: Value = serde_json::from_str(plan.text("value")).unwrap_or_default();
    Resources {
        limits: LIMITS
            .iter()
            .map(|(name, _)| (*name, as_int(&value[*name])))
            .collect(),
        switches: SWITCHES
            .iter()
            .map(|(name, _)| (*name, as_int(&value[*name]) != 0))
            .collect(),
        phpconfigs: Some(phpconfigs(value.get("allowed_phpconfigs"))),
    }
}

/// A plan that the caller may see.
pub(super) fn visible<'a>(
    froxlor: &'a Froxlor,
    caller: &Caller,
    id: i64,
) -> Result<&'a Row, Failure> {
    let plan = froxlor
        .plans
        .get(&id)
        .filter(|plan| caller.sees_admin(plan.int("adminid")));
    plan.ok_or_else(|| {
        Failure::Plain(
            404,
            format!("Hosting-plan with id #{id} could not be found"),
        )
    })
}

fn find<'a>(froxlor: &'a Froxlor, caller: &Caller, params: &Params) -> Result<&'a Row, Failure> {
    match params.selector("id", "planname")? {
        Selector::Id(id) => visible(froxlor, caller, id),
        Selector::Name(name) => by_name(froxlor, caller, &name).ok_or_else(|| {
            Failure::Plain(
                404,
                format!("Hosting-plan with planname '{name}' could not be found"),
            )
        }),
    }
}

/// Names are not unique: the first one is found.
fn by_name<'a>(froxlor: &'a Froxlor, caller: &Caller, name: &str) -> Option<&'a Row> {
    froxlor.plans.values().find(|plan| {
        plan.text("name").eq_ignore_ascii_case(name) && caller.sees_admin(plan.int("adminid"))
    })
}

pub(super) fn get(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    find(froxlor, caller, params).map(Row::value)
}

pub(super) fn listing(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Value, Failure> {
    let rows = table(froxlor, caller).select(params)?;
    let list: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let admin = froxlor.admin_name(row.int("adminid"));
            row.with("adminname", admin).value()
        })
        .collect();
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller).search(params)?.len().into())
}

fn table<'a>(froxlor: &Froxlor, caller: &Caller) -> Table<'a> {
    let columns = ["id", "adminid", "name", "description", "value", "ts"]
        .map(str::to_owned)
        .to_vec();
    let seen = |plan: &&Row| caller.sees_admin(plan.int("adminid"));
    Table {
        rows: froxlor.plans.values().filter(seen).cloned().collect(),
        alias: "p.",
        ambiguous: vec!["adminid".to_owned(), "name".to_owned()],
        columns,
    }
}

pub(super) fn add(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let name = params.required("name")?;
    let description = params.text("description")?.unwrap_or_default();
    let value = Resources::of(params)?.to_text();
    let admin = if let Caller::Admin { id, .. } = caller {
        *id
    } else {
        0
    };
    let id = froxlor.insert_plan(admin, &name, &description, &value, context.now_seconds());
    context.applied("", "", json!({"plan_added": id, "name": name}));
    // The answer is read by name, so that a second plan of a name shows the first one.
    by_name(froxlor, caller, &name)
        .map(Row::value)
        .ok_or(Failure::Fatal)
}

pub(super) fn update(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let mut plan = find(froxlor, caller, params)?.clone();
    let old = resources(&plan);
    let mut new = Resources::of(params)?;
    for ((name, limit), (_, before)) in new.limits.iter_mut().zip(&old.limits) {
        *limit = params.limit(name).unwrap_or(*before);
    }
    for ((name, on), (_, before)) in new.switches.iter_mut().zip(&old.switches) {
        *on = params.flag(name).unwrap_or(*before);
    }
    if params.get("allowed_phpconfigs").is_none() {
        new.phpconfigs = old.phpconfigs;
    }
    for column in ["name", "description"] {
        if let Some(text) = params.text(column)? {
            plan.set(column, text);
        }
    }
    plan.set("value", new.to_text());
    plan.set("ts", context.now_seconds());
    context.applied("", "", json!({"plan_changed": plan.int("id")}));
    froxlor.plans.insert(plan.int("id"), plan.clone());
    Ok(plan.value())
}

pub(super) fn delete(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Value, Failure> {
    let plan = find(froxlor, caller, params)?.clone();
    froxlor.plans.remove(&plan.int("id"));
    Ok(plan.value())
}

impl Froxlor {
    fn insert_plan(
        &mut self,
        admin: i64,
        name: &str,
        description: &str,
        value: &str,
        now: i64,
    ) -> i64 {
        self.last.plan += 1;
        let row = Row::of(json!({
            "id": self.last.plan, "adminid": admin, "name": name, "description": description, "value": value,
            "ts": now,
        }));
        self.plans.insert(self.last.plan, row);
        self.last.plan
    }

    /// The plans of a new panel: bronze, silver, gold.
    pub(super) fn seed_plans(&mut self, now: i64) {
        for (name, disk_mb, traffic_gb, count) in [
            ("bronze", 1_000, 20, 5),
            ("silver", 5_000, 100, 25),
            ("gold", 10_000, 250, 100),
        ] {
            let limit = |name: &'static str| match name {
                "diskspace" => (name, disk_mb),
                "traffic" => (name, traffic_gb),
                "mysqls" | "ftps" => (name, count / 5),
                _ => (name, count),
            };
            let plan = Resources {
                limits: LIMITS.iter().map(|(name, _)| limit(name)).collect(),
                switches: SWITCHES
                    .iter()
                    .map(|(name, _)| {
                        (
                            *name,
                            matches!(*name, "email_imap" | "email_pop3" | "phpenabled"),
                        )
                    })
                    .collect(),
                phpconfigs: Some(vec![1]),
            };
            self.insert_plan(1, name, "", &plan.to_text(), now);
        }
    }

    /// Adds a hosting plan of the first admin: MB and GB, -1 is unlimited. Returns its id.
    pub fn add_plan(&mut self, name: &str, disk_mb: i64, traffic_gb: i64, count: i64) -> i64 {
        let limit = |name: &'static str| match name {
            "diskspace" => (name, disk_mb),
            "traffic" => (name, traffic_gb),
            _ => (name, count),
        };
        let plan = Resources {
            limits: LIMITS.iter().map(|(name, _)| limit(name)).collect(),
            switches: SWITCHES
                .iter()
                .map(|(name, _)| (*name, *name != "perlenabled"))
                .collect(),
            phpconfigs: Some(vec![1]),
        };
        self.insert_plan(1, name, "", &plan.to_text(), 0)
    }
}
