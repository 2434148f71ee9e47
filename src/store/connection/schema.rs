//! Bringing the schema up to date, and which versions of the program work on it.
//!
//! All migrations that wait are one transaction, on both databases: a process that is killed in the midst of them leaves the
//! schema as it was. One process migrates at a time; the others wait for it and find nothing left to do.
//!
//! While replicas are replaced one by one, the old ones meet a schema that a newer one made. Each schema says which versions may
//! go on working on it ([`migration::OLDEST_READER`]): those stay ready, older ones do not.

use std::{collections::BTreeSet, time::Duration};

use migration::{Migrator, MigratorTrait, OLDEST_READER};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionOptions};
use tokio::time::Instant;

use super::{
    Database,
    errors::is_unavailable,
    pool::{self, Lease, Pool, PoolLimits, immediate},
};
use crate::store::Result;

/// The key of the lock under which one replica migrates while the others wait; an arbitrary constant.
const MIGRATION_LOCK: i64 = 0x5345_434f_4e44_4c4e;
/// How long a process waits while another one migrates a SQLite file.
const SQLITE_WAIT: Duration = Duration::from_secs(600);
/// Where a schema says who may read it, from the version on that first said so.
const RANGE_TABLE: &str = "schema_range";

/// How the database's schema stands to the one that this version works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// It is the same.
    Current,
    /// Migrations are waiting, or there is no schema yet.
    Old,
    /// A newer version made it, and this one may go on working on it.
    NewerCompatible,
    /// A newer version made it, or one that went another way.
    Newer,
}

impl SchemaState {
    /// Returns true if this version works on such a schema.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Current | Self::NewerCompatible)
    }
}

/// Brings the schema up to date, one process at a time, all or nothing; on a connection of its own, which no time limit ends.
///
/// # Errors
/// A schema that a newer version made is refused.
pub async fn migrate(url: &str) -> Result<()> {
    let pool = pool::connect(url, PoolLimits::MIGRATION).await?;
    let (lock, _lease) = lock_schema(&pool).await?;
    Migrator::up(&lock, None).await?;
    let range = format!("UPDATE {RANGE_TABLE} SET oldest_reader = '{OLDEST_READER}'");
    lock.execute_unprepared(&range).await?;
    lock.commit().await?;
    Ok(pool.connection().close().await?)
}

/// The lock belongs to the transaction, so that a process that dies releases it; and so does what was changed.
async fn lock_schema(pool: &Pool) -> Result<(DatabaseTransaction, Lease)> {
    if pool.connection().get_database_backend() == DbBackend::Postgres {
        let (lock, lease) = pool.begin(TransactionOptions::default()).await?;
        lock.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        lock.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
        return Ok((lock, lease));
    }
    let gives_up_at = Instant::now() + SQLITE_WAIT;
    loop {
        match pool.begin(immediate()).await {
            Err(error) if is_unavailable(&error) && Instant::now() < gives_up_at => {
                tracing::info!(error = &error as &dyn std::error::Error, "waiting for another process to migrate");
            }
            begun => return Ok(begun?),
        }
    }
}

/// Compares the database's schema with this version's; writes nothing.
pub async fn schema_state(db: &Database) -> Result<SchemaState> {
    match Migrator::get_pending_migrations_read_only(db).await {
        Ok(pending) if pending.is_empty() => Ok(SchemaState::Current),
        Ok(_) => Ok(SchemaState::Old),
        // The migrator's own words for migrations that it does not know.
        Err(DbErr::Custom(_)) if is_compatible(db).await? => Ok(SchemaState::NewerCompatible),
        Err(DbErr::Custom(_)) => Ok(SchemaState::Newer),
        Err(error) => Err(error.into()),
    }
}

/// Returns true if the schema, which a newer version made, has all that this one knows, and names this one's last migration, or an
/// earlier one, as the oldest that may read it.
async fn is_compatible(db: &Database) -> Result<bool> {
    let known: BTreeSet<_> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    if !known.is_subset(&texts(db, "SELECT version FROM seaql_migrations").await?) {
        return Ok(false);
    }
    let oldest_reader = texts(db, &format!("SELECT oldest_reader FROM {RANGE_TABLE}")).await?;
    Ok(oldest_reader.first().zip(known.last()).is_some_and(|(oldest, last)| oldest <= last))
}

async fn texts(db: &Database, sql: &str) -> Result<BTreeSet<String>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?)
}
