//! From a request as sent to a job as typed, or the fields that are not right.

use std::sync::Arc;

use entity::webhook_endpoint;
use hosting::FieldError;
use jobs::store::{Store, StoreError, Target};
use jobs::{JobKind, JobSpec};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::SecretString;

use super::request::{AccountRequest, JobRequest};
use super::servers::{ServerFacts, Servers};
use super::spec::{More, Wrong, by_the_rules, limits, new_account, spec};
use crate::caller::{Caller, Scope};
use crate::{Problem, times};

/// A job may be scheduled this far ahead.
const FARTHEST_MS: i64 = 400 * 86_400_000;

/// A request that is found to be right.
pub(super) struct Checked {
    pub(super) spec: JobSpec,
    pub(super) server: Arc<ServerFacts>,
    pub(super) target: Target,
    pub(super) password: Option<SecretString>,
    pub(super) due_at: Option<i64>,
}

/// Why a check ended: a problem to answer with.
pub(super) struct Stop(pub(super) Problem);

impl Stop {
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Self(Problem::field(field, message))
    }
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        Self(Problem::invalid(errors))
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<sea_orm::DbErr> for Stop {
    fn from(error: sea_orm::DbErr) -> Self {
        Self(error.into())
    }
}

/// Checks the requests of one call.
pub(super) struct Checker<'a> {
    pub(super) store: &'a Store,
    pub(super) caller: &'a Caller,
    pub(super) servers: Servers<'a>,
    pub(super) now: i64,
}

/// The kind, if the caller may ask for it.
pub(super) fn kind_of(caller: &Caller, request: &JobRequest) -> Result<JobKind, Problem> {
    let kind: JobKind = request
        .kind
        .parse()
        .map_err(|error: jobs::UnknownKind| Problem::field("kind", error.to_string()))?;
    let Some(scope) = Scope::of_kind(kind) else {
        return Err(Problem::field("kind", "is internal; nobody can ask for it"));
    };
    caller.need(scope)?;
    Ok(kind)
}

/// The fields of `account` that a kind uses besides those that name it.
pub(crate) fn uses(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::Create => &[
            "email",
            "package",
            "password",
            "limits",
            "dedicated_ip",
            "panel",
        ],
        JobKind::ChangePackage => &["package"],
        JobKind::ChangeLimits => &["limits"],
        JobKind::ChangePassword => &["password"],
        JobKind::Move
        | JobKind::VmGet
        | JobKind::VmStart
        | JobKind::VmStop
        | JobKind::VmReboot
        | JobKind::VmRescue
        | JobKind::VmUnrescue
        | JobKind::VmRebuild => &["panel"],
        JobKind::VmCreate => &["panel", "password"],
        JobKind::Suspend
        | JobKind::Unsuspend
        | JobKind::SuspendOveruse
        | JobKind::LiftOveruse
        | JobKind::Terminate
        | JobKind::LoginUrl
        | JobKind::Unlock
        | JobKind::GetStats
        | JobKind::GetServerConfig
        | JobKind::CheckConnection
        | JobKind::ListAccounts
        | JobKind::VmList
        | JobKind::AskSupplier
        | JobKind::DeliverWebhook => &[],
    }
}

