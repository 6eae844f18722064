//! What a job may be. A new kind begins here.

use std::collections::BTreeMap;
use std::time::Duration;

use hosting::{DomainName, Email, Limits, Month, PackageName};
use serde::{Deserialize, Serialize};

/// The version of [`JobSpec`]'s shape that this build writes, and the newest that it can read.
/// A job of a newer version is left for a newer worker.
pub const PAYLOAD_VERSION: i32 = 1;

/// A job's kind and what it needs beyond its server and account. Never holds a secret: passwords are
/// sealed beside the job (see [`crate::seal`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobSpec {
    /// Make an account.
    Create(CreateAccount),
    /// Suspend it.
    Suspend,
    /// Lift our suspension of it.
    Unsuspend,
    /// Suspend it because of its traffic. It stands beside a platform's suspension, and each is lifted by itself.
    SuspendOveruse {
        /// The month that was used up.
        month: Month,
    },
    /// Lift that.
    LiftOveruse,
    /// Remove it with its files.
    Terminate,
    /// Put it on another package; overrides are re-applied.
    ChangePackage {
        /// The package, by the name that the panel lists.
        package: PackageName,
    },
    /// Override limits of its package.
    ChangeLimits {
        /// The limits to set; the others stay.
        limits: Limits,
    },
    /// Set its panel password.
    ChangePassword,
    /// Make a link that logs its owner in.
    LoginUrl,
    /// Read the traffic of one month of one server.
    GetStats {
        /// The month, in the panel's time zone.
        month: Month,
    },
    /// Read packages and addresses of a server.
    GetServerConfig,
    /// See whether a server answers and lets us work.
    CheckConnection,
    /// Read all accounts of a server.
    ListAccounts {
        /// Whether unknown ones are taken over as accounts of nobody.
        #[serde(default)]
        import: bool,
    },
    /// Clear a lock after failed logins.
    Unlock,
    /// Give it to another owner on the same server.
    Move {
        /// The panel's word for the owner: reseller's name, admin's id.
        target: String,
    },
    /// Read the account's virtual machines.
    VmList,
    /// Read one of them.
    VmGet {
        /// The panel's id of it.
        vm: String,
    },
    /// Make one.
    VmCreate(NewVm),
    /// Switch one on.
    VmStart {
        /// The panel's id of it.
        vm: String,
    },
    /// Switch one off.
    VmStop {
        /// The panel's id of it.
        vm: String,
    },
    /// Restart one.
    VmReboot {
        /// The panel's id of it.
        vm: String,
    },
    /// Start one from a rescue image.
    VmRescue {
        /// The panel's id of it.
        vm: String,
    },
    /// Start one from its disk again.
    VmUnrescue {
        /// The panel's id of it.
        vm: String,
    },
    /// Wipe one and install an image. Never sent again without a person's word.
    VmRebuild {
        /// The panel's id of it.
        vm: String,
        /// The panel's id of the image.
        template: String,
    },
    /// Read something of our account with a supplier.
    AskSupplier {
        /// What: `balance`, `invoices`, ...
        question: String,
    },
    /// Tell a billing platform what became of something.
    DeliverWebhook {
        /// The endpoint's row.
        endpoint_id: i64,
        /// The event's name, `job.succeeded`.
        event: String,
        /// The event's data.
        data: serde_json::Value,
    },
}

/// What a create asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateAccount {
    /// The main domain.
    pub domain: DomainName,
    /// The owner's mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// The package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Overrides of the package.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Whether it shall have an address of its own.
    #[serde(default)]
    pub dedicated_ip: bool,
    /// What only its panel wants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub panel: BTreeMap<String, serde_json::Value>,
}

/// A virtual machine that shall be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewVm {
    /// Its name; unique in its account, so that a lost answer can be looked up.
    pub label: String,
    /// The panel's id of the image.
    pub template: String,
    /// The panel's id of the size, where it has sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// The disk, in GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<u64>,
}

