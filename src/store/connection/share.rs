//! How many of the connections for requests one principal has at once.

use std::{sync::Arc, time::Duration};

use sea_orm::{DbErr, RuntimeErr};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Those in line before it are the principal's own; each takes a statement's time at most.
const WAIT: Duration = Duration::from_secs(8);
/// What the error says; told from others by this.
const TOO_MANY: &str = "too many statements of one principal wait for each other";
/// One of so many principals can take all connections together, and no fewer.
const PRINCIPALS: u32 = 4;
/// A page and its total are read at the same time.
const LEAST: u32 = 2;

/// What one principal may have of the connections for requests. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionShare(Arc<Semaphore>);

/// A part of a share in use, until it is dropped.
pub(super) type SharePermit = OwnedSemaphorePermit;

impl ConnectionShare {
    /// The share of one principal in so many connections.
    pub(super) fn of(connections: u32) -> Self {
        let size = (connections / PRINCIPALS).max(LEAST);
        Self(Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(Semaphore::MAX_PERMITS))))
    }

    /// Waits until the principal may have another connection.
    pub(super) async fn wait(&self) -> Result<SharePermit, DbErr> {
        let permit = timeout(WAIT, Arc::clone(&self.0).acquire_owned()).await;
        // Never closed.
        permit.ok().and_then(Result::ok).ok_or_else(|| DbErr::Conn(RuntimeErr::Internal(TOO_MANY.to_owned())))
    }

    /// Returns true if anybody works under it.
    pub fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Returns true if a principal's own statements kept this one waiting for too long.
pub(in crate::store) fn is_share_used_up(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(RuntimeErr::Internal(why)) if why == TOO_MANY)
}
