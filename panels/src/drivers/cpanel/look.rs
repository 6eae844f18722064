//! Looking: accounts, lists, and what an answer behind a change still proves.

use hosting::{DomainName, Username};
use serde_json::Value;

use super::envelope::{Answer, Done};
use super::wire::Wire;
use super::{reasons, shapes};
use crate::http::lenient;
use crate::{PanelAccount, PanelError};

/// The account by `accountsummary`; `None` when the panel says that it has none.
pub(super) async fn summary(
    wire: &Wire,
    user: &Username,
) -> Result<Option<PanelAccount>, PanelError> {
    let done = match wire.accountsummary(user).await? {
        Answer::Done(done) => done,
        Answer::Refused(refused) if reasons::is_absent(&refused.reason) => return Ok(None),
        Answer::Refused(refused) => return Err(refused.into_error()),
    };
    let rows = done.data.get("acct").unwrap_or(&Value::Null);
    let rows = lenient::items(rows);
    let found = rows
        .first()
        .and_then(|row| shapes::account(row, done.reply.panel_clock));
    match found {
        Some(account) if account.username.same_as(user) => Ok(Some(account)),
        Some(_) => Err(done.reply.unknown("the answer is about another account")),
        None => Err(done
            .reply
            .unknown("the account in the answer cannot be read")),
    }
}

/// Every row of a list, or an error: a list with holes would be taken for the whole.
pub(super) fn rows<T>(
    done: &Done,
    field: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, PanelError> {
    let list = done
        .data
        .get(field)
        .ok_or_else(|| done.reply.unknown(format!("the answer holds no `{field}`")))?;
    lenient::items(list)
        .into_iter()
        .map(|row| {
            read(row).ok_or_else(|| {
                done.reply
                    .unknown(format!("a row of `{field}` cannot be read"))
            })
        })
        .collect()
}

/// Who has the domain; `None` for nobody, and where the token may not ask.
pub(super) async fn domain_owner(
    wire: &Wire,
    domain: &DomainName,
) -> Result<Option<Username>, PanelError> {
    match wire.getdomainowner(domain).await? {
        Answer::Done(done) => match shapes::text(&done.data, "user") {
            None => Ok(None),
            Some(user) => match user.parse() {
                Ok(user) => Ok(Some(user)),
                Err(_) => Err(done.reply.unknown("the domain's owner cannot be read")),
            },
        },
        Answer::Refused(refused) if says_nobody(&refused.reason) => Ok(None),
        Answer::Refused(refused)
            if reasons::judge(&refused.reason) == reasons::Verdict::Permission =>
        {
            Ok(None)
        }
        Answer::Refused(refused) => Err(refused.into_error()),
    }
}

/// `getdomainowner` of a domain that nobody has.
fn says_nobody(reason: &str) -> bool {
    let text = reason.to_lowercase();
    let nobody = [
        "does not exist",
        "not exist",
        "no owner",
        "not owned",
        "does not own",
        "not found",
        "no user",
    ];
    nobody.iter().any(|words| text.contains(words))
}

pub(super) fn no_such_account() -> PanelError {
    PanelError::refused("no_such_account", "the panel has no such account")
}

/// An addition that a server may lack or a token may not call: then without it.
pub(super) fn optional<D>(answer: Answer<D>) -> Option<Done<D>> {
    match answer {
        Answer::Done(done) => Some(done),
        Answer::Refused(_) => None,
    }
}

/// A failure behind a change that was made: "nothing was changed" would no longer be true.
pub(super) fn after_change<T>(result: Result<T, PanelError>) -> Result<T, PanelError> {
    result.map_err(|error| match error {
        PanelError::Transient(detail) | PanelError::Throttled { detail, .. } => {
            PanelError::InDoubt(detail)
        }
        other => other,
    })
}
