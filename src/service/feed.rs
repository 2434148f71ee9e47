//! What subscribers hear: every event after it was committed, in order, whichever server wrote it, none twice and none skipped.
//!
//! The table is the truth. One task per process, the `follower`, finds out how far the log is complete; commits of this
//! process wake it, and on PostgreSQL those of the other servers (LISTEN/NOTIFY), and it looks by itself twice a second for
//! what nobody tells. Each `subscriber` reads from its own position as far as the log is complete: the latest events from
//! `recent`, where they are read once for all of them, earlier ones from the table. One that is slow falls back to the table.
//! Example: a client that was away for a day subscribes with the cursor that it heard last, is told what it missed page by
//! page, and then hears what happens.

mod follower;
mod heard;
mod recent;
mod subscriber;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, Semaphore, watch};

use self::recent::Recent;
pub use self::{
    heard::Heard,
    subscriber::{Lost, Subscriber, Why},
};
use crate::service::Service;

/// Subscribers that read the table at once; the others wait, so that requests find connections.
const READERS: usize = 4;
/// A subscriber that takes longer for a page of events than this holds a connection for nothing.
const TAKE_WITHIN: Duration = Duration::from_secs(60);

/// The way from commits to subscribers.
#[derive(Clone, Debug)]
pub struct Feed {
    /// How far the log is complete, with its latest events; none until that was found out.
    recent: watch::Sender<Option<Recent>>,
    news: Arc<Notify>,
    /// Whether the news are of this process, which the others do not know yet.
    has_written: Arc<AtomicBool>,
    readers: Arc<Semaphore>,
    take_within: Duration,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            recent: watch::Sender::new(None),
            news: Arc::default(),
            has_written: Arc::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            take_within: TAKE_WITHIN,
        }
    }
}

impl Feed {
    /// Tells that this process committed something.
    pub(super) fn wrote(&self) {
        self.has_written.store(true, Ordering::SeqCst);
        self.news.notify_one();
    }
}

impl Service {
    /// How far subscribers have been told of the log: everything up to there is committed, and nothing can come in between any
    /// more. None in the first moments of a server.
    pub fn log_position(&self) -> Option<i64> {
        self.feed.recent.borrow().as_ref().map(|recent| recent.to)
    }

    /// The same, with other patience for subscribers that are slow to take a page of events.
    #[must_use]
    pub fn with_patience(mut self, take_within: Duration) -> Self {
        self.feed.take_within = take_within;
        self
    }
}
