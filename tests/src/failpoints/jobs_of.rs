//! The jobs of cases: what is asked for, and the accounts that it is asked for.

use std::collections::BTreeMap;

use jobs::JobKind;
use jobs::faults::Point;
use serde_json::{Value, json};
use simulator::Simulator;

use super::case::Case;

/// Accounts that were there before, each used by one case.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    idle: BTreeMap<&'static str, Vec<String>>,
    suspended: BTreeMap<&'static str, Vec<String>>,
    made: usize,
}

impl Accounts {
    /// Those that the panels have, so many of each suspended before the cases begin.
    pub(super) fn of(panels: &[(&'static str, &Simulator, usize)]) -> Self {
        let mut this = Self::default();
        for (server, panel, unsuspends) in panels {
            let mut names: Vec<String> = panel
                .accounts()
                .into_iter()
                .map(|account| account.username)
                .collect();
            let suspended = names.split_off(names.len().saturating_sub(*unsuspends));
            this.idle.insert(server, names);
            this.suspended.insert(server, suspended);
        }
        this
    }

    /// Those that must be suspended first.
    pub(super) fn to_suspend(&self) -> Vec<(&'static str, String)> {
        let all = self.suspended.iter();
        all.flat_map(|(server, names)| names.iter().map(|name| (*server, name.clone())))
            .collect()
    }

    /// The account of a case.
    ///
    /// # Panics
    /// When the panels were started with too few.
    fn take(&mut self, case: Case) -> String {
        self.made += 1;
        let from = match case.kind {
            JobKind::Create => return format!("f{:06}", self.made),
            JobKind::Unsuspend => &mut self.suspended,
            _ => &mut self.idle,
        };
        let names = from.get_mut(case.driver);
        names
            .and_then(Vec::pop)
            .unwrap_or_else(|| panic!("no account is left for {case}"))
    }
}

/// A job that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its idempotency key.
    pub(super) key: String,
    /// The request.
    pub(super) body: Value,
    /// Its account's name, where it has one.
    pub(super) username: Option<String>,
}

/// What the case asks for. `target` is whom a move gives the account to.
pub(super) fn ask(
    case: Case,
    number: usize,
    accounts: &mut Accounts,
    target: &str,
    panel: &Simulator,
) -> Asked {
    let username = case.kind.has_account().then(|| accounts.take(case));
    let mut body = json!({"kind": case.kind.name(), "server": server_of(case)});
    match case.kind {
        JobKind::GetStats => body["month"] = json!(panel.month()),
        JobKind::ListAccounts => body["import"] = json!(case.point == Point::Imported),
        _ => {}
    }
    if let Some(username) = &username {
        body["account"] = account(case, username, target);
        let package = panel.account(username).and_then(|account| account.package);
        if case.kind == JobKind::ChangePackage && package.as_deref() == Some("gold") {
            body["account"]["package"] = json!("silver");
        }
    }
    Asked {
        key: format!("{number}-{}", case.to_string().replace(' ', "-")),
        body,
        username,
    }
}

/// The server that a case's job is for: listings that take accounts over have one of their own.
pub(super) fn server_of(case: Case) -> &'static str {
    match (case.point, case.driver) {
        (Point::Imported, "cpanel") => "cpanel2",
        (Point::Imported, _) => "froxlor2",
        (_, driver) => driver,
    }
}

fn account(case: Case, username: &str, target: &str) -> Value {
    let mut account = json!({ "username": username });
    match case.kind {
        JobKind::Create => {
            account["domain"] = json!(format!("{username}.{}.example.com", case.driver));
            account["email"] = json!(format!("{username}@example.org"));
            account["package"] = json!("silver");
            account["limits"] = json!({"disk_mb": 3072});
            if [Point::AddressReserved, Point::AddressGiven].contains(&case.point) {
                account["dedicated_ip"] = json!(true);
            }
        }
        JobKind::ChangePackage => account["package"] = json!("gold"),
        JobKind::ChangeLimits => account["limits"] = json!({"disk_mb": 2048}),
        JobKind::ChangePassword => account["password"] = json!("Xy7-new-Pass-word+9"),
        JobKind::Move => account["panel"] = json!({ "target": target }),
        _ => {}
    }
    account
}
