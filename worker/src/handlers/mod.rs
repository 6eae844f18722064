//! What each kind of job looks for on the panel, and does.

mod ask_supplier;
mod change_limits;
mod change_package;
mod change_password;
mod check_connection;
mod create;
mod deliver_webhook;
mod get_server_config;
mod get_stats;
mod list_accounts;
mod login_url;
mod move_to;
mod order;
mod subject;
mod suspend;
mod terminate;
mod unlock;
mod unsuspend;
mod vm;

use async_trait::async_trait;
use jobs::JobSpec;
use jobs::faults::Point;
use panels::MachineAction;

use crate::attempt::{Attempt, Done, Halt};

/// What a look has shown.
pub(crate) enum Observed<T> {
    /// It is as the job wants it: nothing is changed.
    AlreadySo(Done),
    /// It is not, and this is to be done. A change in doubt has then not taken effect.
    ToDo(T),
}

/// One kind of job. Safe to run any number of times, because it looks first.
#[async_trait]
pub(crate) trait Handler: Sync {
    /// What there is to do.
    type Todo: Send;

    /// Looks; changes nothing on the panel.
    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Self::Todo>, Halt>;

    /// Does it, each changing call by [`Attempt::change`].
    async fn act(&self, attempt: &Attempt<'_>, todo: Self::Todo) -> Result<Done, Halt>;
}

/// Runs the job's handler.
pub(crate) async fn run(attempt: &Attempt<'_>) -> Result<Done, Halt> {
    match attempt.spec() {
        JobSpec::Create(wanted) => drive(&create::Create { wanted }, attempt).await,
        JobSpec::Suspend => drive(&suspend::Suspend { overuse: None }, attempt).await,
        JobSpec::SuspendOveruse { month } => {
            let suspend = suspend::Suspend {
                overuse: Some(*month),
            };
            drive(&suspend, attempt).await
        }
        JobSpec::Unsuspend => drive(&unsuspend::Unsuspend { overuse: false }, attempt).await,
        JobSpec::LiftOveruse => drive(&unsuspend::Unsuspend { overuse: true }, attempt).await,
        JobSpec::Terminate => drive(&terminate::Terminate, attempt).await,
        JobSpec::ChangePackage { package } => {
            drive(&change_package::ChangePackage { package }, attempt).await
        }
        JobSpec::ChangeLimits { limits } => {
            drive(&change_limits::ChangeLimits { limits }, attempt).await
        }
        JobSpec::ChangePassword => drive(&change_password::ChangePassword, attempt).await,
        JobSpec::LoginUrl => drive(&login_url::LoginUrl, attempt).await,
        JobSpec::GetStats { month } => drive(&get_stats::GetStats { month: *month }, attempt).await,
        JobSpec::GetServerConfig => drive(&get_server_config::GetServerConfig, attempt).await,
        JobSpec::CheckConnection => drive(&check_connection::CheckConnection, attempt).await,
        JobSpec::ListAccounts { import } => {
            drive(&list_accounts::ListAccounts { import: *import }, attempt).await
        }
        JobSpec::Unlock => drive(&unlock::Unlock, attempt).await,
        JobSpec::Move { target } => drive(&move_to::Move { target }, attempt).await,
        JobSpec::VmList => drive(&vm::Read { vm: None }, attempt).await,
        JobSpec::VmGet { vm } => drive(&vm::Read { vm: Some(vm) }, attempt).await,
        JobSpec::VmCreate(wanted) => drive(&vm::Make { wanted }, attempt).await,
        JobSpec::VmStart { vm } => drive(&vm::Drive::to(vm, MachineAction::Start), attempt).await,
        JobSpec::VmStop { vm } => drive(&vm::Drive::to(vm, MachineAction::Stop), attempt).await,
        JobSpec::VmReboot { vm } => drive(&vm::Drive::to(vm, MachineAction::Reboot), attempt).await,
        JobSpec::VmRescue { vm } => drive(&vm::Drive::to(vm, MachineAction::Rescue), attempt).await,
        JobSpec::VmUnrescue { vm } => {
            drive(&vm::Drive::to(vm, MachineAction::Unrescue), attempt).await
        }
        JobSpec::VmRebuild { vm, template } => {
            let template = template.clone();
            drive(
                &vm::Drive::to(vm, MachineAction::Rebuild { template }),
                attempt,
            )
            .await
        }
        JobSpec::AskSupplier { question } => {
            drive(&ask_supplier::AskSupplier { question }, attempt).await
        }
        JobSpec::DeliverWebhook {
            endpoint_id,
            event,
            data,
        } => {
            let deliver = deliver_webhook::DeliverWebhook {
                endpoint_id: *endpoint_id,
                event,
                data,
            };
            drive(&deliver, attempt).await
        }
    }
}

/// Observe, then act. In between stands the rule for what is in doubt.
async fn drive<H: Handler>(handler: &H, attempt: &Attempt<'_>) -> Result<Done, Halt> {
    match handler.observe(attempt).await? {
        Observed::AlreadySo(done) => {
            attempt.doubt_is_resolved();
            Ok(done)
        }
        Observed::ToDo(todo) => {
            attempt.may_send()?;
            Point::Observed.reach(&attempt.claimed.job);
            handler.act(attempt, todo).await
        }
    }
}
