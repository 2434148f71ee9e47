//! The schema says which versions of the program may work on it, so that replicas can be replaced one by one.

use sea_orm_migration::prelude::*;

/// Adds the one row that says so; it is written after every migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in [
            "CREATE TABLE schema_range (oldest_reader text NOT NULL)",
            "INSERT INTO schema_range (oldest_reader) VALUES ('')",
        ] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
