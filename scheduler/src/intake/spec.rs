//! The typed job of a request, by the value types and the server's rules.

use std::collections::BTreeMap;

use hosting::{
    AccountDraft, FieldError, Limit, LimitName, Limits, Month, PackageName, Reference, Username,
};
use jobs::store::Target;
use jobs::{CreateAccount, JobKind, JobSpec, NewVm};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::account::parse;
use super::check::{Stop, short};
use super::request::AccountRequest;
use super::servers::ServerFacts;

/// The fields that are not right, so that all are told at once; each once, with the first reason found.
#[derive(Default)]
pub(super) struct Wrong(pub(super) Vec<FieldError>);

impl Wrong {
    /// Keeps the fields of a refusal and goes on; any other problem ends the check.
    pub(super) fn keep<T>(&mut self, result: Result<T, Stop>) -> Result<Option<T>, Stop> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Stop(problem)) if problem.errors.is_empty() => Err(Stop(problem)),
            Err(Stop(problem)) => {
                for error in problem.errors {
                    if self.0.iter().all(|known| known.field != error.field) {
                        self.0.push(error);
                    }
                }
                Ok(None)
            }
        }
    }
}

pub(super) fn new_account(account: &AccountRequest, server: &ServerFacts) -> Result<Target, Stop> {
    Ok(Target::New {
        reference: account
            .reference
            .as_deref()
            .map(|text| parse::<Reference>("account.reference", text))
            .transpose()?,
        username: account
            .username
            .as_deref()
            .map(|text| parse::<Username>("account.username", text))
            .transpose()?,
        rules: Box::new(server.rules.clone()),
    })
}

pub(super) fn limits(given: Option<&BTreeMap<String, Value>>) -> Result<Limits, Stop> {
    let mut limits = Limits::new();
    let mut errors = Vec::new();
    for (name, value) in given.into_iter().flatten() {
        let path = || format!("account.limits.{}", short(name));
        match (
            name.parse::<LimitName>(),
            serde_json::from_value::<Limit>(value.clone()),
        ) {
            (Ok(name), Ok(limit)) => limits.set(name, limit),
            (Err(error), _) => errors.push(FieldError::new(path(), error.why)),
            (_, Err(error)) => errors.push(FieldError::new(path(), error.to_string())),
        }
    }
    if errors.is_empty() {
        Ok(limits)
    } else {
        Err(Stop::fields(errors))
    }
}

pub(super) fn by_the_rules(
    kind: JobKind,
    account: &AccountRequest,
    limits: &Limits,
    server: &ServerFacts,
) -> Result<(), Stop> {
    let given = account.given();
    let draft = AccountDraft {
        kind: kind.name(),
        username: account.username.as_deref(),
        given: &given,
        password: account
            .password
            .as_ref()
            .map(|password| password.0.expose_secret()),
        limits: Some(limits),
        dedicated_ip: account.dedicated_ip == Some(true),
        panel: account.panel.as_ref(),
    };
    let mut errors = server.rules.check(&draft);
    if let Some(package) = &account.package
        && let Some(why) = server.lacks_package(package)
    {
        errors.push(FieldError::new("account.package", why));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Stop::fields(errors))
    }
}

/// What a request says beside its account.
pub(super) struct More<'a> {
    pub(super) month: Option<&'a str>,
    pub(super) import: Option<bool>,
    pub(super) question: Option<&'a str>,
}

