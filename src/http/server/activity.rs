//! What a connection does at the moment: told by the service that answers its requests, asked by its stream, by the task that
//! serves it and by the limiter.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// A client sends its first request at once; one that does not wants to hold the connection.
pub(super) const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Somewhat longer than proxies keep an idle connection, so that they end it and not we, in the midst of their next request.
pub(super) const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(75);
/// What somebody who is not known yet may send between two messages of a WebSocket: a token, or a request by hand.
const UNKNOWN_BYTES: usize = 32 * 1024;

/// What a connection is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: the first head of a request has not come.
    Opened,
    /// Nothing: the head of the next request has not come.
    Idle,
    /// A request is read, carried out or answered.
    Answering,
    /// An event stream is sent, which has time limits of its own.
    Streaming,
    /// It is a WebSocket, and will be nothing else.
    Upgraded,
}

impl Phase {
    /// Whether another connection may have its place at once.
    pub(super) const fn is_idle(self) -> bool {
        matches!(self, Self::Opened | Self::Idle)
    }

    /// Whether something is sent now and then, for as long as the client likes.
    pub(super) const fn is_stream(self) -> bool {
        matches!(self, Self::Streaming | Self::Upgraded)
    }
}

/// What a connection does, and since when.
#[derive(Debug)]
pub(super) struct Activity {
    first_head_within: Duration,
    state: Mutex<State>,
    displaced: CancellationToken,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// How many requests came.
    requests: u64,
    /// Whether whoever sends the requests has a valid token.
    is_known: bool,
    /// Whether bytes may be on their way that nobody will read: a request's body, or what is no request.
    is_unread: bool,
    /// What came over a stream since its last whole message.
    streamed: usize,
}

impl Activity {
    /// A connection that was just accepted, and what it has for its first head.
    pub(super) fn new(first_head_within: Duration) -> Self {
        let state = State {
            phase: Phase::Opened,
            since: Instant::now(),
            requests: 0,
            is_known: false,
            is_unread: false,
            streamed: 0,
        };
        Self { first_head_within, state: Mutex::new(state), displaced: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the connection does, and since when.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        let state = self.state();
        (state.phase, state.since)
    }

    /// How many requests came on the connection.
    pub(super) fn requests(&self) -> u64 {
        self.state().requests
    }

    pub(super) fn is_unread(&self) -> bool {
        self.state().is_unread
    }

    /// The head of a request has come.
    pub(super) fn begin_request(&self) {
        let mut state = self.state();
        state.requests += 1;
        state.is_unread = false;
        state.enter(Phase::Answering);
    }

    /// The answer has been handed over to be written.
    pub(super) fn end_request(&self) {
        let mut state = self.state();
        if state.phase != Phase::Upgraded {
            state.enter(Phase::Idle);
        }
    }

    /// The answer is an event stream.
    pub(super) fn begin_stream(&self) {
        self.state().enter(Phase::Streaming);
    }

    /// The connection becomes a WebSocket.
    pub(super) fn upgrade(&self) {
        self.state().enter(Phase::Upgraded);
    }

    /// A whole message has come over a WebSocket.
    pub(super) fn end_message(&self) {
        self.state().streamed = 0;
    }

    /// Whoever sends the requests has a valid token.
    pub(super) fn identify(&self) {
        self.state().is_known = true;
    }

    /// A request was answered before its body had been read.
    pub(super) fn leave_unread(&self) {
        self.state().is_unread = true;
    }

    /// Notes that bytes came; false where they are too many from somebody who is not known.
    pub(super) fn receive(&self, bytes: usize) -> bool {
        let mut state = self.state();
        match state.phase {
            // A head, or nothing that can be understood.
            Phase::Opened | Phase::Idle => state.is_unread |= bytes > 0,
            Phase::Answering => {}
            Phase::Streaming | Phase::Upgraded => state.streamed = state.streamed.saturating_add(bytes),
        }
        state.is_known || state.streamed <= UNKNOWN_BYTES
    }

    /// When the head of a request must have come, while one is waited for.
    pub(super) fn head_deadline(&self) -> Option<Instant> {
        match self.phase() {
            (Phase::Opened, since) => Some(since + self.first_head_within),
            (Phase::Idle, since) => Some(since + NEXT_HEAD_WITHIN),
            (Phase::Answering | Phase::Streaming | Phase::Upgraded, _) => None,
        }
    }

    /// Ends the connection in favour of another one.
    pub(super) fn displace(&self) {
        self.displaced.cancel();
    }

    pub(super) fn displaced(&self) -> WaitForCancellationFuture<'_> {
        self.displaced.cancelled()
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
        self.streamed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_is_waited_for_from_the_start_and_after_each_answer() {
        let activity = Activity::new(FIRST_HEAD_WITHIN);
        let began = Instant::now();
        assert_eq!(activity.head_deadline(), Some(began + FIRST_HEAD_WITHIN));
        activity.begin_request();
        assert_eq!(activity.head_deadline(), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        activity.end_request();
        assert_eq!(activity.head_deadline(), Some(began + Duration::from_secs(60) + NEXT_HEAD_WITHIN));
        activity.begin_request();
        activity.begin_stream();
        assert_eq!(activity.head_deadline(), None, "a stream ends by its own rules");
        activity.end_request();
        assert!(activity.head_deadline().is_some());
        activity.begin_request();
        activity.upgrade();
        activity.end_request();
        assert_eq!(activity.head_deadline(), None, "no request follows");
    }

    #[test]
    fn who_is_not_known_sends_no_long_message() {
        let activity = Activity::new(FIRST_HEAD_WITHIN);
        activity.begin_request();
        assert!(activity.receive(UNKNOWN_BYTES * 2), "bodies have a limit of their own");
        activity.upgrade();
        assert!(activity.receive(UNKNOWN_BYTES));
        activity.end_message();
        assert!(activity.receive(UNKNOWN_BYTES));
        assert!(!activity.receive(1));
        activity.identify();
        assert!(activity.receive(1));
    }

    #[test]
    fn what_is_no_request_is_left_unread() {
        let activity = Activity::new(FIRST_HEAD_WITHIN);
        assert!(!activity.is_unread());
        activity.receive(1);
        assert!(activity.is_unread());
        activity.begin_request();
        assert!(!activity.is_unread());
        activity.leave_unread();
        assert!(activity.is_unread());
    }
}
