//! What contacts search is indexed by company: each word begins with a key of the company whose ticket it stands in.
//!
//! Before, a word that only others used was found in the index first and its tickets were left out afterwards, so that the time of a
//! search told contacts what others write about. SQLite gets a table for each of both documents.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement, Value},
};

/// Writes the contacts' documents anew.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// Tickets that are read at a time.
const BATCH: usize = 500;
/// Bytes of one document's words, with their keys: PostgreSQL's search document holds a megabyte.
const LARGEST_DOCUMENT: usize = 500_000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            return on_postgres(manager).await;
        }
        let db = manager.get_connection();
        for sql in [
            "CREATE VIRTUAL TABLE ticket_search_staff USING fts5 \
             (words, tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3')",
            "INSERT INTO ticket_search_staff (rowid, words) SELECT rowid, staff FROM ticket_search",
            "CREATE VIRTUAL TABLE ticket_search_client USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0')",
        ] {
            db.execute_unprepared(sql).await?;
        }
        fill(manager).await?;
        db.execute_unprepared("DROP TABLE ticket_search").await?;
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

async fn on_postgres(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let sql = format!(
        "UPDATE ticket_search SET client = array_to_tsvector(ARRAY( \
         SELECT word FROM (SELECT word, sum(octet_length(word)) OVER (ORDER BY word) AS bytes FROM ( \
         SELECT right(replace(ticket.company_id::text, '-', ''), 12) || lexeme AS word \
         FROM unnest(tsvector_to_array(ticket_search.client)) AS lexeme) AS keyed) AS counted \
         WHERE bytes <= {LARGEST_DOCUMENT})) FROM ticket WHERE ticket.id = ticket_search.ticket_id"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Writes what the contacts of each ticket's company may find, from the words that are there.
async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let backend = manager.get_database_backend();
    let read = "SELECT ticket.number, ticket.company_id, ticket_search.client FROM ticket_search \
                JOIN ticket ON ticket.number = ticket_search.rowid WHERE ticket_search.rowid > ? \
                ORDER BY ticket_search.rowid LIMIT 500";
    let write = "INSERT INTO ticket_search_client (rowid, words) VALUES (?, ?)";
    let mut last = 0_i64;
    loop {
        let rows = db.query_all_raw(Statement::from_sql_and_values(backend, read, [last.into()])).await?;
        for row in &rows {
            last = row.try_get("", "number")?;
            let (company, words): (Vec<u8>, String) = (row.try_get("", "company_id")?, row.try_get("", "client")?);
            let values = [Value::from(last), keyed(&company, &words).into()];
            db.execute_raw(Statement::from_sql_and_values(backend, write, values)).await?;
        }
        if rows.len() < BATCH {
            return Ok(());
        }
    }
}

/// The words after the key of the company with this id. The copy of a rule that may change later.
fn keyed(company: &[u8], words: &str) -> String {
    let key: String = company.iter().skip(10).map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = 0;
    let fits = |word: &String| {
        bytes += word.len();
        bytes <= LARGEST_DOCUMENT
    };
    words.split_whitespace().map(|word| format!("{key}{word}")).take_while(fits).collect::<Vec<_>>().join(" ")
}