/// A kind without its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described at JobSpec")]
pub enum JobKind {
    Create,
    Suspend,
    Unsuspend,
    SuspendOveruse,
    LiftOveruse,
    Terminate,
    ChangePackage,
    ChangeLimits,
    ChangePassword,
    LoginUrl,
    GetStats,
    GetServerConfig,
    CheckConnection,
    ListAccounts,
    Unlock,
    Move,
    VmList,
    VmGet,
    VmCreate,
    VmStart,
    VmStop,
    VmReboot,
    VmRescue,
    VmUnrescue,
    VmRebuild,
    AskSupplier,
    DeliverWebhook,
}

/// Which list a job waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Somebody waits for it.
    Interactive,
    /// Nobody does.
    Bulk,
}

impl Lane {
    /// As the `lane` column holds it; the smaller goes first.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Lane::Interactive => 0,
            Lane::Bulk => 1,
        }
    }

    /// From the column; what is not 0 is bulk.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        if number == 0 {
            Lane::Interactive
        } else {
            Lane::Bulk
        }
    }
}

/// The numbers that hold for a kind (design: "One attempt").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Which list it waits in.
    pub lane: Lane,
    /// How long one call to the panel may take.
    pub deadline: Duration,
    /// How often it is tried.
    pub max_tries: i32,
    /// How old it may become.
    pub max_age: Duration,
    /// How long a change of unknown outcome may still be running on the panel; `None` for readers.
    pub settle: Option<Duration>,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl JobKind {
    /// All kinds.
    pub const ALL: [JobKind; 27] = [
        JobKind::Create,
        JobKind::Suspend,
        JobKind::Unsuspend,
        JobKind::SuspendOveruse,
        JobKind::LiftOveruse,
        JobKind::Terminate,
        JobKind::ChangePackage,
        JobKind::ChangeLimits,
        JobKind::ChangePassword,
        JobKind::LoginUrl,
        JobKind::GetStats,
        JobKind::GetServerConfig,
        JobKind::CheckConnection,
        JobKind::ListAccounts,
        JobKind::Unlock,
        JobKind::Move,
        JobKind::VmList,
        JobKind::VmGet,
        JobKind::VmCreate,
        JobKind::VmStart,
        JobKind::VmStop,
        JobKind::VmReboot,
        JobKind::VmRescue,
        JobKind::VmUnrescue,
        JobKind::VmRebuild,
        JobKind::AskSupplier,
        JobKind::DeliverWebhook,
    ];

    /// The name that outsiders and the `kind` column use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JobKind::Create => "create",
            JobKind::Suspend => "suspend",
            JobKind::Unsuspend => "unsuspend",
            JobKind::SuspendOveruse => "suspend_overuse",
            JobKind::LiftOveruse => "lift_overuse",
            JobKind::Terminate => "terminate",
            JobKind::ChangePackage => "change_package",
            JobKind::ChangeLimits => "change_limits",
            JobKind::ChangePassword => "change_password",
            JobKind::LoginUrl => "login_url",
            JobKind::GetStats => "get_stats",
            JobKind::GetServerConfig => "get_server_config",
            JobKind::CheckConnection => "check_connection",
            JobKind::ListAccounts => "list_accounts",
            JobKind::Unlock => "unlock",
            JobKind::Move => "move",
            JobKind::VmList => "vm_list",
            JobKind::VmGet => "vm_get",
            JobKind::VmCreate => "vm_create",
            JobKind::VmStart => "vm_start",
            JobKind::VmStop => "vm_stop",
            JobKind::VmReboot => "vm_reboot",
            JobKind::VmRescue => "vm_rescue",
            JobKind::VmUnrescue => "vm_unrescue",
            JobKind::VmRebuild => "vm_rebuild",
            JobKind::AskSupplier => "ask_supplier",

            JobKind::DeliverWebhook => "deliver_webhook",
        }
    }

    /// Whether it changes something on the panel. Those need an idempotency key and stand in the
    /// account's line, one at a time, in the order of intake.
    #[must_use]
    pub const fn changes(self) -> bool {
        match self {
            JobKind::Create
            | JobKind::Suspend
            | JobKind::Unsuspend
            | JobKind::SuspendOveruse
            | JobKind::LiftOveruse
            | JobKind::Terminate
            | JobKind::ChangePackage
            | JobKind::ChangeLimits
            | JobKind::ChangePassword
            | JobKind::Unlock
            | JobKind::Move
            | JobKind::VmCreate
            | JobKind::VmStart
            | JobKind::VmStop
            | JobKind::VmReboot
            | JobKind::VmRescue
            | JobKind::VmUnrescue
            | JobKind::VmRebuild => true,
            JobKind::LoginUrl
            | JobKind::GetStats
            | JobKind::GetServerConfig
            | JobKind::CheckConnection
            | JobKind::ListAccounts
            | JobKind::VmList
            | JobKind::VmGet
            | JobKind::AskSupplier
            | JobKind::DeliverWebhook => false,
        }
    }

    /// Whether it is about one account.
    #[must_use]
    pub const fn has_account(self) -> bool {
        self.changes() || matches!(self, JobKind::LoginUrl | JobKind::VmList | JobKind::VmGet)
    }

    /// The kind that a panel's rules speak of: to a panel a suspension is one, whatever it is for.
    #[must_use]
    pub const fn on_the_panel(self) -> Self {
        match self {
            JobKind::SuspendOveruse => JobKind::Suspend,
            JobKind::LiftOveruse => JobKind::Unsuspend,
            other => other,
        }
    }

    /// Its numbers.
    #[must_use]
    pub const fn policy(self) -> Policy {
        let (lane, deadline, max_tries, max_age, settle) = match self {
            JobKind::Create => (Lane::Interactive, 180, 8, 24 * HOUR.as_secs(), Some(300)),
            JobKind::Suspend
            | JobKind::Unsuspend
            | JobKind::SuspendOveruse
            | JobKind::LiftOveruse
            | JobKind::ChangePackage
            | JobKind::ChangeLimits
            | JobKind::ChangePassword
            | JobKind::Unlock
            | JobKind::Move
            | JobKind::VmCreate
            | JobKind::VmStart
            | JobKind::VmStop
            | JobKind::VmReboot
            | JobKind::VmRescue
            | JobKind::VmUnrescue
            | JobKind::VmRebuild => (Lane::Interactive, 120, 10, 24 * HOUR.as_secs(), Some(120)),
            JobKind::Terminate => (Lane::Interactive, 600, 10, 72 * HOUR.as_secs(), Some(600)),
            JobKind::LoginUrl
            | JobKind::CheckConnection
            | JobKind::GetServerConfig
            | JobKind::VmList
            | JobKind::VmGet
            | JobKind::AskSupplier => (Lane::Interactive, 30, 2, 2 * MINUTE.as_secs(), None),
            JobKind::GetStats | JobKind::ListAccounts => {
                (Lane::Bulk, 300, 6, 20 * HOUR.as_secs(), None)
            }
            // So many double from 5 seconds to 12 hours until the three days are nearly over.
            JobKind::DeliverWebhook => (Lane::Bulk, 15, 19, 72 * HOUR.as_secs(), None),
        };
        Policy {
            lane,
            deadline: Duration::from_secs(deadline),
            max_tries,
            max_age: Duration::from_secs(max_age),
            settle: match settle {
                Some(seconds) => Some(Duration::from_secs(seconds)),
                None => None,
            },
        }
    }

    /// How long a claim of it is valid: every call that one attempt makes ends well before.
    ///
    /// An attempt reads, changes and reads back, and may take several changing steps; each single call
    /// is bounded by the deadline, the whole attempt by [`Self::attempt_limit`].
    #[must_use]
    pub fn lease(self) -> Duration {
        self.attempt_limit() + 30 * SECOND
    }

    /// After this long the executor ends the attempt itself, whatever it waits for.
    #[must_use]
    pub fn attempt_limit(self) -> Duration {
        self.policy().deadline * 2 + 60 * SECOND
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of job; known are {known}", known = JobKind::ALL.map(JobKind::name).join(", "))]
pub struct UnknownKind(String);

impl std::str::FromStr for JobKind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        JobKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownKind(text.chars().take(40).collect()))
    }
}