pub(super) fn spec(
    kind: JobKind,
    account: &AccountRequest,
    limits: Limits,
    more: &More<'_>,
) -> Result<JobSpec, Stop> {
    let required = |field: &str| Stop::field(field, "is required");
    Ok(match kind {
        JobKind::Create => JobSpec::Create(create(account, limits)?),
        JobKind::Suspend => JobSpec::Suspend,
        JobKind::Unsuspend => JobSpec::Unsuspend,
        JobKind::Terminate => JobSpec::Terminate,
        JobKind::ChangePackage => JobSpec::ChangePackage {
            package: package(account)?.ok_or_else(|| required("account.package"))?,
        },
        JobKind::ChangeLimits if limits.is_empty() => return Err(required("account.limits")),
        JobKind::ChangeLimits => JobSpec::ChangeLimits { limits },
        JobKind::ChangePassword if account.password.is_none() => {
            return Err(required("account.password"));
        }
        JobKind::ChangePassword => JobSpec::ChangePassword,
        JobKind::LoginUrl => JobSpec::LoginUrl,
        JobKind::GetStats => JobSpec::GetStats {
            month: more
                .month
                .ok_or_else(|| required("month"))?
                .parse::<Month>()
                .map_err(|error| Stop::field("month", error.to_string()))?,
        },
        JobKind::GetServerConfig => JobSpec::GetServerConfig,
        JobKind::CheckConnection => JobSpec::CheckConnection,
        JobKind::ListAccounts => JobSpec::ListAccounts {
            import: more.import.unwrap_or(false),
        },
        JobKind::Unlock => JobSpec::Unlock,
        JobKind::Move => JobSpec::Move {
            target: panel_text(account, "target")?,
        },
        JobKind::VmList => JobSpec::VmList,
        JobKind::VmGet => JobSpec::VmGet { vm: vm(account)? },
        JobKind::VmCreate => JobSpec::VmCreate(new_vm(account)?),
        JobKind::VmStart => JobSpec::VmStart { vm: vm(account)? },
        JobKind::VmStop => JobSpec::VmStop { vm: vm(account)? },
        JobKind::VmReboot => JobSpec::VmReboot { vm: vm(account)? },
        JobKind::VmRescue => JobSpec::VmRescue { vm: vm(account)? },
        JobKind::VmUnrescue => JobSpec::VmUnrescue { vm: vm(account)? },
        JobKind::VmRebuild => JobSpec::VmRebuild {
            vm: vm(account)?,
            template: panel_text(account, "template")?,
        },
        JobKind::AskSupplier => JobSpec::AskSupplier {
            question: question(more.question)?,
        },
        JobKind::SuspendOveruse | JobKind::LiftOveruse | JobKind::DeliverWebhook => {
            return Err(Stop::field("kind", "is internal"));
        }
    })
}

fn create(account: &AccountRequest, limits: Limits) -> Result<CreateAccount, Stop> {
    let mut wrong = Wrong::default();
    let domain = match account.domain.as_deref() {
        Some(text) => wrong.keep(parse("account.domain", text))?,
        None => wrong.keep(Err(Stop::field("account.domain", "is required")))?,
    };
    let email = account
        .email
        .as_deref()
        .map(|text| parse("account.email", text));
    let email = wrong.keep(email.transpose())?;
    let package = wrong.keep(package(account))?;
    let (Some(domain), Some(email), Some(package)) = (domain, email, package) else {
        return Err(Stop::fields(wrong.0));
    };
    Ok(CreateAccount {
        domain,
        email,
        package,
        limits,
        dedicated_ip: account.dedicated_ip.unwrap_or(false),
        panel: account.panel.clone().unwrap_or_default(),
    })
}

fn package(account: &AccountRequest) -> Result<Option<PackageName>, Stop> {
    account
        .package
        .as_deref()
        .map(|text| parse("account.package", text))
        .transpose()
}

/// A field of `account.panel`: a panel's word for something may be a name or a number.
fn panel_text(account: &AccountRequest, name: &str) -> Result<String, Stop> {
    let given = account.panel.as_ref().and_then(|panel| panel.get(name));
    match given {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Stop::field(&format!("account.panel.{name}"), "is required")),
    }
}

fn vm(account: &AccountRequest) -> Result<String, Stop> {
    panel_text(account, "vm")
}

fn new_vm(account: &AccountRequest) -> Result<NewVm, Stop> {
    Ok(NewVm {
        label: panel_text(account, "label")?,
        template: panel_text(account, "template")?,
        flavor: panel_text(account, "flavor").ok(),
        disk_gb: panel_text(account, "disk_gb")
            .ok()
            .and_then(|text| text.parse().ok()),
    })
}

fn question(text: Option<&str>) -> Result<String, Stop> {
    const KNOWN: [&str; 6] = [
        "balance",
        "invoices",
        "services",
        "dns_zones",
        "tickets",
        "contacts",
    ];
    match text {
        Some(text) if KNOWN.contains(&text) => Ok(text.to_owned()),
        _ => {
            let why = format!("must be one of {}", KNOWN.join(", "));
            Err(Stop::field("question", why))
        }
    }
}
