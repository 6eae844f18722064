//! What every simulated panel can do.

use serde_json::Value;

use crate::account::{SimAccount, SimTraffic};
use crate::clock::PanelClock;
use crate::froxlor::{Froxlor, PendingAdd};
use crate::hostbill::HostBill;
use crate::http::{Request, Response};
use crate::ledger::Effect;
use crate::options::{Options, PanelKind};
use crate::whm::Whm;

/// What a request asks for, read before anything else is done with it.
#[derive(Clone, Default)]
pub(crate) struct Call {
    /// The function or command; empty when there is none.
    pub(crate) name: String,
    /// The account it names, in lower case.
    pub(crate) username: Option<String>,
    /// Whether it changes something.
    pub(crate) changes: bool,
    /// Its parameters, secrets included.
    pub(crate) params: Value,
    pub(crate) had_authorization: bool,
    /// How long it takes on a real server, in ms: from, to.
    pub(crate) cost_ms: (u64, u64),
    /// Whether its time passes between looking and writing, so that two of them can get in each other's way.
    pub(crate) two_steps: bool,
}

/// What a panel's function knows and may do besides changing the panel's state.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) clock: &'a PanelClock,
    pub(crate) now_ms: i64,
    /// A create is to break off in the middle.
    pub(crate) half: bool,
    pub(crate) effects: Vec<Effect>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(options: &'a Options, clock: &'a PanelClock, half: bool) -> Self {
        Context {
            options,
            clock,
            now_ms: clock.now_ms(),
            half,
            effects: Vec::new(),
        }
    }

    /// Notes a side effect for the ledger. `change` must hold no secret.
    pub(crate) fn applied(&mut self, username: &str, incarnation: &str, change: Value) {
        self.effects.push(Effect {
            username: username.to_ascii_lowercase(),
            incarnation: incarnation.to_owned(),
            change,
        });
    }

    pub(crate) fn now_seconds(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }

    pub(crate) fn today(&self) -> chrono::NaiveDate {
        self.clock.local(self.now_ms).date_naive()
    }
}

/// How far a call has come.
pub(crate) enum Step {
    Reply(Response),
    /// Looked and found nothing against it; the writing follows.
    Later(Box<PendingAdd>),
}

/// One of the panels.
#[derive(Clone, Debug)]
pub(crate) enum Panel {
    Whm(Box<Whm>),
    Froxlor(Box<Froxlor>),
    HostBill(Box<HostBill>),
}

impl Panel {
    pub(crate) fn new(options: &Options, clock: &PanelClock) -> Self {
        match options.panel {
            PanelKind::Cpanel => Panel::Whm(Box::new(Whm::new(options, clock))),
            PanelKind::Froxlor => Panel::Froxlor(Box::new(Froxlor::new(options, clock))),
            PanelKind::HostBill => Panel::HostBill(Box::new(HostBill::new(options))),
        }
    }

    pub(crate) fn identify(&self, request: &Request) -> Call {
        match self {
            Panel::Whm(whm) => whm.identify(request),
            Panel::Froxlor(froxlor) => froxlor.identify(request),
            Panel::HostBill(bill) => bill.identify(request),
        }
    }

    pub(crate) fn begin(&mut self, request: &Request, context: &mut Context<'_>) -> Step {
        match self {
            Panel::Whm(whm) => Step::Reply(whm.respond(request, context)),
            Panel::Froxlor(froxlor) => froxlor.begin(request, context),
            Panel::HostBill(bill) => Step::Reply(bill.respond(request, context)),
        }
    }

    pub(crate) fn finish(&mut self, pending: PendingAdd, context: &mut Context<'_>) -> Response {
        match self {
            // WHM's calls are done in one step.
            Panel::Whm(whm) => whm.refusal(500),
            Panel::Froxlor(froxlor) => froxlor.finish(pending, context),
            Panel::HostBill(bill) => bill.refusal(500),
        }
    }

    /// The panel's own way to say 401 or 403, and its error page for other statuses.
    pub(crate) fn refusal(&self, status: u16) -> Response {
        match self {
            Panel::Whm(whm) => whm.refusal(status),
            Panel::Froxlor(froxlor) => froxlor.refusal(status),
            Panel::HostBill(bill) => bill.refusal(status),
        }
    }