impl JobSpec {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            JobSpec::Create(_) => JobKind::Create,
            JobSpec::Suspend => JobKind::Suspend,
            JobSpec::Unsuspend => JobKind::Unsuspend,
            JobSpec::SuspendOveruse { .. } => JobKind::SuspendOveruse,
            JobSpec::LiftOveruse => JobKind::LiftOveruse,
            JobSpec::Terminate => JobKind::Terminate,
            JobSpec::ChangePackage { .. } => JobKind::ChangePackage,
            JobSpec::ChangeLimits { .. } => JobKind::ChangeLimits,
            JobSpec::ChangePassword => JobKind::ChangePassword,
            JobSpec::LoginUrl => JobKind::LoginUrl,
            JobSpec::GetStats { .. } => JobKind::GetStats,
            JobSpec::GetServerConfig => JobKind::GetServerConfig,
            JobSpec::CheckConnection => JobKind::CheckConnection,
            JobSpec::ListAccounts { .. } => JobKind::ListAccounts,
            JobSpec::Unlock => JobKind::Unlock,
            JobSpec::Move { .. } => JobKind::Move,
            JobSpec::VmList => JobKind::VmList,
            JobSpec::VmGet { .. } => JobKind::VmGet,
            JobSpec::VmCreate(_) => JobKind::VmCreate,
            JobSpec::VmStart { .. } => JobKind::VmStart,
            JobSpec::VmStop { .. } => JobKind::VmStop,
            JobSpec::VmReboot { .. } => JobKind::VmReboot,
            JobSpec::VmRescue { .. } => JobKind::VmRescue,
            JobSpec::VmUnrescue { .. } => JobKind::VmUnrescue,
            JobSpec::VmRebuild { .. } => JobKind::VmRebuild,
            JobSpec::AskSupplier { .. } => JobKind::AskSupplier,

