//! What the process knows of itself, for whoever watches it: whether it is about to stop, and when its jobs last ran.
//!
//! May import nothing of ours. Example: a job that hangs is late after five of its turns, and `/readyz` names it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Turns that a job may miss: a slow run or two are no reason to wake somebody.
const TURNS: u32 = 5;

/// What the process knows of itself; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_draining: AtomicBool,
    jobs: Mutex<BTreeMap<&'static str, JobHealth>>,
    warnings: Mutex<BTreeMap<&'static str, Vec<String>>>,
}

/// What is known of a job.
#[derive(Clone, Debug)]
pub struct JobHealth {
    /// The time between two of its turns.
    pub period: Duration,
    /// When its last run ended, and how long it took; `None` before the first one has ended.
    pub last_run: Option<LastRun>,
    /// Since when it is waited for: the start of the process, or the end of its last run.
    since: Instant,
}

/// A run of a job that ended.
#[derive(Clone, Copy, Debug)]
pub struct LastRun {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub took: Duration,
    /// Returns true if it did what it was to do.
    pub succeeded: bool,
}

impl JobHealth {
    /// Returns true if no run has ended for five turns.
    pub fn is_late(&self) -> bool {
        self.since.elapsed() > self.period * TURNS
    }
}

impl Health {
    /// Notes that the process is about to stop: whoever routes requests to it shall choose another one.
    pub fn drain(&self) {
        self.0.is_draining.store(true, Ordering::SeqCst);
    }

    /// Returns true if the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::SeqCst)
    }

    /// Notes that a job is to run so often from now on.
    pub fn expect_job(&self, name: &'static str, period: Duration) {
        self.jobs().insert(name, JobHealth { period, last_run: None, since: Instant::now() });
    }

    /// Notes that a run of a job ended.
    pub fn job_ended(&self, name: &'static str, run: LastRun) {
        if let Some(job) = self.jobs().get_mut(name) {
            (job.last_run, job.since) = (Some(run), Instant::now());
        }
    }

    /// The jobs of this process, by name; none where none are scheduled.
    pub fn job_healths(&self) -> BTreeMap<&'static str, JobHealth> {
        self.jobs().clone()
    }

    /// Notes what is wrong with a part of the process, in place of what was before; nothing where it is well again.
    pub fn set_warnings(&self, part: &'static str, warnings: Vec<String>) {
        self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(part, warnings);
    }

    /// What is wrong besides late jobs, one line each.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<&'static str, JobHealth>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_is_late_after_five_turns_without_an_end() {
        let health = Health::default();
        let period = Duration::from_secs(15);
        health.expect_job("scan", period);
        let is_late = |health: &Health| health.job_healths()["scan"].is_late();
        tokio::time::advance(period * 5).await;
        assert!(!is_late(&health));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(is_late(&health), "it never ran");
        let run = LastRun { at: DateTime::UNIX_EPOCH, took: Duration::ZERO, succeeded: true };
        health.job_ended("scan", run);
        assert!(!is_late(&health));
        tokio::time::advance(period * 6).await;
        assert!(is_late(&health), "it does not run any more");
    }
}
