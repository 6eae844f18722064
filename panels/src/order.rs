//! Changes that are orders: they cost money, and take effect when somebody has paid and approved.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What was ordered, as the panel names it. Kept durably before anything else is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// When it is done.
    pub goal: Goal,
    /// The panel's id of the service.
    pub service: String,
    /// The invoice that must be paid; `None` = none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The order's own number, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What the service's label shall say, so that the service is known as ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// When an order is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The service is active and can be logged in to.
    Made,
    /// What was ordered for a service is paid; whether it has come about its record shows.
    Changed,
    /// The service is cancelled.
    Ended,
}

/// How far an order has come.
#[derive(Debug, Clone)]
pub enum OrderState {
    /// This is to be done next.
    Due(OrderStep),
    /// The supplier has to do something, maybe a person there.
    Waiting {
        /// A stable code: `awaiting_approval`, `awaiting_cancellation`.
        code: &'static str,
        /// What it waits for, for the customer.
        what: String,
    },
    /// There is not enough credit to pay it.
    NeedsFunds {
        /// How much is wanted and how much is there.
        what: String,
    },
    /// The supplier has given it up.
    Over {
        /// In what state it stands.
        what: String,
    },
    /// It is done.
    Done(Login),
}

/// A step that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStep {
    /// Label the service as ours.
    Mark,
    /// Pay its invoice by credit.
    Pay,
}

/// What the supplier chose for logging in.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
}