            JobSpec::DeliverWebhook { .. } => JobKind::DeliverWebhook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name_everywhere() {
        for kind in JobKind::ALL {
            assert_eq!(kind.name().parse::<JobKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert!(
            "make"
                .parse::<JobKind>()
                .unwrap_err()
                .to_string()
                .contains("change_package")
        );
    }

    #[test]
    fn every_lease_outlives_the_attempt_and_every_settle_time_is_a_changing_kinds() {
        for kind in JobKind::ALL {
            assert!(
                kind.lease() > kind.attempt_limit()
                    && kind.attempt_limit() > kind.policy().deadline
            );
            assert_eq!(kind.policy().settle.is_some(), kind.changes(), "{kind}");
        }
    }

    /// Payloads of released versions stay readable: this is the shape of version 1.
    #[test]
    fn payloads_of_version_1_are_read() {
        for (text, kind) in [
            (
                r#"{"kind":"create","domain":"a.example.com","package":"gold","limits":{"disk_mb":5},"dedicated_ip":false}"#,
                JobKind::Create,
            ),
            (r#"{"kind":"suspend"}"#, JobKind::Suspend),
            (
                r#"{"kind":"get_stats","month":"2026-11"}"#,
                JobKind::GetStats,
            ),
            (r#"{"kind":"list_accounts"}"#, JobKind::ListAccounts),
            (r#"{"kind":"move","target":"5"}"#, JobKind::Move),
        ] {
            assert_eq!(serde_json::from_str::<JobSpec>(text).unwrap().kind(), kind);
        }
    }
}
