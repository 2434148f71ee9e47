//! HTTP: the router, and what every request goes through.
//!
//! May import: `graphql`, `service`, `domain::actor`, `logging`. Knows nothing of tickets: it turns a token into an `Actor`, a body
//! into a GraphQL request and a response into bytes. Example: `POST /graphql` gets a request id, runs in a task of its own that
//! outlives the connection, and is answered with the id as `x-request-id`.

mod answer;
mod attachments;
mod auth;
mod connections;
mod graphiql;
mod graphql_http;
mod graphql_sse;
mod graphql_ws;
mod health;
mod operation;
mod origin;
mod params;
mod reports;
mod request_id;
mod stalled;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use self::{connections::Connections, stalled::CutStalled};
use crate::{
    graphql::{Api, admission::Policy},
    health::Health,
    service::Service,
};

/// A client sends a request's head at once; one that does not wants to hold the connection.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

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
    /// How many each principal has.
    pub connections: Connections,
    /// What the process knows of itself.
    pub health: Health,
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
            connections: Connections::default(),
            health: Health::default(),
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
        .layer(CatchPanicLayer::custom(|_| panicked()));
    for (name, value) in SECURITY_HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    router
        .layer(origin::cors(&state.settings.allowed_origins))
        .layer(middleware::from_fn_with_state(state.api.service().clock().clone(), request_id::attach))
        .with_state(state)
}

/// Serves everything at an address, until the handle says to accept no more.
///
/// # Errors
/// When the address cannot be taken over from tokio.
pub fn serve(
    state: HttpState,
    listener: TcpListener,
    accepting: Handle<SocketAddr>,
) -> std::io::Result<JoinHandle<std::io::Result<()>>> {
    let mut server = axum_server::from_tcp(listener.into_std()?)?.acceptor(CutStalled).handle(accepting);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    Ok(tokio::spawn(server.serve(service)))
}

async fn not_found() -> Response {
    let message = "there is nothing here: the API is at /graphql, and a page to try it by hand at /graphiql";
    answer::error(answer::Code::NotFound, message).into_response()
}

/// The panic itself was logged where it happened.
fn panicked() -> Response {
    answer::internal().into_response()
}
