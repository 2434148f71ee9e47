//! The handle on the database: which pool, how long, who may write, and whether writing works.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, RuntimeErr,
    Statement, TransactionOptions, metric, sqlx,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::{
    errors::is_disk_failure,
    pool::{MetricCallback, Pool, immediate, no_answer},
    share::{ConnectionShare, SharePermit},
    transaction::Transaction,
};

/// A writer of SQLite waits so long for those before it; a write takes milliseconds.
const WRITER_TIMEOUT: Duration = Duration::from_secs(10);
/// Whoever asks whether writing works after a failure so long ago makes the server try.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The database: a pool for requests, and one that requests cannot exhaust. Clones share both.
///
/// A statement that is not answered in time is an error, and its connection is closed; so nothing waits for ever, on whatever
/// network. On SQLite writers wait for each other here, holding no connection: waiting inside SQLite they would take those of
/// the readers.
#[derive(Clone, Debug)]
pub struct Database {
    requests: Pool,
    reserved: Pool,
    is_reserved: bool,
    /// How long a statement may take where that is less than the pool allows.
    at_most: Duration,
    /// What its user may have of the connections for requests; `None` for all of them.
    share: Option<ConnectionShare>,
    /// The one permit to write; none on PostgreSQL, which knows no such limit.
    writer: Option<Arc<Semaphore>>,
    pub(super) health: Arc<WriteHealth>,
}

/// What a transaction holds beside its connection: a part of a principal's share, and the permit to write.
pub(super) type Permits = (Option<SharePermit>, Option<OwnedSemaphorePermit>);

impl Database {
    pub(super) fn new(requests: Pool, reserved: Pool, health: WriteHealth) -> Self {
        let is_sqlite = requests.connection().get_database_backend() == DbBackend::Sqlite;
        Self {
            requests,
            reserved,
            is_reserved: false,
            at_most: Duration::MAX,
            share: None,
            writer: is_sqlite.then(|| Arc::new(Semaphore::new(1))),
            health: Arc::new(health),
        }
    }

