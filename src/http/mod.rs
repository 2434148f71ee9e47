//! HTTP: the router, and what every request goes through.
//!
//! May import: `graphql`, `service`, `domain::actor`, `logging`. Knows nothing of tickets: it turns a token into an `Actor`, a body
//! into a GraphQL request and a response into bytes. Example: `POST /graphql` gets a request id, runs in a task of its own that
//! outlives the connection, and is answered with the id as `x-request-id`.

mod answer;
mod attachments;
mod auth;
mod graphiql;
mod graphql_http;
mod graphql_ws;
mod health;
mod request_id;

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header::X_CONTENT_TYPE_OPTIONS},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use crate::{
    graphql::{self, SecondlineSchema},
    service::Service,
};

/// What handlers work with.
#[derive(Clone)]
pub struct HttpState {
    /// The schema, built once.
    pub schema: SecondlineSchema,
    /// The use cases.
    pub service: Service,
    /// Requests that are being carried out, whether or not their client still waits.
    pub requests: TaskTracker,
    /// Open WebSockets.
    pub sockets: TaskTracker,
    /// Cancelled when WebSockets shall end.
    pub end_sockets: CancellationToken,
}

impl HttpState {
    /// A state in which nothing is under way.
    pub fn new(service: Service) -> Self {
        Self {
            schema: graphql::schema(service.clone()),
            service,
            requests: TaskTracker::new(),
            sockets: TaskTracker::new(),
            end_sockets: CancellationToken::new(),
        }
    }
}

/// Everything that is served.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/graphql", post(graphql_http::handle).fallback(graphql_http::only_post))
        .route("/graphql/ws", any(graphql_ws::handle))
        .route("/attachments/{id}", get(attachments::get).put(attachments::put))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(graphiql::routes())
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(SetResponseHeaderLayer::overriding(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(middleware::from_fn_with_state(state.service.clock().clone(), request_id::attach))
        .with_state(state)
}

async fn not_found() -> Response {
    let message = "there is nothing here: the API is at /graphql, and a page to try it by hand at /graphiql";
    answer::error(StatusCode::NOT_FOUND, answer::Code::NotFound, message).into_response()
}

/// The panic itself was logged where it happened.
fn panicked() -> Response {
    answer::internal().into_response()
}
