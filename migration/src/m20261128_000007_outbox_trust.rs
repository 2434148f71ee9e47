//! The outbox says since when a notice waits or is settled, and how often its recipient was refused.

use sea_orm_migration::{
    prelude::*,
    schema::{integer, timestamp_with_time_zone_null},
};

/// Adds both, and indexes of what failed and of what is claimed.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [timestamp_with_time_zone_null("decided_at"), integer("refusals").default(0).take()] {
            manager.alter_table(Table::alter().table("notice").add_column(column).take()).await?;
        }
        for sql in [
            "UPDATE notice SET decided_at = created_at WHERE state = 'FAILED'",
            "CREATE INDEX notice_failed_idx ON notice (decided_at) WHERE state = 'FAILED'",
            "CREATE INDEX notice_lease_idx ON notice (lease) WHERE lease IS NOT NULL",
        ] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
