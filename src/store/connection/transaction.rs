//! A transaction, each of whose statements is bounded in time.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::{
    database::{Database, Permits},
    pool::Lease,
};

/// A transaction; rolled back where it is dropped without a commit.
#[derive(Debug)]
pub struct Transaction {
    // Dropped before the permits: the next writer finds the database unlocked.
    inner: DatabaseTransaction,
    _lease: Lease,
    database: Database,
    _permits: Permits,
}

impl Transaction {
    pub(super) const fn new(inner: DatabaseTransaction, lease: Lease, database: Database, permits: Permits) -> Self {
        Self { inner, _lease: lease, database, _permits: permits }
    }

    /// Commits.
    ///
    /// # Errors
    /// When the database refuses, and nothing was written; or does not answer, and nobody knows.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, _lease, database, _permits } = self;
        database.within(inner.commit()).await?;
        database.health.succeeded();
        Ok(())
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// When the database does not answer; everything is taken back all the same.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { inner, _lease, database, _permits } = self;
        database.within(inner.rollback()).await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.database.within(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.database.within(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.database.within(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.database.within(self.inner.query_all_raw(statement)).await
    }
}
