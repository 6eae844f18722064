//! The face of Froxlor (the calls follow).

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::account::{SimAccount, SimTraffic};
use crate::clock::PanelClock;
use crate::http::{Request, Response};
use crate::options::Options;
use crate::panel::{Call, Context, Step};

/// The state of a simulated Froxlor server.
#[derive(Clone, Debug, Default)]
pub struct Froxlor {
    hidden: BTreeSet<String>,
}

pub(crate) struct PendingAdd;

impl Froxlor {
    pub(crate) fn new(_: &Options, _: &PanelClock) -> Self {
        Froxlor::default()
    }
    pub(crate) fn identify(&self, _: &Request) -> Call {
        Call::default()
    }
    pub(crate) fn begin(&mut self, _: &Request, _: &mut Context<'_>) -> Step {
        Step::Reply(self.refusal(501))
    }
    pub(crate) fn finish(&mut self, _: PendingAdd, _: &mut Context<'_>) -> Response {
        self.refusal(501)
    }
    pub(crate) fn refusal(&self, status: u16) -> Response {
        Response::new(status, "application/json", "")
    }
    pub(crate) fn accounts(&self) -> Vec<SimAccount> {
        Vec::new()
    }
    pub(crate) fn all_traffic(&self) -> Vec<SimTraffic> {
        Vec::new()
    }
    pub(crate) fn add_traffic(&mut self, _: &str, _: NaiveDate, _: u64) -> bool {
        false
    }
    pub(crate) fn clear_traffic(&mut self, _: &str, _: &str) -> bool {
        false
    }
    pub(crate) fn hidden_mut(&mut self) -> &mut BTreeSet<String> {
        &mut self.hidden
    }
    pub(crate) fn set_disk_used(&mut self, _: &str, _: u64) -> bool {
        false
    }
    pub(crate) fn grow(&mut self, _: u64, _: NaiveDate) {}
    pub(crate) fn admin_key(&self) -> &str {
        ""
    }
    pub(crate) fn admin_secret(&self) -> &str {
        ""
    }
    /// Switches the database off or on.
    pub fn break_database(&mut self, _: bool) {}
}
