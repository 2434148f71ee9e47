//! Working together on a ticket: comments, watchers, links, attachments.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null},
};

/// Creates the tables of what people say, watch, link and attach.
#[derive(DeriveMigrationName)]
pub struct Migration;

const ACTORS: &str = "'PERSON','CONTACT','SYSTEM'";
const VISIBILITIES: &str = "'INTERNAL','CLIENT'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        comments(manager).await?;
        watchers(manager).await?;
        links(manager).await?;
        attachments(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

async fn comments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut comment = table(
        "comment",
        vec![
            id("id"),
            uuid("ticket_id"),
            word("visibility", VISIBILITIES),
            word("author_kind", ACTORS),
            uuid_null("author_id"),
            text_null("body"),
            uuid_null("clarification_id"),
            timestamp_with_time_zone("created_at"),
            timestamp_with_time_zone_null("edited_at"),
            timestamp_with_time_zone_null("deleted_at"),
            text_null("deleted_by_kind").check(Expr::cust(format!("deleted_by_kind IN ({ACTORS})"))).take(),
            uuid_null("deleted_by_id"),
        ],
    );
    comment
        .foreign_key(&mut references("comment", "ticket_id", "ticket"))
        .foreign_key(&mut references("comment", "clarification_id", "clarification"))
        .check(Expr::cust("(body IS NULL) = (deleted_at IS NOT NULL)"));
    manager.create_table(comment).await?;
    index(manager, "comment", &["ticket_id", "created_at", "id"]).await?;
    index(manager, "comment", &["clarification_id"]).await?;
    // A notice about a comment is cancelled when the comment was deleted before it is sent.
    statement(manager, "ALTER TABLE notice ADD COLUMN comment_id uuid REFERENCES comment (id) ON DELETE RESTRICT")
        .await?;
    index(manager, "notice", &["comment_id"]).await
}

async fn watchers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut watcher = table(
        "ticket_watcher",
        vec![
            id("id"),
            uuid("ticket_id"),
            uuid_null("person_id"),
            uuid_null("contact_id"),
            timestamp_with_time_zone("added_at"),
        ],
    );
    watcher
        .foreign_key(&mut references("ticket_watcher", "ticket_id", "ticket"))
        .foreign_key(&mut references("ticket_watcher", "person_id", "person"))
        .foreign_key(&mut references("ticket_watcher", "contact_id", "contact"))
        .check(Expr::cust("(person_id IS NULL) <> (contact_id IS NULL)"));
    manager.create_table(watcher).await?;
    unique(manager, "ticket_watcher", &["ticket_id", "person_id"]).await?;
    unique(manager, "ticket_watcher", &["ticket_id", "contact_id"]).await?;
    index(manager, "ticket_watcher", &["person_id"]).await?;
    index(manager, "ticket_watcher", &["contact_id"]).await
}

async fn links(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut link = table(
        "ticket_link",
        vec![
            id("id"),
            uuid("ticket_id"),
            uuid("other_id"),
            word("kind", "'DUPLICATES','CAUSED_BY'"),
            timestamp_with_time_zone("created_at"),
            word("created_by_kind", ACTORS),
            uuid_null("created_by_id"),
        ],
    );
    link.foreign_key(&mut references("ticket_link", "ticket_id", "ticket"))
        .foreign_key(&mut references("ticket_link", "other_id", "ticket"))
        .check(Expr::cust("ticket_id <> other_id"));
    manager.create_table(link).await?;
    unique(manager, "ticket_link", &["ticket_id", "other_id", "kind"]).await?;
    index(manager, "ticket_link", &["other_id"]).await
}

async fn attachments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut attachment = table(
        "attachment",
        vec![
            id("id"),
            uuid("ticket_id"),
            uuid_null("comment_id"),
            word("visibility", VISIBILITIES),
            word("uploader_kind", ACTORS),
            uuid_null("uploader_id"),
            text("file_name"),
            text("content_type"),
            big_integer("size"),
            word("state", "'REQUESTED','READY','REMOVED'"),
            timestamp_with_time_zone("requested_at"),
            timestamp_with_time_zone("expires_at"),
            timestamp_with_time_zone_null("ready_at"),
            text_null("object"),
        ],
    );
    attachment.foreign_key(&mut references("attachment", "ticket_id", "ticket")).foreign_key(&mut references(
        "attachment",
        "comment_id",
        "comment",
    ));
    manager.create_table(attachment).await?;
    index(manager, "attachment", &["ticket_id", "requested_at", "id"]).await?;
    index(manager, "attachment", &["comment_id"]).await?;
    statement(manager, "CREATE INDEX attachment_unkept_idx ON attachment (expires_at) WHERE state <> 'READY'").await?;
    let mut name = text("name");
    let key =
        table("signing_key", vec![name.primary_key().take(), text("secret"), timestamp_with_time_zone("made_at")]);
    manager.create_table(key).await
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().primary_key().take()
}

/// A column that holds one word of a closed list.
fn word(name: &'static str, words: &str) -> ColumnDef {
    text(name).check(Expr::cust(format!("{name} IN ({words})"))).take()
}

fn table(name: &'static str, columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create().table(name).take();
    for column in columns {
        table.col(column);
    }
    table
}

fn references(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_fkey"))
        .from(table, column)
        .to(target, "id")
        .on_delete(ForeignKeyAction::Restrict)
        .take()
}

async fn index(manager: &SchemaManager<'_>, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(format!("{table}_{}_idx", columns.join("_"))).table(table).take();
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

async fn unique(manager: &SchemaManager<'_>, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(format!("{table}_{}_key", columns.join("_"))).table(table).unique().take();
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

/// Runs a statement that both databases understand and the builder cannot say, such as a partial index.
async fn statement(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}
