//! What reports read: the time that pauses took, who had a ticket when it left a stage, when a running clock is late, and delivery dates.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer_null, date_null, timestamp_with_time_zone_null, uuid_null},
    sea_orm::DbBackend,
};

/// Adds what is kept from now on; of what was before, what follows from it.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let additions: [(&str, ColumnDef); 5] = [
            ("stage_visit", big_integer_null("paused_us")),
            ("stage_visit", uuid_null("assignee_id")),
            ("stage_visit", timestamp_with_time_zone_null("late_at")),
            ("ticket", date_null("first_promised_date")),
            ("ticket", date_null("delivered_on")),
        ];
        for (table, column) in additions {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        let delivered_on = match manager.get_database_backend() {
            DbBackend::Postgres => "(closed_at AT TIME ZONE 'UTC')::date",
            _ => "date(closed_at)",
        };
        for sql in [
            &format!("UPDATE ticket SET delivered_on = {delivered_on} WHERE stage = 'CLOSED_RESOLVED'"),
            "UPDATE stage_visit SET late_at = COALESCE(breached_at, due_at) WHERE left_at IS NULL",
            "UPDATE ticket SET first_promised_date = promised_delivery_date",
            "CREATE INDEX stage_visit_late_at_idx ON stage_visit (late_at, id) WHERE late_at IS NOT NULL",
            "CREATE INDEX ticket_closed_at_idx ON ticket (closed_at) WHERE closed_at IS NOT NULL",
        ] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
