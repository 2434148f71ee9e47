//! Pools of connections that are worth using.
//!
//! The rule that everything rests on: **a connection inside a transaction is never pooled, and none is begun on.** SQLite rolls
//! back by itself where its disk is full; the driver's own `ROLLBACK` then fails, and it goes on to count a transaction that is
//! over. Begun on again, such a connection would open a savepoint in a transaction that nobody commits: every later write would
//! be acknowledged, and lost with the process. So both ways of a connection are guarded, into the pool and out of it. One that
//! does not answer is closed: behind a network that swallows everything it would never come back by itself.
//!
//! The driver is not told by everything that ends a transaction, and its `begin` on PostgreSQL can be cut off between the
//! server's `BEGIN` and its own note of it; whatever comes back while that may have happened is closed, too ([`Distrust`]).
//! After all that, the driver pings a connection once more before it is pooled, for as long as it takes: one that goes silent
//! just then never comes back. Whoever waited in vain for a connection counts them, and has the pool replaced
//! where some are missing ([`Pool::replace_if_stuck`]).

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnAcquireErr, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait, metric, sqlx,
};
use sqlx::{
    Connection, Error,
    pool::{PoolConnectionMetadata, PoolOptions},
    postgres::PgConnection,
    sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tracing::Instrument;

use super::{make_file, sqlite_file};

/// A request that cannot get a connection for so long is refused, so that the caller can try again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);
/// Whoever may have a connection gets one at once, or within this time a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A pooled connection that lay idle longer than this is asked whether it still answers.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);
/// A database answers a ping at once; several connections that do not must fit into one acquiring.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// No transaction of ours waits for anything but the database; one that lies idle was lost by its owner.
const IDLE_IN_TRANSACTION: &str = "30s";
/// How soon PostgreSQL notices that whoever waits for a statement is gone, and ends it.
const CHECK_CLIENT_EVERY: &str = "2s";
/// A writer of another process is waited for so long: `secondline` commands beside a server, mostly.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of SQLite for requests and for the rest; each is a thread, and one at a time writes.
const SQLITE_CONNECTIONS: (u32, u32) = (6, 3);
/// Steps of SQLite's virtual machine between two looks at the time: about a millisecond.
const SQLITE_STEPS: i32 = 100_000;
/// The share of PostgreSQL's connections that requests cannot take.
const RESERVED: u32 = 5;

/// Requests are answered within seconds or not at all: a statement that takes longer asks for too much.
const REQUEST_STATEMENT: Duration = Duration::from_secs(5);
/// Jobs work on batches, and commands on everything.
const RESERVED_STATEMENT: Duration = Duration::from_secs(20);
/// A migration may write every row there is, and a backup reads it.
const MIGRATION_STATEMENT: Duration = Duration::from_secs(6 * 60 * 60);
/// How much longer than the database itself the client waits before it gives the connection up.
const GRACE: Duration = Duration::from_secs(2);
/// How long a connection that comes back is not trusted after a `BEGIN` was cut off.
const DISTRUST: Duration = Duration::from_secs(10);

/// What a pool may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    connections: u32,
    statement: Duration,
    /// Whether the database is a file that nobody writes: it is read as it is, and no other file comes up beside it.
    is_read_only: bool,
}

impl PoolLimits {
    /// One connection, for what goes through the whole database: a migration, or a copy.
    pub(super) const MIGRATION: Self = Self { connections: 1, statement: MIGRATION_STATEMENT, is_read_only: false };
    /// For looking at a copy that nobody uses.
    pub(super) const COPY: Self = Self { connections: 2, statement: MIGRATION_STATEMENT, is_read_only: true };

    /// Shares connections between requests and everything else: jobs, sign-in, the log of events.
    pub(super) fn share(connections: u32, is_sqlite: bool) -> (Self, Self) {
        let (requests, reserved) = if is_sqlite {
            SQLITE_CONNECTIONS
        } else {
            let reserved = (connections / RESERVED).max(1);
            (connections.saturating_sub(reserved).max(1), reserved)
        };
        (
            Self { connections: requests, statement: REQUEST_STATEMENT, is_read_only: false },
            Self { connections: reserved, statement: RESERVED_STATEMENT, is_read_only: false },
        )
    }
}

/// A pool, with how long a statement on it may take. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    /// When the client gives up; the database itself does so a moment before.
    pub(super) give_up_after: Duration,
}

