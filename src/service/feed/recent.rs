//! The latest events of the log, read once for all subscribers.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use super::heard::Heard;

/// Events that are kept; the texts of their tickets may take a few megabytes.
const KEPT: usize = 256;

/// How far the log is complete, and its last part.
#[derive(Debug)]
pub(super) struct Recent {
    /// Everything up to here was committed, and nothing can come in between any more.
    pub(super) to: i64,
    /// When that was read.
    pub(super) read_at: Instant,
    /// The events after this one are kept.
    from: i64,
    events: VecDeque<Arc<Heard>>,
}

impl Recent {
    /// The log up to a place, of which nothing is kept.
    pub(super) fn new(to: i64) -> Self {
        Self { to, read_at: Instant::now(), from: to, events: VecDeque::new() }
    }

    /// The events after a place; none where some of them are not kept any more.
    pub(super) fn after(&self, place: i64) -> Option<impl Iterator<Item = &Arc<Heard>>> {
        let start = self.events.partition_point(|event| event.id() <= place);
        (place >= self.from).then(|| self.events.range(start..))
    }

    /// The log goes on up to a place with these events.
    pub(super) fn extend(&mut self, to: i64, read_at: Instant, events: Vec<Arc<Heard>>) {
        self.events.extend(events);
        let surplus = self.events.len().saturating_sub(KEPT);
        if let Some(last) = self.events.drain(..surplus).next_back() {
            self.from = last.id();
        }
        (self.to, self.read_at) = (to, read_at);
    }

    /// The log goes on up to a place, and nobody was there to hear of it.
    pub(super) fn skip(&mut self, to: i64, read_at: Instant) {
        *self = Self { read_at, ..Self::new(to) };
    }
}
