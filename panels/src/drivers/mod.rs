//! The list of drivers. A new panel is one folder and two lines here: its `mod` and its row.

pub(crate) mod cpanel;
pub(crate) mod froxlor;
pub(crate) mod hostbill;

use hosting::PanelRules;

use crate::{Panel, PanelError, ServerSettings};

/// A panel that we can drive.
pub struct Driver {
    /// The name in `server add --panel`.
    pub name: &'static str,
    /// The panel's own name, for people.
    pub title: &'static str,
    /// Its rules as far as they hold on every server.
    pub rules: fn() -> PanelRules,
    /// Makes a client for one server; reads nothing from the network.
    pub open: fn(ServerSettings) -> Result<Box<dyn Panel>, PanelError>,
}

/// All of them.
pub static DRIVERS: &[Driver] = &[cpanel::DRIVER, froxlor::DRIVER, hostbill::DRIVER];

/// The driver of that name for that server.
///
/// # Errors
/// `Rejected` with code `panel_unknown` or `server_settings` when no client can be made from the settings.
pub fn open(panel: &str, settings: ServerSettings) -> Result<Box<dyn Panel>, PanelError> {
    let known = || {
        DRIVERS
            .iter()
            .map(|driver| driver.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match DRIVERS.iter().find(|driver| driver.name == panel) {
        Some(driver) => (driver.open)(settings),
        None => Err(PanelError::refused(
            "panel_unknown",
            format!("no driver for `{panel}`; known are {}", known()),
        )),
    }
}
