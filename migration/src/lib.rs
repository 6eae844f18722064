//! The schema, one change a file, each with a way down.
//!
//! Never imports `entity`: a migration must go on meaning what it meant when it was written.

use sea_orm_migration::prelude::*;

mod m0001_server;
mod m0002_account;
mod m0003_job;
mod m0004_usage;
mod m0005_platform;
mod m0006_secret;
mod m0007_schedule;
mod m0008_installation;
mod m0010_usage_day;
mod m0011_account_domain;
mod m0012_usage_constraints;
mod m0013_account_overuse;
mod m0014_server_options;
mod schema;

/// All changes, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_server::Migration),
            Box::new(m0002_account::Migration),
            Box::new(m0003_job::Migration),
            Box::new(m0004_usage::Migration),
            Box::new(m0005_platform::Migration),
            Box::new(m0006_secret::Migration),
            Box::new(m0007_schedule::Migration),
            Box::new(m0008_installation::Migration),
            Box::new(m0010_usage_day::Migration),
            Box::new(m0011_account_domain::Migration),
            Box::new(m0012_usage_constraints::Migration),
            Box::new(m0013_account_overuse::Migration),
            Box::new(m0014_server_options::Migration),
        ]
    }
}

pub use sea_orm_migration::MigratorTrait;
