//! What subscribers hear: every event after it was committed, in order, whichever replica wrote it.
//!
//! One task per process follows the event log and hands each event to the subscribers; commits of this process wake it, and a
//! poll finds those of the others. The table is the truth.

use std::{sync::Arc, time::Duration};

use entity::ticket_event;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::{
    service::{Result, Service},
    store,
};

/// How late an event of another replica may be heard.
const POLL: Duration = Duration::from_millis(500);
/// Events that a slow subscriber may lag behind before it is told that it lost some.
const BACKLOG: usize = 4_096;
/// Events read in one statement.
const BATCH: u64 = 500;

/// The way from commits to subscribers.
#[derive(Clone, Debug)]
pub struct Feed {
    events: broadcast::Sender<Arc<ticket_event::Model>>,
    committed: Arc<Notify>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self { events: broadcast::Sender::new(BACKLOG), committed: Arc::new(Notify::new()) }
    }

    /// Tells the follower that something was committed.
    pub(super) fn wake(&self) {
        self.committed.notify_one();
    }
}

impl Service {
    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<ticket_event::Model>> {
        self.feed.events.subscribe()
    }

    /// Follows the event log until told to stop. The caller spawns this once per process.
    pub async fn follow_events(&self, stop: CancellationToken) {
        let mut position = None;
        while !stop.is_cancelled() {
            match self.follow_from(position).await {
                Ok(reached) => position = Some(reached),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the event log cannot be read; trying again"
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.feed.committed.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn follow_from(&self, position: Option<i64>) -> Result<i64> {
        let Some(mut position) = position else { return Ok(store::events::latest(&self.db).await?) };
        loop {
            let events = store::events::after(&self.db, position, BATCH).await?;
            let Some(last) = events.last() else { return Ok(position) };
            position = last.id;
            for event in events {
                // Nobody listening is fine.
                let _ = self.feed.events.send(Arc::new(event));
            }
        }
    }
}
