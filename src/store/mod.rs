//! Rows ⇄ domain. The only module that runs statements; it never decides, begins or commits.
//!
//! May import: `entity`, `migration`, sea-orm, `domain`. Functions take `&impl ConnectionTrait` and return domain values or rows; every
//! update checks the rows it changed. Example: [`tickets::lock`] loads a ticket with its company, contact, subtype and
//! assignee, and holds its row until the caller's transaction ends.

pub mod alerts;
pub mod attachments;
pub mod audit;
pub mod backups;
pub mod clarifications;
pub mod comments;
pub mod connection;
pub mod criteria;
pub mod directory;
pub mod directory_lists;
pub mod event_log;
pub mod events;
pub mod links;
pub mod notices;
pub mod page;
pub mod policies;
pub mod reports;
pub mod search;
pub mod ticket_order;
pub mod tickets;
pub mod tokens;
pub mod visits;
pub mod watchers;

use sea_orm::{DbErr, SqlErr};

pub use self::connection::{Database, Transaction};

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody changed the row since it was read.
    #[error("the row was changed by somebody else")]
    Stale,
    /// A row with the same unique value exists.
    #[error("a row with this value exists already")]
    Duplicate(#[source] DbErr),
    /// The database does not answer, or not now.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
    /// Other statements of the same principal did not end in time.
    #[error("too many requests of one principal wait for each other")]
    Busy(#[source] DbErr),
    /// The database's disk is full, fails, or cannot be written.
    #[error("the database's disk cannot be written")]
    DiskFailure(#[source] DbErr),
    /// A stored value cannot be read back.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// What kind of value.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else: a fault of ours.
    #[error("a statement failed")]
    Statement(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
            return Self::Duplicate(error);
        }
        match error {
            DbErr::RecordNotUpdated => Self::Stale,
            error if connection::is_share_used_up(&error) => Self::Busy(error),
            error if connection::is_disk_failure(&error) => Self::DiskFailure(error),
            error if connection::is_unavailable(&error) => Self::Unavailable(error),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(error),
            error => Self::Statement(error),
        }
    }
}

impl StoreError {
    /// Returns true if the same may succeed later: nothing is wrong with what was asked.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::DiskFailure(_) | Self::Busy(_))
    }

    pub(crate) fn corrupt(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Corrupt { what, source: source.into() }
    }
}

/// Rows that are inserted by one statement: their parameters are within what SQLite takes, 32,766.
const ROWS: usize = 500;

/// What store functions return.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