impl Checker<'_> {
    pub(super) async fn check(
        &mut self,
        kind: JobKind,
        request: JobRequest,
    ) -> Result<Checked, Stop> {
        self.unused_fields(kind, &request)?;
        let due_at = self.due_at(request.due_at.as_deref())?;
        self.texts(&request).await?;
        let named = match &request.server {
            Some(name) => Some(self.server(name).await?),
            None => None,
        };
        let account = request.account.unwrap_or_default();
        let mut wrong = Wrong::default();
        let (target, server) = match kind {
            JobKind::Create => {
                let server = named.ok_or_else(|| Stop::field("server", "is required"))?;
                (wrong.keep(new_account(&account, &server))?, server)
            }
            kind if kind.has_account() => {
                let meant = self.find_account(kind, named, &account).await?;
                (Some(meant.target), meant.server)
            }
            _ => {
                let server = named.ok_or_else(|| Stop::field("server", "is required"))?;
                (Some(Target::Nobody), server)
            }
        };
        let limits = wrong
            .keep(limits(account.limits.as_ref()))?
            .unwrap_or_default();
        wrong.keep(by_the_rules(kind, &account, &limits, &server))?;
        let more = More {
            month: request.month.as_deref(),
            import: request.import,
            question: request.question.as_deref(),
        };
        let spec = wrong.keep(spec(kind, &account, limits, &more))?;
        let (Some(spec), Some(target)) = (spec, target) else {
            return Err(Stop::fields(wrong.0));
        };
        if !wrong.0.is_empty() {
            return Err(Stop::fields(wrong.0));
        }
        Ok(Checked {
            spec,
            server,
            target,
            password: account.password.map(|password| password.0),
            due_at,
        })
    }

    /// # Errors
    /// 403 when the token's list of servers lacks it, whether it exists or not.
    pub(super) fn may_touch(&self, name: &str) -> Result<(), Stop> {
        if self.caller.may_touch(name) {
            Ok(())
        } else {
            Err(Problem::forbidden(format!(
                "its list of servers does not hold `{}`",
                short(name)
            ))
            .into())
        }
    }

    async fn server(&mut self, name: &str) -> Result<Arc<ServerFacts>, Stop> {
        self.may_touch(name)?;
        self.servers
            .named(name)
            .await?
            .ok_or_else(|| Stop::field("server", format!("there is no server `{}`", short(name))))
    }

    fn unused_fields(&self, kind: JobKind, request: &JobRequest) -> Result<(), Stop> {
        let mut errors = Vec::new();
        let mut refuse = |field: String| {
            errors.push(FieldError::new(
                field,
                format!("is not used by {kind}; leave it out"),
            ));
        };
        if request.month.is_some() && kind != JobKind::GetStats {
            refuse("month".to_owned());
        }
        if request.question.is_some() && kind != JobKind::AskSupplier {
            refuse("question".to_owned());
        }
        if request.import == Some(true) && kind != JobKind::ListAccounts {
            refuse("import".to_owned());
        }
        for field in request.account.iter().flat_map(AccountRequest::given) {
            let names = ["id", "reference", "username", "domain"].contains(&field);
            let fits = if names {
                kind.has_account() && !(field == "id" && kind == JobKind::Create)
            } else {
                uses(kind).contains(&field)
            };
            if !fits {
                refuse(format!("account.{field}"));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Stop::fields(errors))
        }
    }

    fn due_at(&self, text: Option<&str>) -> Result<Option<i64>, Stop> {
        let Some(text) = text else { return Ok(None) };
        let at = times::parse_rfc3339(text).map_err(|why| Stop::field("due_at", why))?;
        if at > self.now + FARTHEST_MS {
            return Err(Stop::field("due_at", "must be within 400 days"));
        }
        Ok(Some(at))
    }

    async fn texts(&self, request: &JobRequest) -> Result<(), Stop> {
        if let Some(reason) = &request.reason
            && (reason.chars().count() > 500 || reason.chars().any(char::is_control))
        {
            return Err(Stop::field(
                "reason",
                "must have at most 500 characters, without control characters",
            ));
        }
        let Some(name) = &request.webhook else {
            return Ok(());
        };
        let known = webhook_endpoint::Entity::find()
            .filter(webhook_endpoint::Column::PlatformId.eq(self.caller.platform_id))
            .filter(webhook_endpoint::Column::Name.eq(name.as_str()))
            .one(self.store.reader())
            .await?;
        if known.is_some() {
            Ok(())
        } else {
            Err(Stop::field(
                "webhook",
                "this platform has no webhook endpoint of that name; an operator adds one",
            ))
        }
    }
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
