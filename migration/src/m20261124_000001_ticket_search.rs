//! What tickets are found and sorted by.
//!
//! Per ticket one search document for staff and one for the client's contacts: on PostgreSQL as `tsvector` with GIN indexes, on
//! SQLite as an FTS5 table whose row ids are the tickets' numbers.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement, Value},
};

/// Creates the search documents, fills them for the tickets that are there, and indexes what tickets are sorted by.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// Tickets that are read at a time.
const BATCH: usize = 500;
/// A word is kept by its beginning.
const LONGEST_WORD: usize = 100;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let tables: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &[
                "CREATE TABLE ticket_search (ticket_id uuid NOT NULL PRIMARY KEY \
                 CONSTRAINT ticket_search_ticket_id_fkey REFERENCES ticket (id) ON DELETE CASCADE, \
                 staff tsvector NOT NULL, client tsvector NOT NULL)",
                "CREATE INDEX ticket_search_staff_idx ON ticket_search USING gin (staff)",
                "CREATE INDEX ticket_search_client_idx ON ticket_search USING gin (client)",
            ],
            _ => &["CREATE VIRTUAL TABLE ticket_search USING fts5 \
                    (staff, client, tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3')"],
        };
        let indexes = [
            "CREATE INDEX ticket_created_at_id_idx ON ticket (created_at, id)",
            "CREATE INDEX ticket_updated_at_id_idx ON ticket (updated_at, id)",
        ];
        for sql in tables.iter().chain(&indexes) {
            db.execute_unprepared(sql).await?;
        }
        fill(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

/// Writes the documents of the tickets that are there; a client sees all texts that they had until now.
async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let backend = manager.get_database_backend();
    let (read, write) = match backend {
        DbBackend::Postgres => (
            "SELECT number, subject, description, steps_to_reproduce FROM ticket WHERE number > $1 ORDER BY number LIMIT 500",
            "INSERT INTO ticket_search SELECT id, array_to_tsvector(string_to_array($2, ' ')), \
             array_to_tsvector(string_to_array($2, ' ')) FROM ticket WHERE number = $1",
        ),
        _ => (
            "SELECT number, subject, description, steps_to_reproduce FROM ticket WHERE number > ?1 ORDER BY number LIMIT 500",
            "INSERT INTO ticket_search (rowid, staff, client) VALUES (?1, ?2, ?2)",
        ),
    };
    let mut last = 0_i64;
    loop {
        let rows = db.query_all_raw(Statement::from_sql_and_values(backend, read, [last.into()])).await?;
        for row in &rows {
            last = row.try_get("", "number")?;
            let texts: [Option<String>; 3] =
                [row.try_get("", "subject")?, row.try_get("", "description")?, row.try_get("", "steps_to_reproduce")?];
            let values = [Value::from(last), words(&texts).into()];
            db.execute_raw(Statement::from_sql_and_values(backend, write, values)).await?;
        }
        if rows.len() < BATCH {
            return Ok(());
        }
    }
}

/// The words of some texts: letters and digits in a row, in lower case, each once. The copy of a rule that may change later.
fn words(texts: &[Option<String>]) -> String {
    let mut found = std::collections::BTreeSet::new();
    for part in texts.iter().flatten().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric())) {
        let letters = part.chars().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric());
        found.insert(letters.take(LONGEST_WORD).collect::<String>());
    }
    found.remove("");
    found.into_iter().collect::<Vec<_>>().join(" ")
}
