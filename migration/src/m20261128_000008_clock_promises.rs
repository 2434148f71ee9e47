//! An alert that nobody could be told of says so, and an acknowledgement or a snooze hides no breach.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Allows the outcome of an alert without recipients, and has the next scan look at the clocks that were kept from alerting.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL: one more outcome.
const ALLOW_POSTGRES: &str = r#"
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE contype = 'c' AND conrelid = 'sla_alert'::regclass AND pg_get_constraintdef(oid) LIKE '%[''RAISED''::text,%'
    LOOP
        EXECUTE format('ALTER TABLE sla_alert DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', found.conname, found.conname,
            replace(found.definition, '[''RAISED''::text,', '[''NO_RECIPIENTS''::text, ''RAISED''::text,'));
    END LOOP;
END
$$;
"#;

/// SQLite: the same. It does not show in what is stored, so that the text of the schema is all there is to change.
const ALLOW_SQLITE: &str = r#"
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '(''RAISED'',', '(''NO_RECIPIENTS'',''RAISED'',')
WHERE type = 'table' AND name = 'sla_alert';
PRAGMA writable_schema = RESET;
"#;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let allow = match manager.get_database_backend() {
            DbBackend::Postgres => ALLOW_POSTGRES,
            _ => ALLOW_SQLITE,
        };
        for sql in [
            allow,
            // Every connection reads the schema anew when an index is made after this.
            "CREATE INDEX sla_alert_acknowledged_idx ON sla_alert (visit_id) WHERE acknowledged_at IS NOT NULL",
            // The scan computes what comes next of each visit that it looks at.
            "UPDATE stage_visit SET next_alert_at = entered_at
             WHERE left_at IS NULL AND (acknowledged_at IS NOT NULL OR snoozed_until IS NOT NULL)",
        ] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
