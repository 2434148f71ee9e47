//! Finds out how far the log is complete, and tells it on.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use entity::ticket_event;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::recent::Recent;
use crate::{
    service::{Result, Service},
    store::{
        self,
        event_log::{self, Listener, Writers},
    },
};

/// How late an event is found of which nobody tells: a server ended before it told, or the connection to hear it is lost.
const POLL: Duration = Duration::from_millis(500);
/// How soon a missing event is looked for again: about as long as a transaction takes.
const GAP_POLL: Duration = Duration::from_millis(20);
/// Commits come in groups, and each is told twice where this process wrote: one look serves them all.
const GATHER: Duration = Duration::from_millis(2);
/// Events that are read, and told, at once.
const BATCH: u64 = 128;
/// How long is waited before listening is tried again: a moment after a loss, longer while it fails.
const LISTEN_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Connecting, and one statement.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// After how long without a word it is tried whether other servers are still heard.
const SILENCE: Duration = Duration::from_secs(30);
/// What is told to everybody is heard at once.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// How far the log was told on.
#[derive(Default)]
struct Follower {
    /// Everything up to here is complete; none until that was found out.
    position: Option<i64>,
    gap: Option<Gap>,
    /// The last event that was seen, complete or not.
    seen: i64,
    /// The last event that was seen when the other servers were told.
    told: i64,
    /// Whether this process wrote something since.
    has_written: bool,
}

/// A place of the log at which an event is missing.
struct Gap {
    /// The event after it that is there; whatever comes before it was numbered by then.
    before: i64,
    /// Who wrote when that was seen.
    writers: Writers,
}

impl Service {
    /// Follows the log of events until told to stop. The caller spawns this once per process.
    pub async fn follow_events(&self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow_log() => {}
            () = self.listen(&self.feed.news) => {}
        }
    }

    async fn follow_log(&self) {
        let mut follower = Follower::default();
        let mut is_readable = true;
        loop {
            follower.has_written |= self.feed.has_written.swap(false, Ordering::SeqCst);
            match self.catch_up(&mut follower).await {
                Ok(()) => is_readable = true,
                Err(error) if is_readable => {
                    is_readable = false;
                    tracing::warn!(error = &error as &dyn Error, "the log of events cannot be read; trying on");
                }
                Err(_) => {}
            }
            let pause = if follower.gap.is_some() { GAP_POLL } else { POLL };
            tokio::select! {
                () = self.feed.news.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Wakes the follower when another server tells of events.
    async fn listen(&self, news: &Arc<Notify>) {
        let (mut pause, mut is_lost) = (LISTEN_AGAIN.0, false);
        loop {
            let listener = timeout(LISTEN_TIMEOUT, event_log::listen(&self.db)).await;
            let error = match listener.unwrap_or_else(|_| Err(event_log::silent())) {
                Ok(None) => return std::future::pending().await,
                Ok(Some(mut listener)) => {
                    if std::mem::replace(&mut is_lost, false) {
                        tracing::info!("the other servers are heard again");
                    }
                    pause = LISTEN_AGAIN.0;
                    // What was told before was told to nobody.
                    news.notify_one();
                    loop {
                        match self.hear(&mut listener).await {
                            Ok(()) => news.notify_one(),
                            Err(error) => break error,
                        }
                    }
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut is_lost, true) {
                let polling = "the other servers cannot be heard; their events are looked for twice a second";
                tracing::warn!(error = &error as &dyn Error, "{polling}");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LISTEN_AGAIN.1);
        }
    }

    /// Waits until something is told. Where nothing is for long, this server tells something itself: a connection that went silent
    /// would otherwise be listened to for ever.
    async fn hear(&self, listener: &mut Listener) -> store::Result<()> {
        if let Ok(heard) = timeout(SILENCE, listener.hear()).await {
            return heard;
        }
        event_log::tell(&self.db).await?;
        timeout(TOLD_WITHIN, listener.hear()).await.unwrap_or_else(|_| Err(event_log::silent()))
    }

    /// Tells on what is new, in the order of the log, up to an event that may still come.
    async fn catch_up(&self, follower: &mut Follower) -> Result<()> {
        loop {
            let Some(position) = follower.position else { return self.begin_to_follow(follower).await };
            // Asked before the log is read, so that what those transactions wrote is read, too.
            let complete_to = match &follower.gap {
                Some(gap) if event_log::have_ended(&self.db, &gap.writers).await? => gap.before,
                _ => position,
            };
            let events = event_log::after(&self.db, position, BATCH).await?;
            let (read_at, is_full) = (Instant::now(), u64::try_from(events.len()).is_ok_and(|found| found == BATCH));
            let last = events.last().map_or(position, |event| event.id);
            self.tell_others(follower, last).await?;
            let (complete, is_stuck) = without_gaps(events, position, complete_to);
            let reached = complete.last().map_or(position, |event| event.id);
            if reached > position {
                self.tell_on(complete, reached, read_at).await?;
                follower.position = Some(reached);
            }
            follower.gap.take_if(|gap| gap.before <= reached.max(complete_to));
            match (is_stuck, &follower.gap) {
                (false, _) if is_full => continue,
                (false, _) | (true, Some(_)) => return Ok(()),
                (true, None) => {}
            }
            let gap = Gap { before: last, writers: event_log::writers(&self.db).await? };
            let is_closed = gap.writers == Writers::default();
            follower.gap = Some(gap);
            if !is_closed {
                return Ok(());
            }
        }
    }

    /// Begins with what can be read, once whoever was writing has ended.
    async fn begin_to_follow(&self, follower: &mut Follower) -> Result<()> {
        let gap = match follower.gap.take() {
            Some(gap) => gap,
            None => Gap { before: event_log::highest(&self.db).await?, writers: event_log::writers(&self.db).await? },
        };
        if event_log::have_ended(&self.db, &gap.writers).await? {
            follower.position = Some(gap.before);
            (follower.seen, follower.told) = (gap.before, gap.before);
            self.feed.recent.send_replace(Some(Recent::new(gap.before)));
        } else {
            follower.gap = Some(gap);
        }
        Ok(())
    }

    /// Tells the other servers where this one wrote something that they may not have seen.
    async fn tell_others(&self, follower: &mut Follower, last: i64) -> Result<()> {
        follower.seen = follower.seen.max(last);
        if follower.has_written && follower.seen > follower.told {
            event_log::tell(&self.db).await?;
            follower.told = follower.seen;
        }
        follower.has_written = false;
        Ok(())
    }

    /// Tells the subscribers. Where there are none, nothing is kept for them.
    async fn tell_on(&self, events: Vec<ticket_event::Model>, to: i64, read_at: Instant) -> Result<()> {
        let is_heard = self.feed.recent.receiver_count() > 0;
        let events = if is_heard { self.heard(events).await? } else { Vec::new() };
        self.feed.recent.send_modify(|recent| {
            let recent = recent.get_or_insert_with(|| Recent::new(to));
            match is_heard {
                true => recent.extend(to, read_at, events),
                false => recent.skip(to, read_at),
            }
        });
        Ok(())
    }
}

/// The events up to the first that may still be preceded by one that is missing, and whether there is such one.
fn without_gaps(
    mut events: Vec<ticket_event::Model>,
    mut position: i64,
    complete_to: i64,
) -> (Vec<ticket_event::Model>, bool) {
    let found = events.len();
    let gap = events.iter().position(|event| {
        let follows = event.id <= complete_to.max(position + 1);
        position = event.id;
        !follows
    });
    events.truncate(gap.unwrap_or(found));
    (events, gap.is_some())
}
