//! Opening the database that `DATABASE_URL` names, and beginning transactions on it.
//!
//! SQLite: WAL, foreign keys, a busy timeout, and every writing transaction `BEGIN IMMEDIATE`, since deferred ones fail with
//! BUSY_SNAPSHOT as soon as two of them read before they write. PostgreSQL: a limit on transactions that lie idle.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::{self, sqlite::SqliteConnectOptions},
};

use crate::{
    private_files,
    store::{Result, StoreError},
};

/// Writers of SQLite wait for each other this long; a write takes milliseconds.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// Readers of SQLite that run at once, with the one writer.
const SQLITE_CONNECTIONS: u32 = 8;
/// A request that cannot get a connection for so long is refused, so that the caller can try again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// A pooled connection that lay idle longer than this is pinged before use.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);
/// No transaction of ours waits for anything but the database; one that lies idle was lost by its owner.
const IDLE_IN_TRANSACTION: &str = "30s";
/// Statements take milliseconds, and their callers wait for half a minute.
const STATEMENT_TIMEOUT: &str = "20s";
/// The key of the lock under which one replica migrates while the others wait; an arbitrary constant.
const MIGRATION_LOCK: i64 = 0x5345_434f_4e44_4c4e;

/// Opens the database; a SQLite file and its folder are made when they do not exist.
///
/// # Errors
/// `Unavailable` when it does not answer.
pub async fn open(url: &str, max_connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false).acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire_if_idle_for(PING_AFTER_IDLE);
    if let Some(file) = sqlite_file(url) {
        make_file(&file)?;
        options.max_connections(SQLITE_CONNECTIONS).map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
        });
    } else {
        options.max_connections(max_connections).map_sqlx_postgres_opts(|postgres| {
            postgres.application_name("secondline").options([
                ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("timezone", "UTC"),
            ])
        });
    }
    Ok(Database::connect(options).await?)
}

/// Whether the URL names a database that this product runs on.
pub fn is_supported(url: &str) -> bool {
    ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme))
}

/// Whether the database is there, as far as that can be told without asking it: whether the file of SQLite exists.
pub fn exists(url: &str) -> bool {
    sqlite_file(url).is_none_or(|file| file.exists())
}

/// The files of SQLite, those that are there or may be; none of PostgreSQL.
pub fn files(url: &str) -> Vec<PathBuf> {
    let of = |file: PathBuf| ["", "-wal", "-shm"].map(|ending| with_ending(&file, ending)).to_vec();
    sqlite_file(url).map(of).unwrap_or_default()
}

/// Brings the schema up to date, one process at a time.
///
/// # Errors
/// A schema that a newer version made is refused.
pub async fn migrate(db: &DatabaseConnection) -> Result<()> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(Migrator::up(db, None).await?);
    }
    // The lock belongs to the transaction, so that a process that dies releases it; and so does what was changed.
    let lock = db.begin().await?;
    lock.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    lock.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    lock.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    Migrator::up(&lock, None).await?;
    Ok(lock.commit().await?)
}

/// How the database's schema stands to the one that this version works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// It is the same.
    Current,
    /// Migrations are waiting, or there is no schema yet.
    Old,
    /// A newer version of Secondline made it.
    Newer,
}

/// Compares the database's schema with this version's; writes nothing.
pub async fn schema_state(db: &DatabaseConnection) -> Result<SchemaState> {
    match Migrator::get_pending_migrations_read_only(db).await {
        Ok(pending) if pending.is_empty() => Ok(SchemaState::Current),
        Ok(_) => Ok(SchemaState::Old),
        // The migrator's own words for migrations that it does not know.
        Err(DbErr::Custom(_)) => Ok(SchemaState::Newer),
        Err(error) => Err(error.into()),
    }
}

/// Begins a transaction that will write.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(options).await?)
}

/// Begins a transaction that reads one state of the database, whatever is written meanwhile.
pub async fn begin_snapshot(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let isolation_level = match db.get_database_backend() {
        DbBackend::Postgres => Some(IsolationLevel::RepeatableRead),
        // A transaction that reads has one state anyway.
        _ => None,
    };
    Ok(db.begin_with_options(TransactionOptions { isolation_level, ..TransactionOptions::default() }).await?)
}

/// Whether the error means that the database is gone or busy, not that the statement is wrong.
pub(super) fn is_lost(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    match source.as_ref() {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// Whether a database's own code tells of something that passes.
fn is_passing(code: &str) -> bool {
    if code.len() == 5 {
        // PostgreSQL: connection exceptions (08), too many connections (53), cancelled or shutting down (57).
        return ["08", "53", "57"].iter().any(|class| code.starts_with(class));
    }
    // SQLite, in the lowest byte: busy (5) or locked (6) by another connection.
    code.parse::<u16>().is_ok_and(|code| matches!(code & 0xFF, 5 | 6))
}

/// The file of SQLite, as the driver reads its URL; none of PostgreSQL.
fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = url.starts_with("sqlite:").then(|| url.parse::<SqliteConnectOptions>())?.ok()?;
    Some(options.get_filename().to_owned())
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes the file with its folder where they are missing, so that nobody else can read them: SQLite, which would let everybody,
/// gives its other files the mode of this one.
fn make_file(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), private_files::make_folder).and_then(|()| private_files::touch(file));
    made.map_err(|error| StoreError::Unavailable(DbErr::Custom(format!("{}: {error}", file.display()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        for code in ["08006", "53300", "57014", "57P01", "5", "6", "261", "517"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["23505", "42601", "22P05", "40001", "1", "13", "19", "531", "787", "2067", ""] {
            assert!(!is_passing(code), "{code}");
        }
    }
}
