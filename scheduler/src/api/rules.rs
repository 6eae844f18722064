//! The shapes of what a panel takes and of packages, as `hosting` writes them.
#![expect(dead_code, reason = "only the shapes of values that others write")]

use utoipa::ToSchema;

use crate::shapes;

/// What a server's panel takes.
#[derive(ToSchema)]
pub(crate) struct RulesView {
    /// The driver's name: `cpanel`, `froxlor`, ...
    panel: String,
    /// The job kinds that it can do.
    kinds: Vec<String>,
    username: NameRuleView,
    password: PasswordRuleView,
    /// Fields of `account` that a create needs.
    required: Vec<String>,
    /// What may stand in `account.panel`; anything else is refused.
    panel_fields: Vec<PanelFieldView>,
    /// The limits that it can express; others are refused.
    limits: Vec<LimitRuleView>,
    /// Whether an account can have an address of its own.
    dedicated_ip: bool,
    /// How many creates it may run at one time.
    creates_at_once: u32,
}

/// What a login name may be.
#[derive(ToSchema)]
pub(crate) struct NameRuleView {
    /// A regular expression that the whole name must match.
    pattern: String,
    /// The same in words.
    words: String,
    /// Most characters.
    max_length: u16,
    /// Names that the system has taken (compared without case).
    reserved: Vec<String>,
    /// Pairs: a regular expression of refused names, and why.
    refused: Vec<Vec<String>>,
}

/// What a password may be.
#[derive(ToSchema)]
pub(crate) struct PasswordRuleView {
    /// Fewest characters.
    min_length: u16,
    /// Most characters.
    max_length: u16,
    /// The characters that may stand in it.
    alphabet: String,
}

/// One field of `account.panel`.
#[derive(ToSchema)]
pub(crate) struct PanelFieldView {
    name: String,
    /// What it means and which values are right.
    about: String,
    /// A regular expression that the whole value must match.
    pattern: String,
    /// The job kinds that take it.
    kinds: Vec<String>,
    /// Whether those kinds need it.
    required: bool,
}

/// How a panel expresses one limit.
#[derive(ToSchema)]
pub(crate) struct LimitRuleView {
    /// Which limit.
    name: String,
    /// The value must be a multiple of this.
    multiple_of: u64,
    /// The smallest value.
    least: u64,
    /// The largest value.
    most: u64,
    /// Whether `unlimited` can be said.
    unlimited: bool,
}

/// A package.
#[derive(ToSchema)]
pub(crate) struct PackageView {
    /// The panel's own id of it, where it has one.
    id: Option<String>,
    name: String,
    #[schema(value_type = shapes::Limits)]
    limits: String,
}
