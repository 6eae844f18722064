//! Who asks, and what they may.

use std::collections::BTreeSet;

use jobs::{JobKind, OPERATOR};
use serde::{Deserialize, Serialize};

use crate::Problem;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Make accounts.
    Create,
    /// Suspend and unsuspend them.
    Suspend,
    /// Remove them.
    Terminate,
    /// Package, limits, password, owner, lock; login links and secrets.
    Change,
    /// See the own platform's jobs and accounts, and the servers.
    Read,
    /// See and fetch traffic.
    Traffic,
    /// See everything with the operator's detail; replay and cancel anything.
    Operate,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 8] = [
        Scope::Create,
        Scope::Suspend,
        Scope::Terminate,
        Scope::Change,
        Scope::Read,
        Scope::Traffic,
        Scope::Operate,
        Scope::Admin,
    ];

    /// The name that outsiders write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Create => "create",
            Scope::Suspend => "suspend",
            Scope::Terminate => "terminate",
            Scope::Change => "change",
            Scope::Read => "read",
            Scope::Traffic => "traffic",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        }
    }

    /// What it takes to ask for a job of that kind; `None` = nobody can, it is internal.
    #[must_use]
    pub const fn of_kind(kind: JobKind) -> Option<Self> {
        match kind {
            JobKind::Create => Some(Scope::Create),
            JobKind::Suspend | JobKind::Unsuspend => Some(Scope::Suspend),
            JobKind::Terminate => Some(Scope::Terminate),
            JobKind::ChangePackage
            | JobKind::ChangeLimits
            | JobKind::ChangePassword
            | JobKind::LoginUrl
            | JobKind::Unlock
            | JobKind::Move
            | JobKind::VmCreate
            | JobKind::VmStart
            | JobKind::VmStop
            | JobKind::VmReboot
            | JobKind::VmRescue
            | JobKind::VmUnrescue
            | JobKind::VmRebuild => Some(Scope::Change),
            JobKind::GetStats => Some(Scope::Traffic),
            JobKind::GetServerConfig
            | JobKind::CheckConnection
            | JobKind::VmList
            | JobKind::VmGet => Some(Scope::Read),
            // They show what belongs to all accounts of the server, whoever's.
            JobKind::ListAccounts | JobKind::AskSupplier => Some(Scope::Operate),
            JobKind::SuspendOveruse | JobKind::LiftOveruse | JobKind::DeliverWebhook => None,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope; known are {known}", known = Scope::ALL.map(Scope::name).join(", "))]
pub struct UnknownScope(String);

impl std::str::FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| UnknownScope(text.chars().take(40).collect()))
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The billing platform; [`OPERATOR`] for the operator's own.
    pub platform_id: i64,
    /// The token's row, where one was used.
    pub token_id: Option<i64>,
    /// As the history names it: `token:<public id>`, `operator:<user>`, `cron`.
    pub actor: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The only servers that it may touch; `None` = all.
    pub servers: Option<BTreeSet<String>>,
}

impl Caller {
    /// The operator at the command line: everything.
    pub fn operator(user: &str) -> Self {
        Self {
            platform_id: OPERATOR,
            token_id: None,
            actor: format!("operator:{user}"),
            scopes: BTreeSet::from([Scope::Admin]),
            servers: None,
        }
    }

    /// Whether it has the scope (`admin` has all, `operate` also reads).
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        let implied = match scope {
            Scope::Read | Scope::Traffic => self.scopes.contains(&Scope::Operate),
            _ => false,
        };
        implied || self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// # Errors
    /// 403, naming the scope.
    pub fn need(&self, scope: Scope) -> Result<(), Problem> {
        if self.may(scope) {
            Ok(())
        } else {
            Err(Problem::forbidden(format!("it needs the scope `{scope}`")))
        }
    }

    /// Whether it sees other platforms' rows, and the operator's detail.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.may(Scope::Operate)
    }

    /// Whether a row of that platform is its to see.
    #[must_use]
    pub fn sees_platform(&self, platform_id: Option<i64>) -> bool {
        self.sees_all() || platform_id == Some(self.platform_id)
    }

    /// Whether it may touch that server.
    #[must_use]
    pub fn may_touch(&self, server: &str) -> bool {
        self.servers
            .as_ref()
            .is_none_or(|allowed| allowed.contains(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(scopes: &[Scope]) -> Caller {
        Caller {
            scopes: scopes.iter().copied().collect(),
            platform_id: 1,
            ..Caller::operator("x")
        }
    }

    #[test]
    fn a_scope_gives_what_it_says_and_no_more() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse::<Scope>().unwrap(), scope);
            let caller = with(&[scope]);
            for other in Scope::ALL {
                let implied = scope == Scope::Admin
                    || (scope == Scope::Operate && [Scope::Read, Scope::Traffic].contains(&other));
                assert_eq!(
                    caller.may(other),
                    other == scope || implied,
                    "{scope} {other}"
                );
            }
        }
        assert!(!with(&[Scope::Create, Scope::Suspend]).may(Scope::Terminate));
    }

    #[test]
    fn what_hostler_does_by_itself_is_nobodys_to_ask_for() {
        let internal: Vec<_> = JobKind::ALL
            .into_iter()
            .filter(|kind| Scope::of_kind(*kind).is_none())
            .collect();
        assert_eq!(
            internal,
            [
                JobKind::SuspendOveruse,
                JobKind::LiftOveruse,
                JobKind::DeliverWebhook
            ]
        );
    }

    #[test]
    fn rows_of_others_are_seen_by_operators_alone() {
        assert!(with(&[Scope::Read]).sees_platform(Some(1)));
        assert!(
            !with(&[Scope::Read]).sees_platform(Some(2))
                && !with(&[Scope::Read]).sees_platform(None)
        );
        assert!(with(&[Scope::Operate]).sees_platform(Some(2)));
    }
}
