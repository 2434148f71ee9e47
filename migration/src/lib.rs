//! The database schema, append-only: one set of migrations that runs on SQLite and on PostgreSQL.
//!
//! May import: sea-orm-migration only; a migration never uses entities, which change while it must not. Every foreign key
//! and every `WHERE` of a job has its index. Example: `Migrator::up(&db, None)` brings any older schema to this one.

#![forbid(unsafe_code)]

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m20261123_000001_level_two_process;
mod m20261124_000001_ticket_search;
mod m20261124_000002_working_together;
mod m20261124_000003_identity;
mod m20261125_000001_event_log;
mod m20261127_000001_versioned_clocks;
mod m20261127_000003_alerts;
mod m20261127_000004_reports;
mod m20261128_000003_identity_trust;
mod m20261128_000005_schema_range;
mod m20261128_000006_ticket_numbers;
mod m20261128_000007_outbox_trust;
mod m20261128_000008_clock_promises;
mod m20261128_000009_prices;
mod m20261128_000010_backup;

/// The last migration of the oldest version of the program that may work on this schema.
///
/// While replicas are replaced one by one, the old ones meet the new schema. A migration that only adds what they do not read leaves
/// this as it is; one that removes or renames something, or lets rows hold words that older versions do not know, raises it to its
/// own name: then the old version must be stopped before the new one starts.
pub const OLDEST_READER: &str = "m20261128_000009_prices";

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_level_two_process::Migration),
            Box::new(m20261124_000001_ticket_search::Migration),
            Box::new(m20261124_000002_working_together::Migration),
            Box::new(m20261124_000003_identity::Migration),
            Box::new(m20261125_000001_event_log::Migration),
            Box::new(m20261127_000001_versioned_clocks::Migration),
            Box::new(m20261127_000003_alerts::Migration),
            Box::new(m20261127_000004_reports::Migration),
            Box::new(m20261128_000003_identity_trust::Migration),
            Box::new(m20261128_000005_schema_range::Migration),
            Box::new(m20261128_000006_ticket_numbers::Migration),
            Box::new(m20261128_000007_outbox_trust::Migration),
            Box::new(m20261128_000008_clock_promises::Migration),
            Box::new(m20261128_000009_prices::Migration),
            Box::new(m20261128_000010_backup::Migration),
        ]
    }
}
