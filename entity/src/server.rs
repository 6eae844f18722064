//! A server with a panel on it, its gate, and what is known of it.

use sea_orm::entity::prelude::*;

/// A server with a panel on it, its gate, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The operator's name for it; unique.
    pub name: String,
    /// The driver's name.
    pub panel: String,
    /// The panel's address.
    pub url: String,
    /// The API user, where the panel wants one.
    pub user: Option<String>,
    /// SPKI pins, a JSON list of `sha256/BASE64`.
    pub pins: String,
    /// Certificates that are trusted instead of the public authorities, PEM.
    pub ca_pem: Option<String>,
    /// Private networks that the address may lie in, a JSON list of CIDRs.
    pub allow_networks: String,
    /// The panel's time zone (IANA name): traffic months are the panel's.
    pub time_zone: String,
    /// What only its panel's driver knows, a JSON object of texts by name.
    pub options: Option<String>,
    /// When the nightly sync runs: minutes after the panel's midnight.
    pub stats_at: i32,
    /// Whether the nightly sync visits it.
    pub enabled: bool,
    /// `hosting::PanelRules` as JSON.
    pub rules: String,
    /// What `get_server_config` read last (packages, addresses), as JSON.
    pub config: Option<String>,
    /// When.
    pub config_at: Option<i64>,
    /// The server's own host name, for results.
    pub host_name: Option<String>,
    /// Most jobs at one time.
    pub max_jobs: i32,
    /// Most creates at one time.
    pub max_creates: i32,
    /// Most terminations an hour before the guard holds them; 0 = no guard.
    pub max_terminates: i32,
    /// Until when the operator has released the guard.
    pub guard_released_until: Option<i64>,
    /// Whether the operator has paused it.
    pub paused: bool,
    /// When the pause ends by itself.
    pub paused_until: Option<i64>,
    /// Why it is paused, for people.
    pub pause_reason: Option<String>,
    /// When the next maintenance window begins.
    pub maintenance_from: Option<i64>,
    /// When it ends.
    pub maintenance_until: Option<i64>,
    /// Until when the panel asked for patience.
    pub cool_until: Option<i64>,
    /// Failures to reach it in a row.
    pub breaker_failures: i32,
    /// When the open breaker lets the next probe through.
    pub breaker_probe_at: Option<i64>,
    /// Since when its credentials are refused.
    pub auth_hold_since: Option<i64>,
    /// What the panel said then, redacted.
    pub auth_hold_detail: Option<String>,
    /// The panel's version as it said last.
    pub version: Option<String>,
    /// When it was checked last.
    pub checked_at: Option<i64>,
    /// What the last check found, JSON list of texts.
    pub check_notes: Option<String>,
    /// When it was added.
    pub created_at: i64,
    /// When it was removed; its name is free again.
    pub removed_at: Option<i64>,
    /// The name while not removed, unique; NULL afterwards.
    pub live_name: Option<String>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
