//! What happens by itself: jobs on a cron schedule, in UTC.
//!
//! May import: `service`, `clock`, `health`, `logging`, tokio-cron-scheduler. A job takes no input, looks at the database and says what
//! it did, so that a missed tick or a restart loses nothing. Example: every 15 s `sla_scan` asks the service for clocks that reached
//! an alert level; while one run lasts, further ticks pass by.

mod clock_watch;
mod deliver;
mod follow;
mod purge;
mod sla_scan;
mod sweep;
mod verify;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::Utc;
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::Semaphore, time::Instant};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use self::clock_watch::ClockWatch;
use crate::{
    clock::Clock,
    health::{Health, LastRun},
    logging::chain,
    service::{Service, ServiceError, deliver::MailRoute},
};

/// What is not kept can wait; nobody sees it any more.
const SWEEP_SCHEDULE: &str = "30 */10 * * * *";
/// An edit of a policy or calendar is followed, and a pause ends, within seconds.
const FOLLOW_SCHEDULE: &str = "*/5 * * * * *";
/// At night, when few use the database.
const VERIFY_SCHEDULE: &str = "0 20 2 * * *";
/// At night, too: it lists all attached files.
const PURGE_SCHEDULE: &str = "0 50 2 * * *";

/// Runs take seconds, after downtime minutes. One that takes longer is cut, so that the next one begins on fresh connections.
const RUN_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The clocks of a million open tickets are made again in an hour.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);
/// Runs that take longer are told in the log as they are.
const LONG_RUN: Duration = Duration::from_secs(2);
/// Turns of a schedule that are looked at for the longest wait between two.
const TURNS: usize = 10;

/// What jobs work with.
#[derive(Clone)]
pub struct Tools {
    /// The use cases.
    pub service: Service,
    /// How mail leaves.
    pub mail: MailRoute,
    /// Where it is noted when jobs ran.
    pub health: Health,
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
    stop: CancellationToken,
    planner: tokio::task::JoinHandle<()>,
    runs: TaskTracker,
}

/// One run of a job.
type Run = fn(Tools) -> BoxFuture<'static, Result<(), ServiceError>>;

/// A job: what it does, and when.
#[derive(Clone)]
struct Spec {
    name: &'static str,
    schedule: String,
    timeout: Duration,
    run: Run,
    /// The scheduler spawns at every tick; the one permit keeps a job from overlapping itself.
    permit: Arc<Semaphore>,
}

/// Starts the jobs.
///
/// # Errors
/// When a schedule cannot be read.
pub async fn start(tools: Tools, schedules: &Schedules) -> Result<Jobs, JobSchedulerError> {
    let specs = specs(schedules);
    for spec in &specs {
        tools.health.expect_job(spec.name, period(&spec.schedule, tools.service.clock()));
    }
    let runs = TaskTracker::new();
    let scheduler = plan(&specs, &tools, &runs).await?;
    let stop = tools.stop.clone();
    let planner = tokio::spawn(keep_planned(scheduler, specs, tools, runs.clone()));
    Ok(Jobs { stop, planner, runs })
}

impl Jobs {
    /// Begins nothing more and waits for what is in progress.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.planner.await;
        self.runs.close();
        self.runs.wait().await;
    }
}

fn specs(schedules: &Schedules) -> [Spec; 6] {
    let spec = |name, schedule: &str, timeout, run| Spec {
        name,
        schedule: schedule.to_owned(),
        timeout,
        run,
        permit: Arc::new(Semaphore::new(1)),
    };
    [
        spec("sla_scan", &schedules.sla_scan, RUN_TIMEOUT, |tools| sla_scan::run(tools).boxed()),
        spec("deliver", &schedules.deliver, RUN_TIMEOUT, |tools| deliver::run(tools).boxed()),
        spec("follow", FOLLOW_SCHEDULE, RUN_TIMEOUT, |tools| follow::run(tools).boxed()),
        spec("verify", VERIFY_SCHEDULE, VERIFY_TIMEOUT, |tools| verify::run(tools).boxed()),
        spec("purge", PURGE_SCHEDULE, VERIFY_TIMEOUT, |tools| purge::run(tools).boxed()),
        spec("sweep", SWEEP_SCHEDULE, RUN_TIMEOUT, |tools| sweep::run(tools).boxed()),
    ]
}

