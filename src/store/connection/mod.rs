//! Opening the database that `DATABASE_URL` names.
//!
//! [`Database`] is the handle that everything else works with: it bounds the time of every statement, keeps connections for
//! jobs and sign-in that requests cannot take, and lets SQLite's writers wait in line. [`Transaction`] is what a use case writes
//! in. A [`ConnectionShare`] bounds what one principal has of it at once. [`schema`] brings the schema up to date. Example: `open(url, 20)` gives requests 16 connections of PostgreSQL and keeps 4.

pub mod copying;
mod database;
mod errors;
mod pool;
pub mod schema;
mod share;
mod transaction;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, sqlite::SqliteConnectOptions},
};
use tokio::time::Instant;

pub use self::{
    database::Database,
    schema::{SchemaState, migrate, schema_state},
    share::ConnectionShare,
    transaction::Transaction,
};
use self::{database::WriteHealth, pool::PoolLimits};
pub(super) use self::{
    errors::{is_disk_failure, is_unavailable},
    share::is_share_used_up,
};
use crate::{
    private_files::{self, Lock, Sharing},
    store::{Result, StoreError},
};

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
    let (for_requests, reserved) = PoolLimits::share(max_connections, sqlite.is_some());
    let requests = pool::connect(url, for_requests).await?;
    let reserved = pool::connect(url, reserved).await?;
    let place =
        sqlite.map_or_else(|| "the database server".to_owned(), |file| format!("the disk of {}", file.display()));
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
    sqlite_file(url).is_none_or(|file| file.exists())
}

/// The files of SQLite, those that are there or may be; none of PostgreSQL.
pub fn files(url: &str) -> Vec<PathBuf> {
    let of = |file: PathBuf| ["", "-wal", "-shm"].map(|ending| with_ending(&file, ending)).to_vec();
    sqlite_file(url).map(of).unwrap_or_default()
}

/// The file of SQLite, as the driver reads its URL; `None` for PostgreSQL.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = url.starts_with("sqlite:").then(|| url.parse::<SqliteConnectOptions>())?.ok()?;
    Some(options.get_filename().to_owned())
}

/// The URL of a SQLite file.
pub fn sqlite_url(file: &Path) -> String {
    let path = file.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite:{path}")
}

/// Locks the database against others on this machine: a server shares it with other servers as long as it runs, a restore takes
/// it alone. Returns `None` if somebody has it who excludes this, and a lock that locks nothing for PostgreSQL.
///
/// # Errors
/// When the folder of the database cannot be used.
pub fn lock(url: &str, sharing: Sharing) -> std::io::Result<Option<DatabaseLock>> {
    let Some(file) = sqlite_file(url) else { return Ok(Some(DatabaseLock::none())) };
    // Beside the database and never removed: a restore puts another file in the place of the database itself.
    let place = with_ending(&file, ".lock");
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), private_files::make_folder)?;
    private_files::touch(&place)?;
    Ok(Lock::attempt(&place, sharing)?.map(|lock| DatabaseLock(Some(lock))))
}

/// A lock on the database, released when it is dropped or its process ends.
#[derive(Debug)]
pub struct DatabaseLock(#[expect(dead_code, reason = "it is held, not read")] Option<Lock>);

impl DatabaseLock {
    /// A lock that locks nothing.
    pub const fn none() -> Self {
        Self(None)
    }
}

/// The file with this ending after its name.
pub fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes the file with its folder where they are missing, so that nobody else can read them: SQLite, which would let everybody,
/// gives its other files the mode of this one.
fn make_file(file: &Path) -> std::result::Result<(), DbErr> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), private_files::make_folder).and_then(|()| private_files::touch(file));
    made.map_err(|error| DbErr::Conn(RuntimeErr::Internal(format!("{}: {error}", file.display()))))
}