struct Shared {
    /// The driver's pool; another one once connections were lost in it.
    current: RwLock<DatabaseConnection>,
    /// As many as there are connections, so that nobody waits in the driver's pool but for the network.
    permits: Arc<Semaphore>,
    connections: u32,
    options: ConnectOptions,
    distrust: Distrust,
    callback: RwLock<Option<MetricCallback>>,
}

pub(super) type MetricCallback = Arc<dyn Fn(&metric::Info<'_>) + Send + Sync>;

/// A connection of the pool that may be used.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connection: DatabaseConnection,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pool").field("connections", &self.shared.connections).finish_non_exhaustive()
    }
}

impl Pool {
    /// Waits for a connection that may be used.
    pub(super) async fn lease(&self) -> Result<Lease, DbErr> {
        let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.shared.permits).acquire_owned()).await;
        // The semaphore is never closed.
        let permit = permit.ok().and_then(Result::ok).ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        Ok(Lease { connection: self.connection(), _permit: permit })
    }

    /// Begins a transaction.
    ///
    /// A caller that goes away must not cut `BEGIN` off: the connection would come back inside a transaction that its driver knows
    /// nothing of. So it runs in a task of its own, which only the time limit ends.
    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<(DatabaseTransaction, Lease), DbErr> {
        let pool = self.clone();
        let begin = async move {
            let lease = pool.lease().await?;
            let mut begin = Box::pin(lease.connection.begin_with_options(options));
            let begun = timeout(pool.give_up_after, &mut begin).await;
            if begun.is_err() {
                pool.shared.distrust.begin();
            }
            drop(begin);
            let begun = begun.unwrap_or_else(|_| Err(no_answer(pool.give_up_after)));
            pool.look_at(&begun, &lease);
            begun.map(|transaction| (transaction, lease))
        };
        let cut_off = |_| DbErr::Conn(RuntimeErr::Internal("beginning a transaction was cut off".to_owned()));
        tokio::spawn(begin.in_current_span()).await.map_err(cut_off)?
    }

    /// The driver's pool, for what needs no lease.
    pub(super) fn connection(&self) -> DatabaseConnection {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether connections are missing in the driver's pool, where somebody had a lease and got none; then replaces it.
    pub(super) fn look_at<T>(&self, result: &Result<T, DbErr>, _lease: &Lease) {
        let connection = self.connection();
        if connection.get_database_backend() == DbBackend::Postgres
            && let Err(DbErr::ConnectionAcquire(_)) = result
        {
            self.replace_if_stuck(&connection);
        }
    }

    fn replace_if_stuck(&self, connection: &DatabaseConnection) {
        let pool = connection.get_postgres_connection_pool();
        let out = usize::try_from(pool.size()).unwrap_or(usize::MAX).saturating_sub(pool.num_idle());
        let permits = usize::try_from(self.shared.connections).unwrap_or(usize::MAX);
        let in_use = permits.saturating_sub(self.shared.permits.available_permits());
        // Whoever calls has a lease, and no connection.
        if out < in_use {
            return;
        }
        tracing::warn!(database.connections = out, "connections to the database do not come back; new ones are opened");
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut options = shared.options.clone();
            match Database::connect(options.connect_lazy(true).clone()).await {
                Ok(fresh) => shared.replace(fresh),
                Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the pool cannot be replaced"),
            }
        });
    }

    /// How many connections it has at most.
    pub(super) fn size(&self) -> u32 {
        self.shared.connections
    }

    pub(super) fn set_metric_callback(&self, callback: MetricCallback) {
        *self.shared.callback.write().unwrap_or_else(PoisonError::into_inner) = Some(callback);
        self.shared.replace(self.connection());
    }
}