    /// The same database by the connections that requests cannot take: for jobs, sign-in and commands.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self { is_reserved: true, share: None, ..self.clone() }
    }

    /// The same, for what somebody waits for: who signs in hears soon that the database does not answer.
    #[must_use]
    pub fn for_sign_in(&self) -> Self {
        Self { at_most: self.requests.give_up_after, ..self.reserved() }
    }

    /// A share of the connections for requests, for one principal.
    pub fn new_share(&self) -> ConnectionShare {
        ConnectionShare::of(self.requests.size())
    }

    /// The same database for whoever has this share.
    #[must_use]
    pub fn sharing(&self, share: ConnectionShare) -> Self {
        Self { share: Some(share), ..self.clone() }
    }

    /// The same database without a share: for what is bounded for everybody together.
    #[must_use]
    pub fn unshared(&self) -> Self {
        Self { share: None, ..self.clone() }
    }

    /// Begins a transaction that will write.
    ///
    /// # Errors
    /// When the database does not answer, or other writers do not end in time.
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        let share = self.permit_to_use().await?;
        let permit = self.permit_to_write().await?;
        self.begin_with(immediate(), (share, permit)).await
    }

    /// Begins a transaction that reads one state of the database, whatever is written meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_snapshot(&self) -> Result<Transaction, DbErr> {
        let isolation_level = match self.get_database_backend() {
            DbBackend::Postgres => Some(IsolationLevel::RepeatableRead),
            // A transaction that reads has one state anyway.
            _ => None,
        };
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        self.begin_with(options, (self.permit_to_use().await?, None)).await
    }

    async fn begin_with(&self, options: TransactionOptions, permits: Permits) -> Result<Transaction, DbErr> {
        let (begun, lease) = self.note(self.pool().begin(options).await)?;
        Ok(Transaction::new(begun, lease, self.clone(), permits))
    }

    /// Refuses statements from now on, and closes the connections once they come back.
    pub async fn close(&self) -> Result<(), DbErr> {
        let (requests, reserved) = tokio::join!(self.requests.connection().close(), self.reserved.connection().close());
        requests.and(reserved)
    }

    /// Why the last attempt to write failed, where that was the fault of the disk and nothing was written since.
    pub fn write_failure(&self) -> Option<String> {
        self.health.failure().as_ref().map(|failure| failure.reason.clone())
    }

    /// Writes something, where the last attempt failed some time ago, so that the end of a failure is noticed without a request.
    pub async fn probe_writing(&self) {
        let is_due = self.health.failure().as_ref().is_some_and(|failure| failure.at.elapsed() > TRY_AGAIN_AFTER);
        if is_due {
            let probe = match self.get_database_backend() {
                DbBackend::Postgres => "CREATE TEMPORARY TABLE IF NOT EXISTS write_probe AS SELECT 1",
                // Writes the first page of the file.
                _ => "PRAGMA user_version = 1",
            };
            // What comes of it is noted like any other statement's.
            let _ = self.execute_unprepared(probe).await;
        }
    }

    /// Which database this is, as far as that can be told from outside of it: where its file is, or its server and name.
    pub fn place(&self) -> String {
        if self.get_database_backend() == DbBackend::Postgres {
            let options = self.pool().connection().get_postgres_connection_pool().connect_options();
            return format!(
                "{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            );
        }
        let options = self.pool().connection().get_sqlite_connection_pool().connect_options();
        let file = options.get_filename();
        std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
    }

    /// Returns true if a write would not wait for another one of this process: for what is not worth waiting for.
    pub fn may_write_at_once(&self) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.available_permits() > 0)
    }

    /// Calls back after each statement; for tests and benchmarks.
    pub fn set_metric_callback<F>(&self, callback: F)
    where
        F: Fn(&metric::Info<'_>) + Send + Sync + 'static,
    {
        let callback: MetricCallback = Arc::new(callback);
        self.requests.set_metric_callback(Arc::clone(&callback));
        self.reserved.set_metric_callback(callback);
    }

    /// The options of the PostgreSQL connections; `None` on SQLite.
    pub fn postgres_options(&self) -> Option<sqlx::postgres::PgConnectOptions> {
        let is_postgres = self.get_database_backend() == DbBackend::Postgres;
        is_postgres.then(|| (*self.pool().connection().get_postgres_connection_pool().connect_options()).clone())
    }

    fn pool(&self) -> &Pool {
        if self.is_reserved { &self.reserved } else { &self.requests }
    }

    /// Answers within the time limit, or not at all.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let limit = self.pool().give_up_after.min(self.at_most);
        self.note(timeout(limit, work).await.unwrap_or_else(|_| Err(no_answer(limit))))
    }

    /// Notes what a result says of the disk.
    fn note<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result
            && is_disk_failure(error)
        {
            self.health.failed(error);
        }
        result
    }

    /// The permit to use a connection, which comes first: who waits for their own statements keeps nobody else from writing.
    async fn permit_to_use(&self) -> Result<Option<SharePermit>, DbErr> {
        match &self.share {
            Some(share) => Ok(Some(share.wait().await?)),
            None => Ok(None),
        }
    }

    /// The permit to write; `None` where none is needed.
    async fn permit_to_write(&self) -> Result<Option<OwnedSemaphorePermit>, DbErr> {
        let Some(writer) = &self.writer else { return Ok(None) };
        match timeout(WRITER_TIMEOUT, Arc::clone(writer).acquire_owned()).await {
            // Never closed.
            Ok(permit) => Ok(permit.ok()),
            Err(_) => {
                let why = format!("other writers did not end within {} s", WRITER_TIMEOUT.as_secs());
                Err(DbErr::Conn(RuntimeErr::Internal(why)))
            }
        }
    }

    /// Runs a statement outside of a transaction; one that writes waits for its turn.
    async fn run<T>(
        &self,
        sql: &str,
        work: impl AsyncFnOnce(&DatabaseConnection) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let writes = writes(sql);
        let _share = self.permit_to_use().await?;
        let _permit = if writes { self.permit_to_write().await? } else { None };
        let lease = self.pool().lease().await?;
        let done = self.within(work(&lease.connection)).await;
        self.pool().look_at(&done, &lease);
        if writes && done.is_ok() {
            self.health.succeeded();
        }
        done
    }
}

/// Returns true if the statement changes something, as far as its first word tells.
fn writes(sql: &str) -> bool {
    let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let reads = ["SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW"];
    !reads.iter().any(|read| first.eq_ignore_ascii_case(read))
}

#[async_trait::async_trait]
impl ConnectionTrait for Database {
    fn get_database_backend(&self) -> DbBackend {
        self.pool().connection().get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let sql = statement.sql.clone();
        self.run(&sql, async |connection| connection.execute_raw(statement).await).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(sql, async |connection| connection.execute_unprepared(sql).await).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let sql = statement.sql.clone();
        self.run(&sql, async |connection| connection.query_one_raw(statement).await).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let sql = statement.sql.clone();
        self.run(&sql, async |connection| connection.query_all_raw(statement).await).await
    }
}

/// Whether what is written reaches the disk.
#[derive(Debug)]
pub(super) struct WriteHealth {
    /// What cannot be written, for the log.
    place: String,
    failure: Mutex<Option<WriteFailure>>,
}

#[derive(Debug)]
struct WriteFailure {
    at: Instant,
    reason: String,
}

impl WriteHealth {
    pub(super) const fn new(place: String) -> Self {
        Self { place, failure: Mutex::new(None) }
    }

    /// Notes that something was written.
    pub(super) fn succeeded(&self) {
        if self.failure().take().is_some() {
            tracing::info!(database.place = self.place, "writing works again");
        }
    }

    fn failed(&self, error: &DbErr) {
        let mut failure = self.failure();
        if failure.is_none() {
            let error = error as &dyn std::error::Error;
            tracing::error!(
                error,
                database.place = self.place,
                "{} cannot be written: is there room on it?",
                self.place
            );
        }
        let reason = format!("{} cannot be written", self.place);
        *failure = Some(WriteFailure { at: Instant::now(), reason });
    }

    fn failure(&self) -> MutexGuard<'_, Option<WriteFailure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
