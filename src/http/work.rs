//! Work on a caller's behalf: in a task of its own, which a caller who goes away does not cut short, and within a time limit.
//!
//! Each statement has a limit of its own, but a request is many: where all of them are slow, the sum would hold a connection to
//! the database for minutes after the caller was told to look again. What runs out of time is therefore cut, not left alone:
//! its transaction ends with it, and its connection is closed where a statement was still under way.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::http::answer::{self, Code, ErrorAnswer};

/// How long any answer may take. Requests take milliseconds.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(30);
/// What a caller is told then. Its last transaction may just have been committed.
const TIMED_OUT: &str = "this takes too long; it may have been carried out, so look before you try again";

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// It panicked, which was logged where it happened, with the request's id.
    Panicked,
    /// It took longer than [`TIME_LIMIT`], and was cut.
    TimedOut,
}

impl Unfinished {
    /// The code and the words that a caller is told.
    pub(super) const fn told(self) -> (Code, &'static str) {
        match self {
            Self::Panicked => (Code::Internal, answer::INTERNAL),
            Self::TimedOut => (Code::TimedOut, TIMED_OUT),
        }
    }
}

impl From<Unfinished> for ErrorAnswer {
    fn from(unfinished: Unfinished) -> Self {
        let (code, message) = unfinished.told();
        answer::error(code, message)
    }
}

/// Returns what the work comes to, whether or not the caller still waits for it.
pub(super) async fn run<T: Send + 'static>(
    requests: &TaskTracker,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Unfinished> {
    let limited = async move {
        let done = tokio::time::timeout(TIME_LIMIT, work).await;
        if done.is_err() {
            tracing::error!(limit_s = TIME_LIMIT.as_secs(), "a request took too long and was cut");
        }
        done
    };
    match requests.spawn(limited.in_current_span()).await {
        Ok(done) => done.map_err(|_| Unfinished::TimedOut),
        Err(_) => Err(Unfinished::Panicked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_a_result_or_is_cut() {
        let requests = TaskTracker::new();
        assert_eq!(run(&requests, async { 7 }).await, Ok(7));
        assert_eq!(run(&requests, async { panic!("as it must") }).await, Err::<(), _>(Unfinished::Panicked));
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let hanging = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert_eq!(run(&requests, hanging).await, Err(Unfinished::TimedOut));
        assert!(dropped.await.is_err(), "nothing of it goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn work_outlives_its_caller() {
        let requests = TaskTracker::new();
        let (done, outcome) = tokio::sync::oneshot::channel();
        let work = async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            done.send(()).unwrap();
        };
        assert!(tokio::time::timeout(Duration::from_millis(1), run(&requests, work)).await.is_err());
        assert_eq!(outcome.await, Ok(()));
    }
}
