//! `set_limits`: one call for each kind of limit, then a look whether they hold.

use hosting::{Limit, LimitName, Limits, Username};
use serde_json::Value;

use super::look::{after_change, no_such_account, summary};
use super::wire::Wire;
use super::{shapes, units};
use crate::http::lenient;
use crate::{PanelError, http};

pub(super) async fn set(wire: &Wire, user: &Username, limits: &Limits) -> Result<(), PanelError> {
    let written = limits
        .iter()
        .map(|(name, limit)| Ok((name, units::write(name, limit)?)))
        .collect::<Result<Vec<_>, PanelError>>()?;
    if written.is_empty() {
        return Ok(());
    }
    // limitbw says yes to a user that does not exist.
    summary(wire, user).await?.ok_or_else(no_such_account)?;
    let warnings = send(wire, user, &written).await?;
    let now = after_change(read_back(wire, user, limits).await)?;
    let wrong: Vec<String> = limits
        .iter()
        .filter_map(|(name, wanted)| {
            let found = now.get(name)?;
            (found != wanted).then(|| format!("{name} is {found}, not {wanted}"))
        })
        .collect();
    let unseen = limits.iter().any(|(name, _)| now.get(name).is_none());
    if !wrong.is_empty() || (unseen && !warnings.is_empty()) {
        let reason = [wrong, warnings].concat().join("; ");
        return Err(PanelError::refused(
            "limit_not_applied",
            format!("the panel did not take every limit: {reason}"),
        ));
    }
    Ok(())
}

/// Sends them and gives the panel's warnings. The counts go in one call.
async fn send(
    wire: &Wire,
    user: &Username,
    written: &[(LimitName, String)],
) -> Result<Vec<String>, PanelError> {
    let mut warnings = Vec::new();
    let mut sent = Sent::Nothing;
    for (name, value) in written {
        let answer = match name {
            LimitName::DiskMb => wire.editquota(user, value).await,
            LimitName::TrafficMb => wire.limitbw(user, value).await,
            _ => continue,
        };
        let done = sent.judge(answer.and_then(super::envelope::Answer::done))?;
        warnings.extend(done.warnings);
        sent = Sent::Something;
    }
    let counts: Vec<(&str, &str)> = written
        .iter()
        .filter_map(|(name, value)| Some((units::modifyacct_name(*name)?, value.as_str())))
        .collect();
    if !counts.is_empty() {
        let answer = wire.modifyacct(user, &counts).await;
        let done = sent.judge(answer.and_then(super::envelope::Answer::done))?;
        warnings.extend(done.warnings);
    }
    Ok(warnings)
}

/// Whether an earlier call of the same job has changed something: then "nothing was changed" is no
/// longer true of a later one that only was not sent.
#[derive(Clone, Copy)]
enum Sent {
    Nothing,
    Something,
}

impl Sent {
    fn judge<T>(self, result: Result<T, PanelError>) -> Result<T, PanelError> {
        match self {
            Sent::Nothing => result,
            Sent::Something => after_change(result),
        }
    }
}

/// The limits as the panel has them now; those that it does not tell are not set.
async fn read_back(wire: &Wire, user: &Username, asked: &Limits) -> Result<Limits, PanelError> {
    let mut now = summary(wire, user)
        .await?
        .ok_or_else(no_such_account)?
        .limits;
    if asked.get(LimitName::TrafficMb).is_some()
        && let Some(limit) = traffic(wire, user).await?
    {
        now.set(LimitName::TrafficMb, limit);
    }
    Ok(now)
}

/// The account's traffic limit by `showbw`, the only place that tells it.
pub(super) async fn traffic(wire: &Wire, user: &Username) -> Result<Option<Limit>, PanelError> {
    let done = wire.showbw_of(user, None).await?.done()?;
    let rows = done.data.get("acct").unwrap_or(&Value::Null);
    let row = http::lenient::items(rows).into_iter().find(|row| {
        let same = shapes::text(row, "user")
            .and_then(|name| name.parse::<Username>().ok())
            .is_some_and(|name| name.same_as(user));
        same && !row.get("deleted").and_then(lenient::flag).unwrap_or(false)
    });
    Ok(row.and_then(|row| units::traffic_limit(&row.get("limit")?.into())))
}
