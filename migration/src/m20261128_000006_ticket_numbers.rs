//! On PostgreSQL a sequence gives tickets their numbers.
//!
//! A row that counts is locked from when a number is taken until the filing commits: over a slow network, filings that have nothing to
//! do with each other waited seconds for each other. A sequence leaves a number out where a filing fails after it took one. SQLite
//! goes on with its counter: it has one writer at a time anyway.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Begins the sequence after the numbers that were given.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            let sql = "CREATE SEQUENCE ticket_number;
                       SELECT setval('ticket_number', value + 1, false) FROM counter WHERE name = 'ticket';
                       DELETE FROM counter WHERE name = 'ticket'";
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
