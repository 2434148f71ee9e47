//! Alerts that wait for working hours and become one digest.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Lets a notice wait, be about several tickets, tell an alert and be told in a digest; and people have hours of their own.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL: more states, and a notice without a ticket.
const ALLOW_POSTGRES: &str = r#"
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE contype = 'c' AND conrelid = 'notice'::regclass AND pg_get_constraintdef(oid) LIKE '%[''QUEUED''::text,%'
    LOOP
        EXECUTE format('ALTER TABLE notice DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', found.conname, found.conname,
            replace(found.definition, '[''QUEUED''::text,', '[''HELD''::text, ''DIGESTED''::text, ''QUEUED''::text,'));
    END LOOP;
END
$$;
ALTER TABLE notice ALTER COLUMN ticket_id DROP NOT NULL;
"#;

/// SQLite: the same. Neither shows in what is stored, so that the text of the schema is all there is to change.
const ALLOW_SQLITE: &str = r#"
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql, '(''QUEUED'',', '(''HELD'',''DIGESTED'',''QUEUED'','),
    '"ticket_id" uuid_text NOT NULL', '"ticket_id" uuid_text')
WHERE type = 'table' AND name = 'notice';
PRAGMA writable_schema = RESET;
"#;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (allow, uuid) = match manager.get_database_backend() {
            DbBackend::Postgres => (ALLOW_POSTGRES, "uuid"),
            _ => (ALLOW_SQLITE, "uuid_text"),
        };
        let add = |table: &str, column: &str, other: &str| {
            format!("ALTER TABLE {table} ADD COLUMN {column} {uuid} REFERENCES {other} (id) ON DELETE RESTRICT")
        };
        for sql in [
            add("notice", "alert_id", "sla_alert"),
            add("notice", "digest_id", "notice"),
            add("person", "calendar_id", "calendar"),
            // Every connection reads the schema anew when an index is made after this.
            allow.to_owned(),
            "CREATE INDEX notice_held_idx ON notice (next_attempt_at, id) WHERE state = 'HELD'".to_owned(),
            "CREATE INDEX notice_alert_id_idx ON notice (alert_id)".to_owned(),
            "CREATE INDEX notice_digest_id_idx ON notice (digest_id)".to_owned(),
            "CREATE INDEX person_calendar_id_idx ON person (calendar_id)".to_owned(),
        ] {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