    pub(crate) fn login_page(&self) -> Response {
        login_page(match self {
            Panel::Whm(_) => "WHM Login",
            Panel::Froxlor(_) => "Froxlor - Login",
            Panel::HostBill(_) => "Login - Client Area",
        })
    }

    pub(crate) fn accounts(&self) -> Vec<SimAccount> {
        match self {
            Panel::Whm(whm) => whm.accounts(),
            Panel::Froxlor(froxlor) => froxlor.accounts(),
            Panel::HostBill(bill) => bill.accounts(),
        }
    }

    pub(crate) fn all_traffic(&self) -> Vec<SimTraffic> {
        match self {
            Panel::Whm(whm) => whm.all_traffic(),
            Panel::Froxlor(froxlor) => froxlor.all_traffic(),
            Panel::HostBill(bill) => bill.all_traffic(),
        }
    }

    pub(crate) fn add_traffic(
        &mut self,
        username: &str,
        day: chrono::NaiveDate,
        bytes: u64,
    ) -> bool {
        match self {
            Panel::Whm(whm) => whm.add_traffic(username, day, bytes),
            Panel::Froxlor(froxlor) => froxlor.add_traffic(username, day, bytes),
            Panel::HostBill(bill) => bill.add_traffic(username, bytes),
        }
    }

    pub(crate) fn clear_traffic(&mut self, username: &str, month: &str) -> bool {
        match self {
            Panel::Whm(whm) => whm.clear_traffic(username, month),
            Panel::Froxlor(froxlor) => froxlor.clear_traffic(username, month),
            Panel::HostBill(_) => false,
        }
    }

    pub(crate) fn show_in_stats(&mut self, username: &str, shown: bool) {
        let hidden = match self {
            Panel::Whm(whm) => whm.hidden_mut(),
            Panel::Froxlor(froxlor) => froxlor.hidden_mut(),
            Panel::HostBill(bill) => bill.hidden_mut(),
        };
        if shown {
            hidden.remove(&username.to_ascii_lowercase());
        } else {
            hidden.insert(username.to_ascii_lowercase());
        }
    }

    pub(crate) fn set_disk_used(&mut self, username: &str, bytes: u64) -> bool {
        match self {
            Panel::Whm(whm) => whm.set_disk_used(username, bytes),
            Panel::Froxlor(froxlor) => froxlor.set_disk_used(username, bytes),
            Panel::HostBill(bill) => bill.set_disk_used(username, bytes),
        }
    }

    /// A call will take effect later. While a WHM creates an account its Unix group is there already, so that a second
    /// create of the name is refused.
    pub(crate) fn under_way(&mut self, call: &str, username: &str, busy: bool) {
        if let Panel::Whm(whm) = self
            && call == "createacct"
        {
            whm.reserve_group(username, busy);
        }
    }

    /// The nightly jobs: the days that have passed are booked, where accounts make traffic by themselves, and the
    /// figures that are kept with the accounts are brought up to date.
    pub(crate) fn nightly(&mut self, seed: u64, today: chrono::NaiveDate, grows: bool) {
        match self {
            Panel::Whm(whm) if grows => whm.grow(seed, today),
            Panel::Whm(_) => {}
            Panel::Froxlor(froxlor) => {
                if grows {
                    froxlor.grow(seed, today);
                }
                froxlor.run_statistics(today);
            }
            Panel::HostBill(_) => {}
        }
    }

    pub(crate) fn user(&self) -> &str {
        match self {
            Panel::Whm(whm) => whm.root_user(),
            Panel::Froxlor(froxlor) => froxlor.admin_key(),
            Panel::HostBill(bill) => bill.user(),
        }
    }

    pub(crate) fn secret(&self) -> &str {
        match self {
            Panel::Whm(whm) => whm.root_token(),
            Panel::Froxlor(froxlor) => froxlor.admin_secret(),
            Panel::HostBill(bill) => bill.secret(),
        }
    }
}

/// What a browser gets, with status 200.
pub(crate) fn login_page(title: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><form id=\"login_form\" action=\"/login/\" method=\"post\">\
         <input name=\"user\"><input name=\"pass\" type=\"password\"><button>Log in</button></form></body></html>\n"
    );
    Response::new(200, "text/html; charset=utf-8", page)
}
