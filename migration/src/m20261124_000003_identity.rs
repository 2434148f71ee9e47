//! Who asks and what they did: integrations with scopes, OpenID Connect subjects, the audit log.

use sea_orm_migration::{
    prelude::*,
    schema::{json_binary_null, text, text_null, timestamp_with_time_zone, uuid_null},
    sea_orm::DbBackend,
};

/// Lets integrations act, links people to a provider, and adds the audit log.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL: the same checks, with one more kind of actor.
const ALLOW_INTEGRATIONS_POSTGRES: &str = r#"
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conrelid::regclass AS relation, conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
          AND pg_get_constraintdef(oid) LIKE '%''PERSON''::text, ''CONTACT''::text, ''SYSTEM''::text]%'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', found.relation, found.conname,
            found.conname, replace(found.definition, '''SYSTEM''::text]', '''SYSTEM''::text, ''INTEGRATION''::text]'));
    END LOOP;
    FOR found IN
        SELECT conname FROM pg_constraint
        WHERE contype = 'c' AND conrelid = 'access_token'::regclass
          AND pg_get_constraintdef(oid) LIKE '%person_id IS NULL%contact_id IS NULL%'
    LOOP
        EXECUTE format('ALTER TABLE access_token DROP CONSTRAINT %I', found.conname);
    END LOOP;
    ALTER TABLE access_token ADD CONSTRAINT access_token_owner_check CHECK (person_id IS NULL OR contact_id IS NULL);
END
$$"#;

/// SQLite: the same. A check does not show in what is stored, so that the text of the schema is all there is to change, as
/// <https://www.sqlite.org/lang_altertable.html> says; the next statement that changes the schema lets every connection know.
const ALLOW_INTEGRATIONS_SQLITE: &str = "
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '''PERSON'',''CONTACT'',''SYSTEM''', '''PERSON'',''CONTACT'',''SYSTEM'',''INTEGRATION''')
WHERE type = 'table';
UPDATE sqlite_schema
SET sql = replace(sql, '(person_id IS NULL) <> (contact_id IS NULL)', 'person_id IS NULL OR contact_id IS NULL')
WHERE type = 'table' AND name = 'access_token';
PRAGMA writable_schema = RESET;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let allow = match manager.get_database_backend() {
            DbBackend::Postgres => ALLOW_INTEGRATIONS_POSTGRES,
            _ => ALLOW_INTEGRATIONS_SQLITE,
        };
        manager.get_connection().execute_unprepared(allow).await?;
        let scopes = Table::alter().table("access_token").add_column(json_binary_null("scopes")).take();
        manager.alter_table(scopes).await?;
        for table in ["person", "contact"] {
            manager.alter_table(Table::alter().table(table).add_column(text_null("oidc_subject")).take()).await?;
            let name = format!("{table}_oidc_subject_key");
            let index = Index::create().name(name).table(table).col("oidc_subject").unique().take();
            manager.create_index(index).await?;
        }
        audit(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

async fn audit(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create().table("audit_entry").take();
    let kinds = "actor_kind IN ('PERSON','CONTACT','SYSTEM','INTEGRATION')";
    for column in [
        ColumnDef::new("id").uuid().not_null().primary_key().take(),
        timestamp_with_time_zone("at"),
        text("actor_kind").check(Expr::cust(kinds)).take(),
        uuid_null("actor_id"),
        text_null("actor_name"),
        text("action"),
        text("target"),
        json_binary_null("before"),
        json_binary_null("after"),
        text_null("address"),
        text_null("request_id"),
    ] {
        table.col(column);
    }
    manager.create_table(table).await?;
    for column in [None, Some("actor_id"), Some("action"), Some("target")] {
        let name =
            column.map_or_else(|| "audit_entry_at_idx".to_owned(), |column| format!("audit_entry_{column}_at_idx"));
        let mut index = Index::create().name(name).table("audit_entry").take();
        for column in column.into_iter().chain(["at", "id"]) {
            index.col(column);
        }
        manager.create_index(index).await?;
    }
    Ok(())
}
