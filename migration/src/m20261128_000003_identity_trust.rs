//! Contacts who left, and words that were deleted but stayed in the audit log and the outbox.

use sea_orm_migration::{prelude::*, schema::boolean, sea_orm::DbBackend};

/// Lets contacts leave, and erases what was deleted before erasure reached every place.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL: words of deleted comments, names of removed files, and what was mailed of the comments. The last argument of
/// `jsonb_set` says that what is not there stays away.
const ERASE_POSTGRES: [&str; 3] = [
    r#"UPDATE audit_entry SET before = jsonb_set(before, '{body}', '"[erased]"', false),
           after = jsonb_set(after, '{body}', '"[erased]"', false)
       WHERE target IN (SELECT 'comment_' || replace(id::text, '-', '') FROM comment WHERE deleted_at IS NOT NULL)"#,
    r#"UPDATE audit_entry SET before = jsonb_set(before, '{fileName}', '"[erased]"', false),
           after = jsonb_set(after, '{fileName}', '"[erased]"', false)
       WHERE target IN (SELECT target FROM audit_entry WHERE action = 'ATTACHMENT_DELETE' OR after ->> 'commentId' IN
           (SELECT 'comment_' || replace(id::text, '-', '') FROM comment WHERE deleted_at IS NOT NULL))"#,
    r#"UPDATE notice SET content = jsonb_set(content, '{facts,body}', '""', false)
       WHERE comment_id IN (SELECT id FROM comment WHERE deleted_at IS NOT NULL)"#,
];

/// SQLite, whose ids are blobs: the same. `json_replace` adds nothing either.
const ERASE_SQLITE: [&str; 3] = [
    "UPDATE audit_entry SET before = json_replace(before, '$.body', '[erased]'),
         after = json_replace(after, '$.body', '[erased]')
     WHERE target IN (SELECT 'comment_' || lower(hex(id)) FROM comment WHERE deleted_at IS NOT NULL)",
    "UPDATE audit_entry SET before = json_replace(before, '$.fileName', '[erased]'),
         after = json_replace(after, '$.fileName', '[erased]')
     WHERE target IN (SELECT target FROM audit_entry WHERE action = 'ATTACHMENT_DELETE' OR after ->> 'commentId' IN
         (SELECT 'comment_' || lower(hex(id)) FROM comment WHERE deleted_at IS NOT NULL))",
    "UPDATE notice SET content = json_replace(content, '$.facts.body', '')
     WHERE comment_id IN (SELECT id FROM comment WHERE deleted_at IS NOT NULL)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let active = Table::alter().table("contact").add_column(boolean("active").default(true)).take();
        manager.alter_table(active).await?;
        let erase = match manager.get_database_backend() {
            DbBackend::Postgres => ERASE_POSTGRES,
            _ => ERASE_SQLITE,
        };
        for sql in erase {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}
