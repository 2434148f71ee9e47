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
    store::{self, events::RunningNow},
};

/// How late an event of another replica may be heard.
const POLL: Duration = Duration::from_millis(500);
/// How soon a missing event is looked for again: about as long as a transaction takes.
const GAP_POLL: Duration = Duration::from_millis(20);
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
        let mut follower = None;
        while !stop.is_cancelled() {
            if let Err(error) = self.catch_up(&mut follower).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the event log cannot be read; trying again");
            }
            let has_gap = follower.as_ref().is_some_and(|follower: &Follower| follower.gap.is_some());
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.feed.committed.notified() => {}
                () = tokio::time::sleep(if has_gap { GAP_POLL } else { POLL }) => {}
            }
        }
    }

    /// Hands on what is new, in the order of the log, up to an event that may still come.
    async fn catch_up(&self, follower: &mut Option<Follower>) -> Result<()> {
        let Some(follower) = follower else {
            let position = store::events::latest(&self.db).await?;
            *follower = Some(Follower { position, gap: None });
            return Ok(());
        };
        loop {
            // Asked before the log is read, so that what those transactions wrote is read, too.
            let complete_to = match &follower.gap {
                Some(gap) if store::events::have_ended(&self.db, gap.running).await? => gap.before,
                _ => follower.position,
            };
            let events = store::events::after(&self.db, follower.position, BATCH).await?;
            let Some(last) = events.last().map(|event| event.id) else { return Ok(()) };
            for event in events {
                if event.id > complete_to.max(follower.position + 1) {
                    if follower.gap.as_ref().is_none_or(|gap| gap.before <= complete_to) {
                        let running = store::events::running_now(&self.db).await?;
                        follower.gap = Some(Gap { before: last, running });
                    }
                    return Ok(());
                }
                follower.position = event.id;
                // Nobody listening is fine.
                let _ = self.feed.events.send(Arc::new(event));
            }
            if follower.gap.as_ref().is_some_and(|gap| gap.before <= follower.position) {
                follower.gap = None;
            }
        }
    }
}

/// How far the log was handed on.
struct Follower {
    position: i64,
    gap: Option<Gap>,
}

/// A place of the log at which an event is missing.
struct Gap {
    /// The event after it that is there; whatever comes before it was begun by then.
    before: i64,
    /// What ran when that was seen.
    running: RunningNow,
}
