//! Which account a request means.

use std::sync::Arc;

use entity::account;
use hosting::{DomainName, FieldError, Reference, Username};
use jobs::JobKind;
use jobs::store::{Selector, Target};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::check::{Checker, Stop};
use super::request::AccountRequest;
use super::servers::ServerFacts;

/// The account that is meant, and its server.
pub(super) struct Meant {
    pub(super) target: Target,
    pub(super) server: Arc<ServerFacts>,
}

impl Checker<'_> {
    /// Finds the account of a kind other than create: by id, by reference, or by server and login name.
    pub(super) async fn find_account(
        &mut self,
        kind: JobKind,
        named_server: Option<Arc<ServerFacts>>,
        request: &AccountRequest,
    ) -> Result<Meant, Stop> {
        let row = match (&request.id, &request.reference) {
            (Some(id), _) => Some(self.by_id(id).await?),
            (None, Some(reference)) => self.by_reference(kind, reference).await?,
            (None, None) => None,
        };
        if let Some(row) = row {
            return self.known(row, named_server, request).await;
        }
        let (Some(server), Some(name)) = (named_server, &request.username) else {
            return Err(match &request.reference {
                Some(_) => Stop::field(
                    "account.reference",
                    "there is no live account with this reference; name it by server and account.username to take it over",
                ),
                None => Stop::field(
                    "account",
                    "name the account by account.id, account.reference, or server and account.username",
                ),
            });
        };
        let username: Username = parse("account.username", name)?;
        self.by_name(server, username, request).await
    }

    async fn by_id(&self, id: &str) -> Result<account::Model, Stop> {
        let row = self.store.account(&Selector::Id(id.to_owned())).await?;
        row.filter(|row| self.caller.sees_platform(row.platform_id))
            .ok_or_else(|| Stop::field("account.id", "there is no such account"))
    }

    async fn by_reference(
        &self,
        kind: JobKind,
        reference: &str,
    ) -> Result<Option<account::Model>, Stop> {
        let reference: Reference = parse("account.reference", reference)?;
        let selector = Selector::Reference {
            platform_id: self.caller.platform_id,
            reference: reference.clone(),
        };
        let live = self.store.account(&selector).await?;
        if live.is_some() || kind != JobKind::Terminate {
            return Ok(live);
        }
        // Asked to remove what is removed: that is done, not an error.
        let gone = account::Entity::find()
            .filter(account::Column::PlatformId.eq(self.caller.platform_id))
            .filter(account::Column::Reference.eq(reference.as_str()))
            .order_by_desc(account::Column::Id)
            .one(self.store.reader())
            .await?;
        Ok(gone)
    }

    async fn by_name(
        &mut self,
        server: Arc<ServerFacts>,
        username: Username,
        request: &AccountRequest,
    ) -> Result<Meant, Stop> {
        let selector = Selector::Name {
            server_id: server.row.id,
            username: username.clone(),
        };
        if let Some(row) = self.store.account(&selector).await? {
            let nobodys = row.platform_id.is_none();
            if !nobodys && !self.caller.sees_platform(row.platform_id) {
                return Err(Stop::field(
                    "account.username",
                    "belongs to another platform's account on this server",
                ));
            }
            return self.known(row, Some(server), request).await;
        }
        let reference = request
            .reference
            .as_deref()
            .map(|text| parse::<Reference>("account.reference", text))
            .transpose()?;
        let domain = request
            .domain
            .as_deref()
            .map(|text| parse::<DomainName>("account.domain", text))
            .transpose()?;
        Ok(Meant {
            target: Target::Unknown {
                reference,
                username,
                domain,
            },
            server,
        })
    }

    /// Whatever else the request says of an account that we know must be true of it: a job shall never
    /// hit an account that its sender does not mean.
    async fn known(
        &mut self,
        row: account::Model,
        named_server: Option<Arc<ServerFacts>>,
        request: &AccountRequest,
    ) -> Result<Meant, Stop> {
        let mut errors = Vec::new();
        if named_server
            .as_ref()
            .is_some_and(|s| s.row.id != row.server_id)
        {
            errors.push(FieldError::new(
                "server",
                "the account is on another server",
            ));
        }
        if let Some(name) = &request.username
            && !name.eq_ignore_ascii_case(&row.username)
        {
            errors.push(FieldError::new(
                "account.username",
                "the account has another login name",
            ));
        }
        if let (Some(asked), Some(has)) = (&request.reference, &row.reference)
            && asked != has
        {
            errors.push(FieldError::new(
                "account.reference",
                "the account has another reference",
            ));
        }
        if let (Some(asked), Some(has)) = (&request.domain, &row.domain) {
            let same = asked
                .parse::<DomainName>()
                .is_ok_and(|domain| domain.as_str() == has);
            if !same {
                errors.push(FieldError::new(
                    "account.domain",
                    "the account has another main domain",
                ));
            }
        }
        if !errors.is_empty() {
            return Err(Stop::fields(errors));
        }
        let server = match named_server {
            Some(server) => server,
            None => self.servers.row(row.server_id).await?.ok_or_else(|| {
                Stop::field("account", "the account's server was removed from Hostler")
            })?,
        };
        self.may_touch(&server.row.name)?;
        Ok(Meant {
            target: Target::Known(row.id),
            server,
        })
    }
}

/// Parses a value type, naming the field when it is not one.
pub(super) fn parse<T>(field: &str, text: &str) -> Result<T, Stop>
where
    T: std::str::FromStr<Err = hosting::Invalid>,
{
    text.parse()
        .map_err(|error: hosting::Invalid| Stop::field(field, error.why))
}
