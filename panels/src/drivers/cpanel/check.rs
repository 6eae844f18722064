//! `check`: version, rights, and what is worth knowing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::envelope::Answer;
use super::look::optional;
use super::rules;
use super::wire::Wire;
use crate::http::lenient;
use crate::{PanelError, ServerCheck};

/// What the job kinds need: a privilege, a function that it opens, and the kinds.
const NEEDS: &[(&str, &str, &str)] = &[
    (
        "acct-summary",
        "accountsummary",
        "every job about an account",
    ),
    ("create-acct", "createacct", "create"),
    ("suspend-acct", "suspendacct", "suspend and unsuspend"),
    ("kill-acct", "removeacct", "terminate"),
    ("upgrade-account", "changepackage", "change_package"),
    ("quota", "editquota", "change_limits of disk_mb"),
    ("limit-bandwidth", "limitbw", "change_limits of traffic_mb"),
    (
        "edit-account",
        "modifyacct",
        "change_limits of counts, move",
    ),
    ("passwd", "passwd", "change_password"),
    ("create-user-session", "create_user_session", "login_url"),
    ("list-accts", "listaccts", "list_accounts"),
    ("show-bandwidth", "showbw", "get_stats"),
];

/// What the panel says of the token's rights.
enum Rights {
    All,
    Privileges(BTreeMap<String, bool>),
    Functions(Vec<String>),
    Unknown,
}

pub(super) async fn check(wire: &Wire) -> Result<ServerCheck, PanelError> {
    let version = wire.version().await?.done()?;
    let version = version.data.get("version").and_then(lenient::text);
    let rights = rights(wire).await?;
    let mut notes = Vec::new();
    if matches!(rights, Rights::Unknown) {
        notes.push(
            "the panel does not tell the token's rights; a missing one shows at the first job"
                .to_owned(),
        );
    }
    if let Some(least) = password_strength(wire).await? {
        notes.push(format!("passwords need a strength of {least} of 100"));
    }
    if let Some(note) = licence(wire).await? {
        notes.push(note);
    }
    Ok(ServerCheck {
        version,
        rules: rules::rules(),
        missing_rights: missing(&rights),
        notes,
    })
}

async fn rights(wire: &Wire) -> Result<Rights, PanelError> {
    if let Some(done) = optional(wire.myprivs().await?) {
        let privileges = privileges(&done.data);
        if privileges.get("all") == Some(&true) {
            return Ok(Rights::All);
        }
        if !privileges.is_empty() {
            return Ok(Rights::Privileges(privileges));
        }
    }
    let functions = optional(wire.applist().await?)
        .and_then(|done| done.data.get("app").cloned())
        .map(|app| {
            lenient::items(&app)
                .into_iter()
                .filter_map(lenient::text)
                .collect()
        })
        .unwrap_or_default();
    Ok(match functions {
        functions if Vec::<String>::is_empty(&functions) => Rights::Unknown,
        functions => Rights::Functions(functions),
    })
}

/// `data.privileges`: a list of one hash, or the hash itself.
fn privileges(data: &Value) -> BTreeMap<String, bool> {
    let held = data.get("privileges").unwrap_or(&Value::Null);
    let hashes: Vec<&Value> = match held {
        Value::Array(hashes) => hashes.iter().collect(),
        hash => vec![hash],
    };
    hashes
        .into_iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(name, held)| (name.clone(), lenient::flag(held).unwrap_or(false)))
        .collect()
}

fn missing(rights: &Rights) -> Vec<String> {
    let lacks = |privilege: &str, function: &str| match rights {
        Rights::All | Rights::Unknown => false,
        Rights::Privileges(held) => held.get(privilege) != Some(&true),
        Rights::Functions(callable) => !callable.iter().any(|name| name == function),
    };
    NEEDS
        .iter()
        .filter(|(privilege, function, _)| lacks(privilege, function))
        .map(|(privilege, _, kinds)| format!("{privilege} (for {kinds})"))
        .collect()
}

/// The least strength for new accounts, where the panel tells it.
async fn password_strength(wire: &Wire) -> Result<Option<u64>, PanelError> {
    let done = optional(wire.minimum_password_strength().await?);
    Ok(done.and_then(|done| {
        let told = [
            "/createacct",
            "/strengths/createacct",
            "/strength",
            "/default",
        ];
        told.iter()
            .find_map(|path| done.data.pointer(path).and_then(lenient::whole))
            .filter(|least| *least > 0)
    }))
}

/// How many more accounts the licence allows; 0 = as many as one likes.
async fn licence(wire: &Wire) -> Result<Option<String>, PanelError> {
    let users = |answer: Answer| {
        optional(answer).and_then(|done| done.data.get("users").and_then(lenient::whole))
    };
    let Some(most) = users(wire.maximum_users().await?).filter(|most| *most > 0) else {
        return Ok(None);
    };
    let count = users(wire.current_users_count().await?);
    Ok(count.map(|count| format!("the licence is for {most} accounts; {count} are used")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_missing_right_is_named_with_what_it_is_for() {
        let all_but = |name: &str| {
            let held = NEEDS
                .iter()
                .map(|(acl, _, _)| ((*acl).to_owned(), *acl != name));
            missing(&Rights::Privileges(held.collect()))
        };
        assert_eq!(all_but("kill-acct"), ["kill-acct (for terminate)"]);
        assert_eq!(all_but("none"), Vec::<String>::new());
        let functions = vec!["createacct".to_owned()];
        assert_eq!(
            missing(&Rights::Functions(functions)).len(),
            NEEDS.len() - 1
        );
        assert!(missing(&Rights::All).is_empty());
    }

    #[test]
    fn privileges_are_read_from_a_list_or_a_hash() {
        let list = privileges(&json!({"privileges": [{"all": "1", "kill-acct": 0}]}));
        let hash = privileges(&json!({"privileges": {"all": 1, "kill-acct": 0}}));
        assert_eq!(list, hash);
        assert_eq!(list.get("all"), Some(&true));
        assert!(privileges(&json!(null)).is_empty());
    }
}
