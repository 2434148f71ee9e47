//! How the log of events is read.
//!
//! Readers see from the locks on the table which transactions may still add an event to a gap. What each event noted of its own
//! transaction is no longer asked for.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Drops the number of the transaction that wrote an event.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            let sql = "ALTER TABLE ticket_event DROP COLUMN written_by";
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
