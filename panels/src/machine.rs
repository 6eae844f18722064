//! Virtual machines, for panels that have them below an account.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// One machine, as far as the panel tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The panel's id of it.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it does now.
    pub power: Power,
    /// The panel's own word for that.
    pub status: String,
    /// What else the panel tells of it in plain values; nothing secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It runs.
    On,
    /// It is stopped.
    Off,
    /// It runs from a rescue image.
    Rescue,
    /// It is being changed, or the panel's word is not known.
    Other,
}

/// A machine that shall be made.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Its name; unique in its account, so that a lost answer can be looked up.
    pub label: String,
    /// The panel's id of the image.
    pub template: String,
    /// The panel's id of the size, where it has sizes.
    pub flavor: Option<String>,
    /// The disk, in GB.
    pub disk_gb: Option<u64>,
    /// The password of its first user, where the panel takes one.
    pub password: Option<SecretString>,
}

/// What is done with a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineAction {
    /// Switch it on.
    Start,
    /// Switch it off.
    Stop,
    /// Restart it.
    Reboot,
    /// Start it from a rescue image.
    Rescue,
    /// Start it from its disk again.
    Unrescue,
    /// Wipe it and install that image.
    Rebuild {
        /// The panel's id of the image.
        template: String,
    },
}

impl MachineAction {
    /// The panel's word for it, which is also the last part of its path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Reboot => "reboot",
            Self::Rescue => "rescue",
            Self::Unrescue => "unrescue",
            Self::Rebuild { .. } => "rebuild",
        }
    }
}
