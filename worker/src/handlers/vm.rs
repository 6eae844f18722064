//! Virtual machines: read, made, driven. A change has only begun when the panel has answered, so that the machine is
//! looked at until it is as wanted, in attempts of their own.

use async_trait::async_trait;
use hosting::AccountDraft;
use jobs::NewVm;
use panels::{Machine, MachineAction, NewMachine, Power};
use serde_json::{Value, json};

use super::{Handler, Observed, order, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::passwords;
use crate::verdict::Doubt;

/// How a job is held whose machine may have been wiped.
const REBUILD_UNCLEAR: &str = "rebuild_unclear";

/// Reads one machine, or all of them.
pub(super) struct Read<'a> {
    pub(super) vm: Option<&'a str>,
}

#[async_trait]
impl Handler for Read<'_> {
    type Todo = ();

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let result = match self.vm {
            Some(id) => json!({"machine": there(panel.machine(&key, id).await?, id)?}),
            None => json!({"machines": panel.machines(&key).await?}),
        };
        Ok(Done::changed().with(result))
    }
}

fn there(machine: Option<Machine>, id: &str) -> Result<Machine, Halt> {
    machine.ok_or_else(|| {
        let why = format!("the account has no machine {id}");
        Halt::refuse("no_such_machine", why)
    })
}

/// Makes one. Its label tells whether it is there.
pub(super) struct Make<'a> {
    pub(super) wanted: &'a NewVm,
}

impl Make<'_> {
    async fn look(&self, attempt: &Attempt<'_>) -> Result<Option<Machine>, Halt> {
        let all = attempt.panel()?.machines(&attempt.key()?).await?;
        let same = |one: &Machine| one.label.as_deref() == Some(self.wanted.label.as_str());
        Ok(all.into_iter().find(same))
    }
}

#[async_trait]
impl Handler for Make<'_> {
    type Todo = ();

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        let ours = attempt.progress().first_sent_at.is_some();
        match self.look(attempt).await? {
            Some(machine) if ours => Ok(Observed::AlreadySo(made(&machine).secrets_spent())),
            Some(machine) => {
                let done = Done::already_so().with(json!({"machine": machine}));
                Ok(Observed::AlreadySo(done.secrets_spent()))
            }
            // It was confirmed, and is on its way.
            None if attempt.progress().first_step_done => Err(not_yet(attempt).await?),
            None => Ok(Observed::ToDo(())),
        }
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        check(attempt, &self.panel_fields())?;
        let password = passwords::stored(attempt).await?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let new = NewMachine {
            label: self.wanted.label.clone(),
            template: self.wanted.template.clone(),
            flavor: self.wanted.flavor.clone(),
            disk_gb: self.wanted.disk_gb,
            password: password.map(|password| password.secret),
        };
        let now = attempt.now();
        attempt
            .change(
                |progress| progress.first_sent_at = Some(now),
                panel.create_machine(&key, &new),
            )
            .await?;
        attempt
            .step(|progress| progress.first_step_done = true)
            .await?;
        match self.look(attempt).await? {
            Some(machine) => Ok(made(&machine).secrets_spent()),
            None => Err(not_yet(attempt).await?),
        }
    }
}

impl Make<'_> {
    fn panel_fields(&self) -> Value {
        let mut fields = json!({"label": self.wanted.label, "template": self.wanted.template});
        if let Some(flavor) = &self.wanted.flavor {
            fields["flavor"] = json!(flavor);
        }
        if let Some(disk) = self.wanted.disk_gb {
            fields["disk_gb"] = json!(disk);
        }
        fields
    }
}

fn made(machine: &Machine) -> Done {
    Done::changed().with(json!({"machine": machine}))
}

async fn not_yet(attempt: &Attempt<'_>) -> Result<Halt, Halt> {
    let why = "the machine is not yet as it is to be".to_owned();
    order::later(attempt, "awaiting_machine", why).await
}

/// Does something with one.
pub(super) struct Drive<'a> {
    vm: &'a str,
    action: MachineAction,
}

impl<'a> Drive<'a> {
    pub(super) fn to(vm: &'a str, action: MachineAction) -> Self {
        Self { vm, action }
    }

    /// What the machine does when it is done.
    fn wanted(&self) -> Power {
        match self.action {
            MachineAction::Stop => Power::Off,
            MachineAction::Rescue => Power::Rescue,
            MachineAction::Start
            | MachineAction::Reboot
            | MachineAction::Unrescue
            | MachineAction::Rebuild { .. } => Power::On,
        }
    }

    /// Whether the machine's state alone says that it was done.
    fn shows(&self) -> bool {
        !matches!(
            self.action,
            MachineAction::Reboot | MachineAction::Rebuild { .. }
        )
    }

    fn panel_fields(&self) -> Value {
        match &self.action {
            MachineAction::Rebuild { template } => json!({"vm": self.vm, "template": template}),
            _ => json!({"vm": self.vm}),
        }
    }
}

#[async_trait]
impl Handler for Drive<'_> {
    type Todo = ();

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let machine = there(panel.machine(&key, self.vm).await?, self.vm)?;
        let sent = attempt.doubt() == Doubt::Open || attempt.progress().first_step_done;
        let confirmed = attempt.progress().first_step_done;
        match (machine.power == self.wanted(), self.shows() || confirmed) {
            (true, true) if sent => Ok(Observed::AlreadySo(made(&machine))),
            (true, true) => {
                let result = json!({"machine": machine});
                Ok(Observed::AlreadySo(Done::already_so().with(result)))
            }
            (false, _) if confirmed => Err(not_yet(attempt).await?),
            _ => Ok(Observed::ToDo(())),
        }
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        check(attempt, &self.panel_fields())?;
        self.may_be_sent(attempt).await?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let now = attempt.now();
        attempt
            .change(
                |progress| progress.first_sent_at = Some(now),
                panel.drive_machine(&key, self.vm, &self.action),
            )
            .await?;
        attempt
            .step(|progress| progress.first_step_done = true)
            .await?;
        let machine = there(panel.machine(&key, self.vm).await?, self.vm)?;
        if machine.power == self.wanted() {
            return Ok(made(&machine));
        }
        Err(not_yet(attempt).await?)
    }
}

impl Drive<'_> {
    /// A rebuild wipes what may have been written since the first one: who lets it go on has looked.
    async fn may_be_sent(&self, attempt: &Attempt<'_>) -> Result<(), Halt> {
        let wipes = matches!(self.action, MachineAction::Rebuild { .. });
        let was_sent = attempt.progress().first_sent_at.is_some();
        if !wipes || !was_sent || order::was_released(attempt, REBUILD_UNCLEAR).await? {
            return Ok(());
        }
        let why = "whether the machine was rebuilt is not known; look at it, and replay the job to wipe it again";
        Err(Halt::hold(REBUILD_UNCLEAR, why))
    }
}

/// The server's rules, once more.
fn check(attempt: &Attempt<'_>, fields: &Value) -> Result<(), Halt> {
    let panel = serde_json::from_value(fields.clone()).unwrap_or_default();
    attempt.check(&AccountDraft {
        panel: Some(&panel),
        ..attempt.draft()
    })
}
