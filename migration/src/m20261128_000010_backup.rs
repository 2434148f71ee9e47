//! When the last backup was taken, for whoever watches the server.

use sea_orm_migration::{
    prelude::*,
    schema::{text, timestamp_with_time_zone},
};

/// Adds the table; its one row is written by the first backup.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("backup_record")
            .col(text("name").primary_key())
            .col(timestamp_with_time_zone("taken_at"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