/// Keeps the jobs planned until they shall stop: anew whenever the machine's clock was set, by which the scheduler decides.
async fn keep_planned(mut scheduler: JobScheduler, specs: [Spec; 6], tools: Tools, runs: TaskTracker) {
    let clock = tools.service.clock().clone();
    let mut watch = ClockWatch::new(&clock);
    while tools.stop.run_until_cancelled(tokio::time::sleep(clock_watch::LOOK_EVERY)).await.is_some() {
        let Some(set_by) = watch.look(&clock) else { continue };
        tracing::warn!(
            clock.set_by_seconds = set_by.num_seconds(),
            "the machine's clock was set; jobs are planned anew"
        );
        end(scheduler).await;
        scheduler = loop {
            match plan(&specs, &tools, &runs).await {
                Ok(scheduler) => break scheduler,
                Err(error) => tracing::error!(error = chain(&error), "jobs cannot be planned; trying on"),
            }
            if tools.stop.run_until_cancelled(tokio::time::sleep(clock_watch::LOOK_EVERY)).await.is_none() {
                return;
            }
        };
    }
    end(scheduler).await;
}

async fn end(mut scheduler: JobScheduler) {
    if let Err(error) = scheduler.shutdown().await {
        tracing::warn!(error = chain(&error), "the scheduler did not stop");
    }
}

/// Plans the jobs' turns from now on.
async fn plan(specs: &[Spec], tools: &Tools, runs: &TaskTracker) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for spec in specs {
        let (schedule, spec, tools, runs) = (spec.schedule.as_str(), spec.clone(), tools.clone(), runs.clone());
        let job = Job::new_async_tz(schedule, Utc, move |_, _| {
            let (spec, tools, runs) = (spec.clone(), tools.clone(), runs.clone());
            Box::pin(async move {
                if let Ok(permit) = Arc::clone(&spec.permit).try_acquire_owned()
                    && !tools.stop.is_cancelled()
                {
                    let span = tracing::info_span!("job", job.name = spec.name);
                    runs.spawn(
                        async move {
                            run(&spec, tools).await;
                            drop(permit);
                        }
                        .instrument(span),
                    );
                }
            })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// One run of a job, and what is noted of it.
async fn run(spec: &Spec, tools: Tools) {
    let (health, clock) = (tools.health.clone(), tools.service.clock().clone());
    let began = Instant::now();
    let succeeded = guarded(spec.timeout, (spec.run)(tools)).await;
    let took = began.elapsed();
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if took > LONG_RUN {
        tracing::info!(duration_ms, succeeded, "a job ran for long");
    } else {
        tracing::debug!(duration_ms, succeeded, "a job ran");
    }
    health.job_ended(spec.name, LastRun { at: clock.now(), took, succeeded });
}

/// Lets a run fail without consequences but a line in the log; the next tick tries again. Returns true if it did not fail.
async fn guarded(limit: Duration, run: impl Future<Output = Result<(), ServiceError>>) -> bool {
    match tokio::time::timeout(limit, AssertUnwindSafe(run).catch_unwind()).await {
        Ok(Ok(Ok(()))) => return true,
        Ok(Ok(Err(error))) if error.is_unavailable() => {
            tracing::warn!(error = chain(&error), "the database is not available; the job's next turn tries again");
        }
        Ok(Ok(Err(error))) => tracing::error!(error = chain(&error), "a job failed; its next turn tries again"),
        // The panic itself was logged where it happened.
        Ok(Err(_)) => {}
        Err(_) => tracing::error!(limit_seconds = limit.as_secs(), "a job took too long and was cut"),
    }
    false
}

/// The longest time between two of the next turns of a schedule.
fn period(schedule: &str, clock: &Clock) -> Duration {
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let turns: Vec<_> = parser
        .parse(schedule)
        .into_iter()
        .flat_map(|cron: Cron| cron.iter_from(clock.now(), croner::Direction::Forward).take(TURNS).collect::<Vec<_>>())
        .collect();
    let gaps = turns.iter().zip(turns.iter().skip(1)).filter_map(|(one, next)| (*next - *one).to_std().ok());
    gaps.max().unwrap_or(Duration::MAX / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_panics_or_fails_harms_nobody() {
        assert!(!guarded(RUN_TIMEOUT, async { panic!("on purpose") }).await);
        assert!(!guarded(RUN_TIMEOUT, async { Err(ServiceError::NotFound("thing")) }).await);
        assert!(guarded(RUN_TIMEOUT, async { Ok(()) }).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_hangs_is_cut() {
        assert!(!guarded(RUN_TIMEOUT, std::future::pending()).await);
    }

    #[test]
    fn a_schedule_tells_the_longest_wait_between_two_turns() {
        let clock = Clock::manual("2026-06-01T09:00:00Z".parse().unwrap());
        for (schedule, seconds) in
            [("*/15 * * * * *", 15), (FOLLOW_SCHEDULE, 5), (VERIFY_SCHEDULE, 86_400), ("0 0 9-17 * * *", 16 * 3600)]
        {
            assert_eq!(period(schedule, &clock), Duration::from_secs(seconds), "{schedule}");
        }
    }
}
