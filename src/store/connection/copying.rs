//! Copies of a SQLite database: made while others write it, and looked at without touching them.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::{
    Database, WriteHealth,
    pool::{self, PoolLimits},
    sqlite_url,
};
use crate::{private_files, store::Result};

/// Problems of one file that are told; more say nothing more.
const MOST_PROBLEMS: usize = 20;

/// Writes one state of a SQLite database into a new file, while others go on reading and writing it.
///
/// `VACUUM INTO` reads in one transaction, so that it ends however much is written meanwhile. (The online backup interface begins
/// anew with every write of another process.) What was erased from the database is not in the copy.
///
/// # Errors
/// When the database cannot be read, or the copy cannot be written.
pub async fn copy(url: &str, to: &Path) -> Result<()> {
    // SQLite takes a file that is empty, and would make one that others can read.
    private_files::touch(to).map_err(|error| failed(&to.display().to_string(), &error))?;
    let pool = pool::connect(url, PoolLimits::MIGRATION).await?;
    let statement =
        Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [to.to_string_lossy().into_owned().into()]);
    let copied = pool.connection().execute_raw(statement).await;
    pool.connection().close().await?;
    copied?;
    Ok(())
}

/// Opens a copy that nobody else uses. Nothing is written to it, nor beside it.
///
/// # Errors
/// When it is no database.
pub async fn open(copy: &Path) -> Result<Database> {
    let url = sqlite_url(copy);
    let connect = || pool::connect(&url, PoolLimits::COPY);
    let (requests, reserved) = (connect().await?, connect().await?);
    Ok(Database::new(requests, reserved, WriteHealth::new(copy.display().to_string())))
}

/// What is wrong with the structure of a database; empty where nothing is.
///
/// # Errors
/// When it cannot be read at all.
pub async fn flaws(db: &Database) -> Result<Vec<String>> {
    let mut flaws = Vec::new();
    let check = format!("PRAGMA integrity_check({MOST_PROBLEMS})");
    for row in db.query_all_raw(Statement::from_string(DbBackend::Sqlite, check)).await? {
        let said: String = row.try_get_by_index(0)?;
        if said != "ok" {
            flaws.push(said);
        }
    }
    let check = "PRAGMA foreign_key_check";
    for row in db.query_all_raw(Statement::from_string(DbBackend::Sqlite, check)).await?.iter().take(MOST_PROBLEMS) {
        let (table, parent): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        flaws.push(format!("a row of {table} refers to a row of {parent} that is not there"));
    }
    Ok(flaws)
}

/// The last migration that made the schema, by name.
///
/// # Errors
/// When there is no schema.
pub async fn last_migration(db: &Database) -> Result<String> {
    let sql = "SELECT max(version) FROM seaql_migrations";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("no migration".to_owned()))?;
    Ok(row.try_get_by_index(0)?)
}

fn failed(what: &str, error: &std::io::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("{what}: {error}")))
}