impl Shared {
    fn replace(&self, mut fresh: DatabaseConnection) {
        let callback = self.callback.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(callback) = callback {
            fresh.set_metric_callback(move |info| callback(info));
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

/// The options of a transaction that will write: SQLite's deferred ones fail as soon as two of them read before they write.
pub(super) fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

pub(super) fn no_answer(limit: Duration) -> DbErr {
    let why = format!("the database did not answer within {} s; the connection was given up", limit.as_secs());
    DbErr::Conn(RuntimeErr::Internal(why))
}

/// Until when connections that come back may be in a transaction that the driver knows nothing of.
#[derive(Clone, Debug)]
pub(super) struct Distrust {
    since: Instant,
    /// Milliseconds after `since`.
    until: Arc<AtomicU64>,
}

impl Distrust {
    fn none() -> Self {
        Self { since: Instant::now(), until: Arc::default() }
    }

    /// Notes that a `BEGIN` is about to be cut off.
    pub(super) fn begin(&self) {
        self.until.fetch_max(self.millis() + millis(DISTRUST), Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        self.millis() < self.until.load(Ordering::SeqCst)
    }

    fn millis(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Connects a pool.
pub(super) async fn connect(url: &str, limits: PoolLimits) -> Result<Pool, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false).acquire_timeout(CONNECT_TIMEOUT).max_connections(limits.connections);
    let distrust = Distrust::none();
    if let Some(file) = sqlite_file(url) {
        if !limits.is_read_only {
            make_file(&file)?;
        }
        for_sqlite(&mut options, limits, &distrust);
    } else {
        for_postgres(&mut options, limits, &distrust);
    }
    let shared = Shared {
        current: RwLock::new(Database::connect(options.clone()).await?),
        permits: Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS))),
        connections: limits.connections,
        options,
        distrust,
        callback: RwLock::new(None),
    };
    Ok(Pool { shared: Arc::new(shared), give_up_after: limits.statement + GRACE })
}

fn for_sqlite(options: &mut ConnectOptions, limits: PoolLimits, distrust: &Distrust) {
    options.map_sqlx_sqlite_opts(move |sqlite| {
        if limits.is_read_only {
            return sqlite.read_only(true).immutable(true);
        }
        sqlite
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
    });
    let distrust = distrust.clone();
    options.map_sqlx_sqlite_pool_opts(move |pool: PoolOptions<sqlx::Sqlite>| {
        let distrust = distrust.clone();
        pool.after_connect(move |connection, _| Box::pin(limit_statements(connection, limits.statement)))
            .before_acquire(move |connection, about| {
                Box::pin(async move {
                    let is_sound = is_sound(connection, about).await?;
                    limit_statements(connection, limits.statement).await?;
                    Ok(is_sound)
                })
            })
            .after_release(move |connection, _| Box::pin(is_over(connection, distrust.clone())))
    });
}

fn for_postgres(options: &mut ConnectOptions, limits: PoolLimits, distrust: &Distrust) {
    options.map_sqlx_postgres_opts(move |postgres| {
        let statement_timeout = format!("{}ms", limits.statement.as_millis());
        postgres.application_name("secondline").options([
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
            ("statement_timeout", &statement_timeout),
            ("client_connection_check_interval", CHECK_CLIENT_EVERY),
            ("timezone", "UTC"),
        ])
    });
    let distrust = distrust.clone();
    options.map_sqlx_postgres_pool_opts(move |pool: PoolOptions<sqlx::Postgres>| {
        let distrust = distrust.clone();
        pool.before_acquire(|connection: &mut PgConnection, about| Box::pin(is_sound(connection, about)))
            .after_release(move |connection, _| Box::pin(is_over(connection, distrust.clone())))
    });
}

/// Returns true if an idle connection may be handed out: it is in no transaction, and answers.
async fn is_sound<C: Connection>(connection: &mut C, about: PoolConnectionMetadata) -> Result<bool, Error> {
    if about.idle_for > PING_AFTER_IDLE {
        answers(connection).await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Returns true if a connection that comes back may be pooled: it answers, and its transaction is over.
async fn is_over<C: Connection>(connection: &mut C, distrust: Distrust) -> Result<bool, Error> {
    if distrust.holds() {
        return Err(Error::BeginFailed);
    }
    // A rollback that was only queued is carried out by this.
    answers(connection).await?;
    Ok(!connection.is_in_transaction())
}

/// An error closes the connection without a farewell that nobody would take.
async fn answers<C: Connection>(connection: &mut C) -> Result<(), Error> {
    let silent = || Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(PING_TIMEOUT, connection.ping()).await.map_err(|_| silent())?
}

/// Lets SQLite interrupt what runs on a connection once it has been out for too long.
async fn limit_statements(connection: &mut SqliteConnection, limit: Duration) -> Result<(), Error> {
    let ends_at = Instant::now() + limit;
    connection.lock_handle().await?.set_progress_handler(SQLITE_STEPS, move || Instant::now() < ends_at);
    Ok(())
}
