//! HTTP: the router, and what every request goes through.
//!
//! May import: `graphql`, `service`, `domain::actor`, `logging`. Knows nothing of tickets: it turns a token into an `Actor`, a body
//! into a GraphQL request and a response into bytes. Example: `POST /graphql` gets a request id, runs in a task of its own that
//! outlives the connection, and is answered with the id as `x-request-id`.

mod answer;
mod attachments;
mod auth;
mod concurrency;
mod graphiql;
mod graphql_http;
mod graphql_sse;
mod graphql_ws;
mod health;
mod in_flight;
mod operation;
mod origin;
mod params;
mod reports;
mod request_id;
mod server;
mod streams;
mod transfers;
mod turns;
mod work;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

pub use self::server::serve;
use self::{
    concurrency::RequestLimiter, health::Readiness, in_flight::ByteLimiter, streams::StreamLimiter,
    transfers::TransferLimiter,
};
use crate::{
    graphql::{Api, admission::Policy},
    health::Health,
    service::Service,
};

/// What every answer tells a browser: that it is data, for nobody's page but the one that asked, and not to be kept.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What a deployment decides about the transport.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The origins of pages on other hosts that may use the API, such as `https://support.example.org`.
    pub allowed_origins: Vec<HeaderValue>,
    /// Whether a proxy stands before the server and says in `X-Forwarded-For` who asks.
    pub behind_proxy: bool,
    /// Whether there is no page to try the API by hand.
    pub no_graphiql: bool,
    /// How many connections the database may have, whose files are none that clients can have.
    pub database_connections: usize,
}

/// What handlers work with.
#[derive(Clone)]
pub struct HttpState {
    /// What requests are carried out by.
    pub api: Api,
    /// What a deployment decides.
    pub settings: Arc<Settings>,
    /// Requests that are being carried out, whether or not their client still waits.
    pub requests: TaskTracker,
    /// Open WebSockets and event streams.
    pub sockets: TaskTracker,
    /// Cancelled when they shall end.
    pub end_sockets: CancellationToken,
    /// What the process knows of itself.
    pub health: Health,
    /// How many of them each principal has.
    pub streams: StreamLimiter,
    /// What waits to be taken.
    pub answers: ByteLimiter,
    /// What comes in.
    pub bodies: ByteLimiter,
    /// Files on their way.
    pub transfers: TransferLimiter,
    /// Whose turn it is.
    pub turns: RequestLimiter,
    /// What the last look at the database came to.
    pub readiness: Readiness,
}

impl HttpState {
    /// A state in which nothing is under way.
    pub fn new(service: Service, policy: Policy, settings: Settings) -> Self {
        Self {
            api: Api::new(service, policy),
            settings: Arc::new(settings),
            requests: TaskTracker::new(),
            sockets: TaskTracker::new(),
            end_sockets: CancellationToken::new(),
            health: Health::default(),
            streams: StreamLimiter::default(),
            answers: ByteLimiter::new(in_flight::ANSWERS),
            bodies: ByteLimiter::new(in_flight::BODIES),
            transfers: TransferLimiter::default(),
            turns: RequestLimiter::default(),
            readiness: Readiness::default(),
        }
    }
}

/// Everything that is served.
pub fn router(state: HttpState) -> Router {
    let graphiql = if state.settings.no_graphiql { Router::new() } else { graphiql::routes() };
    let mut router = Router::new()
        .route("/graphql", any(graphql_http::handle))
        .route("/graphql/ws", any(graphql_ws::handle))
        .route("/attachments/{id}", get(attachments::get).put(attachments::put))
        .route("/reports/sla.csv", get(reports::sla))
        .route("/reports/forecast.csv", get(reports::forecast))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(graphiql)
        .fallback(not_found)
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(middleware::from_fn(server::refuse_when_full));
    for (name, value) in SECURITY_HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    router
        .layer(origin::cors(&state.settings.allowed_origins))
        .layer(middleware::from_fn_with_state(state.api.service().clock().clone(), request_id::attach))
        .with_state(state)
}

async fn not_found() -> Response {
    let message = "there is nothing here: the API is at /graphql, and a page to try it by hand at /graphiql";
    answer::error(answer::Code::NotFound, message).into_response()
}

/// The panic itself was logged where it happened.
fn panicked() -> Response {
    answer::internal().into_response()
}
