//! What happens by itself: jobs on a cron schedule, in UTC.
//!
//! May import: `service`, `logging`, tokio-cron-scheduler. A job takes no input, looks at the database and says what it did,
//! so that a missed tick or a restart loses nothing. Example: every 15 s `sla_scan` asks the service for clocks that reached
//! an alert level; while one run lasts, further ticks pass by.

mod deliver;
mod follow;
mod sla_scan;
mod sweep;
mod verify;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::Semaphore;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    logging::chain,
    service::{Service, ServiceError, deliver::MailRoute},
};

/// What is not kept can wait; nobody sees it any more.
const SWEEP_SCHEDULE: &str = "30 */10 * * * *";
/// An edit of a policy or calendar is followed, and a pause ends, within seconds.
const FOLLOW_SCHEDULE: &str = "*/5 * * * * *";
/// At night, when few use the database.
const VERIFY_SCHEDULE: &str = "0 20 2 * * *";

/// What jobs work with.
#[derive(Clone)]
pub struct Tools {
    /// The use cases.
    pub service: Service,
    /// How mail leaves.
    pub mail: MailRoute,
    /// Cancelled when no more work shall begin.
    pub stop: CancellationToken,
}

/// When each job runs, as six-field cron expressions in UTC.
#[derive(Clone, Debug)]
pub struct Schedules {
    /// Of `sla_scan`.
    pub sla_scan: String,
    /// Of `deliver`.
    pub deliver: String,
}

/// The jobs, running.
pub struct Jobs {
    scheduler: JobScheduler,
    stop: CancellationToken,
    runs: TaskTracker,
}

/// One run of a job.
type Run = fn(Tools) -> BoxFuture<'static, Result<(), ServiceError>>;

/// Starts the jobs.
pub async fn start(tools: Tools, schedules: &Schedules) -> Result<Jobs, JobSchedulerError> {
    let jobs = Jobs { scheduler: JobScheduler::new().await?, stop: tools.stop.clone(), runs: TaskTracker::new() };
    let all: [(&'static str, &str, Run); 5] = [
        ("sla_scan", &schedules.sla_scan, |tools| sla_scan::run(tools).boxed()),
        ("deliver", &schedules.deliver, |tools| deliver::run(tools).boxed()),
        ("follow", FOLLOW_SCHEDULE, |tools| follow::run(tools).boxed()),
        ("verify", VERIFY_SCHEDULE, |tools| verify::run(tools).boxed()),
        ("sweep", SWEEP_SCHEDULE, |tools| sweep::run(tools).boxed()),
    ];
    for (name, schedule, run) in all {
        jobs.add(name, schedule, run, tools.clone()).await?;
    }
    jobs.scheduler.start().await?;
    Ok(jobs)
}

impl Jobs {
    /// Begins nothing more and waits for what is in progress; says whether all of it ended in time.
    pub async fn stop(mut self, limit: Duration) -> bool {
        self.stop.cancel();
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(error = chain(&error), "the scheduler did not stop");
        }
        self.runs.close();
        tokio::time::timeout(limit, self.runs.wait()).await.is_ok()
    }

    /// Registers a job. The scheduler spawns at every tick, so a gate keeps a job from overlapping itself.
    async fn add(&self, name: &'static str, schedule: &str, run: Run, tools: Tools) -> Result<(), JobSchedulerError> {
        let gate = Arc::new(Semaphore::new(1));
        let runs = self.runs.clone();
        let job = Job::new_async_tz(schedule, Utc, move |_, _| {
            let (gate, runs, tools) = (Arc::clone(&gate), runs.clone(), tools.clone());
            Box::pin(async move {
                if let Ok(permit) = gate.try_acquire_owned()
                    && !tools.stop.is_cancelled()
                {
                    let span = tracing::info_span!("job", job.name = name);
                    runs.spawn(
                        async move {
                            guarded(run(tools)).await;
                            drop(permit);
                        }
                        .instrument(span),
                    );
                }
            })
        })?;
        self.scheduler.add(job).await?;
        Ok(())
    }
}

/// Lets a run fail without consequences but a line in the log; the next tick tries again.
async fn guarded(run: impl Future<Output = Result<(), ServiceError>>) {
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.is_unavailable() => {
            tracing::warn!(error = chain(&error), "the database is not available; the job's next turn tries again");
        }
        Ok(Err(error)) => tracing::error!(error = chain(&error), "a job failed; its next turn tries again"),
        // The panic itself was logged where it happened.
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_panics_or_fails_harms_nobody() {
        guarded(async { panic!("on purpose") }).await;
        guarded(async { Err(ServiceError::NotFound("thing")) }).await;
    }
}
