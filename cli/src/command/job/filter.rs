//! Which jobs are meant.

use clap::Args;
use entity::{account, server};
use hosting::{ServerName, Username};
use jobs::store::{JobFilter, Selector, Store};
use jobs::{JobKind, JobState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::error::Failure;
use crate::time;

/// The flags of `job list`, and the parts of `--where`.
#[derive(Debug, Default, Args)]
pub(super) struct Filter {
    /// Only in this state
    #[arg(long, value_name = "STATE")]
    state: Vec<JobState>,
    /// Only of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<JobKind>,
    /// Only of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only of this account: its id, its reference, or its username (with --server)
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only accepted since then: a time, or a span like 2h
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only with this error code
    #[arg(long, value_name = "CODE")]
    error: Option<String>,
}

impl Filter {
    /// From `name=value,...`.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut filter = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                Failure::usage("where", format!("`{part}` is not of the form name=value"))
            })?;
            let value = value.trim().to_owned();
            let wrong = |error: String| Failure::usage(format!("where: {}", name.trim()), error);
            match name.trim() {
                "state" => {
                    filter
                        .state
                        .push(value.parse().map_err(|error| wrong(format!("{error}")))?);
                }
                "kind" => {
                    filter.kind = Some(value.parse().map_err(|error| wrong(format!("{error}")))?);
                }
                "server" => filter.server = Some(value),
                "account" => filter.account = Some(value),
                "since" => filter.since = Some(value),
                "error" => filter.error = Some(value),
                other => {
                    return Err(Failure::usage(
                        "where",
                        format!(
                            "`{other}` is not known; known are state, kind, server, account, since, error"
                        ),
                    ));
                }
            }
        }
        Ok(filter)
    }

    /// Looks names up.
    pub(super) async fn resolve(self, store: &Store, limit: u64) -> Result<JobFilter, Failure> {
        let since = match &self.since {
            Some(text) => Some(
                time::past(text, store.now().await?)
                    .map_err(|error| Failure::usage("since", error))?,
            ),
            None => None,
        };
        let mut filter = JobFilter {
            states: self.state,
            kind: self.kind,
            since,
            error_code: self.error,
            limit,
            ..JobFilter::default()
        };
        if let Some(name) = &self.server {
            filter.servers = Some(servers(store, name).await?);
        }
        if let Some(text) = &self.account {
            filter.account_id = Some(account(store, text, self.server.as_deref()).await?);
        }
        Ok(filter)
    }
}

/// The servers that have or had that name.
async fn servers(store: &Store, name: &str) -> Result<Vec<i64>, Failure> {
    let rows = server::Entity::find()
        .filter(server::Column::Name.eq(name))
        .all(store.reader())
        .await
        .map_err(jobs::store::StoreError::from)?;
    if rows.is_empty() {
        return Err(Failure::usage(
            "server",
            format!("there is no server `{name}`"),
        ));
    }
    Ok(rows.iter().map(|row| row.id).collect())
}

async fn account(store: &Store, text: &str, server: Option<&str>) -> Result<i64, Failure> {
    let by_id = store.account(&Selector::Id(text.to_owned())).await?;
    if let Some(row) = by_id {
        return Ok(row.id);
    }
    let by_name = match (server, text.parse::<Username>()) {
        (Some(server), Ok(username)) => {
            let server = server
                .parse::<ServerName>()
                .map_err(|error| Failure::usage("server", error.to_string()))?;
            let servers = servers(store, server.as_str()).await?;
            account::Entity::find()
                .filter(account::Column::Username.eq(username.as_str()))
                .filter(account::Column::ServerId.is_in(servers))
        }
        _ => account::Entity::find().filter(account::Column::Reference.eq(text)),
    };
    let mut rows = by_name
        .all(store.reader())
        .await
        .map_err(jobs::store::StoreError::from)?;
    rows.sort_by_key(|row| (row.terminated_at.is_some(), -row.id));
    match rows.first() {
        Some(row) => Ok(row.id),
        None => Err(Failure::usage(
            "account",
            format!(
                "no account has the id, reference or username `{text}`; a username needs --server"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_where_names_what_it_does_not_understand() {
        let filter = Filter::parse("state=failed, kind=create,server=web1").unwrap();
        assert_eq!(filter.state, [JobState::Failed]);
        assert_eq!(filter.kind, Some(JobKind::Create));
        for (bad, word) in [
            ("stat=x", "stat"),
            ("state=gone", "gone"),
            ("held", "name=value"),
        ] {
            assert!(
                Filter::parse(bad).unwrap_err().to_string().contains(word),
                "{bad}"
            );
        }
    }
}
