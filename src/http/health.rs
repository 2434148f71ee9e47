//! For whoever watches the process: is it alive, and can it work?

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{http::HttpState, logging::chain, service::SchemaState};

/// Load balancers give up after a few seconds; a database that needs longer is of no use to callers either.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The database answers too, and has the schema that this version works with.
pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, Json<Value>) {
    let service = state.api.service().clone();
    let check = state.requests.spawn(async move { service.schema_state().await }.in_current_span());
    let reason = match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(Ok(SchemaState::Current))) => return (StatusCode::OK, Json(json!({ "status": "ok" }))),
        Ok(Ok(Ok(SchemaState::Old))) => "the database's schema is older than this version: run secondline migrate",
        Ok(Ok(Ok(SchemaState::Newer))) => "the database's schema is newer than this version: run the newer one",
        Ok(Ok(Err(error))) => {
            tracing::warn!(error = chain(&error), "not ready");
            "the database does not answer"
        }
        Ok(Err(_)) => "the check failed",
        Err(_) => "the database does not answer in time",
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable", "reason": reason })))
}
