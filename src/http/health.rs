//! For whoever watches the process: is it alive, and can it work?

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use chrono::SecondsFormat;
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};
use tracing::Instrument;

use crate::{
    health::{Health, JobHealth},
    http::HttpState,
    logging::chain,
    service::{SchemaState, Service},
};

/// Load balancers give up after a few seconds; a database that needs longer is of no use to callers either.
const PATIENCE: Duration = Duration::from_secs(2);

/// Anybody may ask as often as they like: the database is looked at so often at most.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the last look at the database came to; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Option<Look>>>);

#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    /// Why requests cannot be answered; `None` where they can.
    reason: Option<String>,
    /// The last backup, `null` where none is known.
    last_backup: Value,
}

impl Readiness {
    /// A look that is not older than a second. Those who ask meanwhile wait for the same one.
    async fn look(&self, state: &HttpState) -> Look {
        let mut last = self.0.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.at.elapsed() < LOOK_AGAIN_AFTER) {
            return look.clone();
        }
        let look = look(state).await;
        *last = Some(look.clone());
        look
    }
}

/// Looks at the database, by a connection that requests cannot take: however busy they are, the process is ready.
async fn look(state: &HttpState) -> Look {
    let service = state.api.service().reserved();
    let check = state.requests.spawn(async move { findings(&service).await }.in_current_span());
    let (reason, last_backup) = match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => (Some("the check failed".to_owned()), Value::Null),
        Err(_) => (Some("the database does not answer in time".to_owned()), Value::Null),
    };
    Look { at: Instant::now(), reason, last_backup }
}

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Returns 200 if requests can be answered, 503 with the reason if they cannot. What does not concern requests, such as a job
/// that hangs, is told beside: taking the process out of service would not help against it.
pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, Json<Value>) {
    let Look { reason, last_backup, .. } = state.readiness.look(&state).await;
    let reason = if state.health.is_draining() { Some("the process is about to stop".to_owned()) } else { reason };
    let (jobs, warnings) = jobs(&state.health);
    let status = match (&reason, warnings.is_empty()) {
        (Some(_), _) => "unavailable",
        (None, false) => "degraded",
        (None, true) => "ok",
    };
    let mut body = json!({ "status": status, "jobs": jobs, "lastBackup": last_backup });
    if let Some(fields) = body.as_object_mut() {
        if !warnings.is_empty() {
            fields.insert("warnings".to_owned(), json!(warnings));
        }
        if let Some(reason) = &reason {
            fields.insert("reason".to_owned(), json!(reason));
        }
    }
    let code = if reason.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(body))
}

/// Why requests cannot be answered, `None` where they can; and the last backup, `null` where none is known.
async fn findings(service: &Service) -> (Option<String>, Value) {
    let reason = failure(service).await;
    // An older schema, on which somebody wants this process to work, may not know of backups.
    let last_backup = if reason.is_none() { service.last_backup().await.unwrap_or_default() } else { None };
    let described = last_backup.map(|taken_at| {
        let age = service.clock().now() - taken_at;
        json!({
            "takenAt": taken_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "ageSeconds": age.num_seconds().max(0),
        })
    });
    (reason, described.unwrap_or_default())
}

/// Why requests cannot be answered; `None` where they can.
async fn failure(service: &Service) -> Option<String> {
    match service.schema_state().await {
        Ok(SchemaState::Current | SchemaState::NewerCompatible) => service.write_failure().await,
        Ok(SchemaState::Old) => {
            Some("the database's schema is older than this version: run secondline migrate".to_owned())
        }
        Ok(SchemaState::Newer) => {
            Some("the database's schema is newer than this version: run the newer one".to_owned())
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "not ready");
            Some("the database does not answer".to_owned())
        }
    }
}

/// The jobs of this process, and what is wrong with them.
fn jobs(health: &Health) -> (Value, Vec<String>) {
    let jobs = health.job_healths();
    let late = jobs.iter().filter(|(_, job)| job.is_late());
    let warnings = late.map(|(name, _)| format!("the job {name} has not run for five turns")).collect();
    (jobs.iter().map(|(name, job)| (*name, described(job))).collect(), warnings)
}

fn described(job: &JobHealth) -> Value {
    let run = job.last_run.map(|run| {
        json!({
            "endedAt": run.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "tookMs": u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
            "succeeded": run.succeeded,
        })
    });
    json!({ "everySeconds": job.period.as_secs(), "lastRun": run, "isLate": job.is_late() })
}
