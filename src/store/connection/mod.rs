//! Opening the database that `DATABASE_URL` names.
//!
//! [`Database`] is the handle that everything else works with: it bounds the time of every statement, keeps connections for
//! jobs and sign-in that requests cannot take, and lets SQLite's writers wait in line. [`Transaction`] is what a use case writes
//! in. [`schema`] brings the schema up to date. Example: `open(url, 20)` gives requests 16 connections of PostgreSQL and keeps 4.

mod database;
mod errors;
mod pool;
pub mod schema;
mod transaction;

use std::{path::Path, time::Duration};

use sea_orm::{DbErr, sqlx};
use tokio::time::Instant;

pub(super) use self::errors::{is_disk_failure, is_unavailable};
pub use self::{
    database::Database,
    schema::{SchemaState, migrate, schema_state},
    transaction::Transaction,
};
use self::{database::WriteHealth, pool::PoolLimits};
use crate::store::{Result, StoreError};

/// Waits between two attempts to reach a database that is not there yet.
const WAIT_BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// A server that is there answers sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the database; a SQLite file and its folder are made when they do not exist.
///
/// # Errors
/// `Unavailable` when it does not answer.
pub async fn open(url: &str, max_connections: u32) -> Result<Database> {
    let sqlite = sqlite_file(url);
    if let Some(file) = sqlite {
        make_folder(file)?;
    }
    let (for_requests, reserved) = PoolLimits::share(max_connections, sqlite.is_some());
    let requests = pool::connect(url, for_requests).await?;
    let reserved = pool::connect(url, reserved).await?;
    let place = sqlite.map_or_else(|| "the database server".to_owned(), |file| format!("the disk of {file}"));
    Ok(Database::new(requests, reserved, WriteHealth::new(place)))
}

/// Waits until a PostgreSQL server accepts connections, at most so long; a SQLite file is always there. Each new reason why it
/// does not is logged.
///
/// # Errors
/// The last reason, once the time is over; at once where waiting cannot help, such as for a wrong password.
pub async fn wait_for_server(url: &str, at_most: Duration) -> Result<()> {
    if sqlite_file(url).is_some() {
        return Ok(());
    }
    let gives_up_at = Instant::now() + at_most;
    let mut said = String::new();
    loop {
        let Err(error) = connect_once(url).await else { return Ok(()) };
        if !errors::may_pass(&error) || Instant::now() >= gives_up_at {
            return Err(StoreError::Unavailable(errors::connecting(error)));
        }
        let reason = error.to_string();
        if reason != said {
            tracing::warn!(error = reason, wait_seconds = at_most.as_secs(), "waiting for the database");
            said = reason;
        }
        tokio::time::sleep(WAIT_BETWEEN_ATTEMPTS).await;
    }
}

/// Connects once, beside the pools: those retry quietly, and tell nothing but that their time was over.
async fn connect_once(url: &str) -> std::result::Result<(), sqlx::Error> {
    use sqlx::{Connection, postgres::PgConnection};
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(url)).await;
    let connection = connection.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    connection.close().await
}

/// Returns true if the URL names a database that this product runs on.
pub fn is_supported(url: &str) -> bool {
    ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme))
}

/// Returns true if the database is there, as far as that can be told without asking it: if the file of SQLite exists.
pub fn exists(url: &str) -> bool {
    sqlite_file(url).is_none_or(|file| Path::new(file).exists())
}

/// The path of a SQLite database; `None` for another one.
pub fn sqlite_file(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split('?').next()
}

fn make_folder(file: &str) -> Result<()> {
    let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| {
        std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Unavailable(DbErr::Custom(format!("{}: {error}", folder.display()))))
    })
}
