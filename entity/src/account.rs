//! One incarnation of a hosting account.

use sea_orm::entity::prelude::*;

/// One incarnation of a hosting account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The opaque id outside; unique.
    pub public_id: String,
    /// Where it lives.
    pub server_id: i64,
    /// Whose it is.
    pub platform_id: Option<i64>,
    /// The platform's own id of it.
    pub reference: Option<String>,
    /// The login name.
    pub username: String,
    /// The main domain.
    pub domain: Option<String>,
    /// The owner's mail address.
    pub email: Option<String>,
    /// The package that it shall be on.
    pub package: Option<String>,
    /// requested, importing, provisioning, active, suspended, terminated, failed, conflict.
    pub state: String,
    /// `server id|login name` in lower case while it is not terminated; unique.
    pub live_key: Option<String>,
    /// `platform id|reference` while it is not terminated; unique.
    pub reference_key: Option<String>,
    /// Overrides of the package, `hosting::Limits` as JSON.
    pub limits: String,
    /// Whether it shall have an address of its own.
    pub dedicated_ip: bool,
    /// Its main address.
    pub address: Option<String>,
    /// What only its panel wants, JSON object.
    pub panel: String,
    /// `panels::Evidence` of this incarnation, JSON.
    pub evidence: String,
    /// What the driver remembered before the suspend, JSON.
    pub remembered: Option<String>,
    /// `us`, `others`, or `overuse` when it is for its traffic alone, while suspended.
    pub suspended_by: Option<String>,
    /// The reason, while suspended.
    pub suspend_reason: Option<String>,
    /// The month, `2026-11`, whose traffic it is suspended for, beside whatever else it is suspended for.
    pub overuse_month: Option<String>,
    /// Nights in a row in which the panel did not report it.
    pub missing_nights: i32,
    /// Disk use at the last reading.
    pub disk_bytes: Option<i64>,
    /// When the row was made.
    pub created_at: i64,
    /// When it changed last.
    pub updated_at: i64,
    /// When it was terminated.
    pub terminated_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
